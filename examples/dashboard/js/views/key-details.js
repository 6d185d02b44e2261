/** A key looked at: what it may do, its limits with what is left of them, its metadata. */

import { call } from "../client.js";
import { dialog } from "../dialog.js";
import { h, icon, named, quoted, show } from "../dom.js";
import { limitBars } from "../limit-bars.js";
import { limitText } from "../limits.js";
import { metadataText } from "../metadata.js";
import { banner, button } from "../parts.js";

/** What is stored now is what is shown: the list may be older. */
export async function showKey({ id }, { scopes }) {
  const [key, limits] = await Promise.all([
    call("showKey", { path: { key_id: id } }),
    call("showLimits", { query: { key_id: id } }),
  ]);
  return dialog({ title: quoted(key.name) }, (close) => {
    const bars = h("div", { class: "key-limits" }, limitParts(key, limits));
    const again = button(
      "Look again",
      {
        class: "plain",
        onclick: async () =>
          show(bars, limitParts(key, await call("showLimits", { query: { key_id: id } }))),
      },
      icon("again"),
    );
    return [
      h(
        "div",
        { class: "key-details" },
        key.managed
          ? banner(
              "note",
              h(
                "p",
                {},
                "Your provider keeps this key for you. You can revoke it; only they can change it.",
              ),
            )
          : null,
        bars,
        scopePart(key, scopes),
        key.metadata === null
          ? null
          : part(
              "Metadata",
              h(
                "pre",
                { tabindex: "0", "aria-label": "Metadata" },
                h("code", {}, metadataText(key.metadata)),
              ),
            ),
      ),
      h(
        "footer",
        {},
        h(
          "a",
          { class: "button plain", href: `/?key=${key.id}`, onclick: () => close() },
          icon("usage"),
          h("span", {}, "Its usage"),
        ),
        again,
        button("Close", { class: "primary", onclick: () => close() }),
      ),
    ];
  });
}

const part = (title, ...content) => h("section", {}, h("h3", {}, title), content);

/** The key's own limits, and those that it shares with all others. */
export function limitParts(key, { quotas }) {
  const inForce = quotas.filter(({ environment }) => environment === key.environment);
  const own = inForce.filter(({ of }) => of === "key");
  const shared = inForce.filter(({ of }) => of === "account");
  return [
    part("Its own limits", own.length ? limitBars(own) : ownWithoutCounts(key)),
    shared.length ? part("Your plan's limits, for all keys together", limitBars(shared)) : null,
  ];
}

/** Of a key that counts no longer nobody knows what is left. */
function ownWithoutCounts({ limits }) {
  if (!limits?.length) return h("p", { class: "muted" }, "None: only your plan's limits hold.");
  return h(
    "ul",
    { class: "plain-list" },
    limits.map((limit) => h("li", {}, limitText(limit))),
  );
}

function scopePart({ scopes: held }, offered) {
  if (held === null)
    return part(
      "Scopes",
      h(
        "p",
        {},
        "All that can be given: ",
        h("code", {}, offered.map(({ name }) => name).join(", ")),
      ),
    );
  if (!held.length) return part("Scopes", h("p", { class: "muted" }, "None."));
  const about = new Map(offered.map(({ name, description }) => [name, description]));
  return part(
    "Scopes",
    h(
      "ul",
      { class: "plain-list" },
      held.map((scope) => h("li", {}, h("code", {}, named(scope)), " ", about.get(scope) ?? null)),
    ),
  );
}
