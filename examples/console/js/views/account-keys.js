/** An account's keys: what each may do, and a way to kill it. */

import { call, callAll } from "../client.js";
import { confirmation } from "../dialog.js";
import { h, named, quoted, show } from "../dom.js";
import { date, distinct, plural } from "../format.js";
import { limitText } from "../limits.js";
import { notify } from "../notices.js";
import { badge, button, card, rowButton, time } from "../parts.js";

// Rows at a time: what stands below the card is not to be far away.
const ROWS = 20;

export async function keysCard(path, refresh) {
  const place = h("div", {});
  let shown = 0;
  const isDeadShown = h("input", { type: "checkbox", onchange: load });

  async function load() {
    // Which of them are dead is told by the list without those.
    const [live, all] = await Promise.all([
      callAll("listKeys", { path }),
      isDeadShown.checked ? callAll("listKeys", { path, query: { include_revoked: true } }) : null,
    ]);
    const alive = new Set(live.map(({ id }) => id));
    const keys = all ?? live;
    const about = distinct(keys, ({ name }) => name, ({ prefix, id }) => `${prefix}…, ${id.slice(-4)}`);
    const rest = [...keys];
    const list = h("ul", { class: "rows" });
    const more = button("Show more keys", { class: "plain", onclick: () => grow(ROWS) });
    function grow(count) {
      const rows = rest.splice(0, count);
      list.append(...rows.map((key) => keyRow(key, !alive.has(key.id), about(key), () => revoke(key))));
      more.hidden = rest.length === 0;
      shown = list.childElementCount;
    }
    grow(Math.max(ROWS, shown));
    show(
      place,
      keys.length
        ? [list, h("footer", { class: "centre" }, more)]
        : h("p", { class: "muted" }, "No live key."),
    );
  }

  async function revoke(key) {
    const isDone = await confirmation(
      {
        title: "Revoke this key?",
        text: [
          [quoted(key.name), ", ", h("code", {}, `${key.prefix}…`), ", is dead at once. This cannot be undone."],
        ],
        label: "Revoke it",
      },
      () => call("revokeKey", { path: { key_id: key.id } }),
    );
    if (!isDone) return;
    notify("The key is revoked.");
    await Promise.all([load(), refresh()]);
  }

  await load();
  const aside = h("label", { class: "toggle" }, isDeadShown, "Revoked ones too");
  return card({ title: "Keys", text: "Its own, its agents' and managed ones", aside }, place);
}

function keyRow(key, isRevoked, about, revoke) {
  const isExpired = key.expires_at !== null && new Date(key.expires_at) <= Date.now();
  const isOver = isRevoked || isExpired || !key.is_active;
  const limits = (key.limits ?? []).map(limitText);
  return h(
    "li",
    { class: `row ${isOver ? "faint" : ""}`, "data-key": key.id },
    h(
      "div",
      { class: "grow" },
      h(
        "p",
        { class: "title" },
        h("strong", {}, named(key.name)),
        key.is_primary ? badge("Primary", "accent") : null,
        key.managed ? badge("Managed") : null,
        key.environment === "test" ? badge("Test", "warn") : null,
        key.kind === "publishable" ? badge("Publishable") : null,
        isRevoked ? badge("Revoked", "bad") : [
          isExpired ? badge("Expired", "bad") : null,
          key.replaced_by ? badge("Replaced", "warn") : null,
          key.is_active ? null : badge("Off", "bad"),
        ],
      ),
      h(
        "p",
        { class: "meta" },
        h("code", {}, `${key.prefix}…`),
        h("span", {}, key.scopes ? key.scopes.join(", ") || "no scope" : "all scopes"),
        limits.length ? h("span", { title: limits.join(", ") }, plural(limits.length, "limit")) : null,
        h("span", {}, "made ", date(key.created_at)),
        h("span", {}, key.last_used_at ? ["used ", time(key.last_used_at)] : "never used"),
        key.expires_at && !isExpired ? h("span", {}, "ends ", time(key.expires_at)) : null,
      ),
    ),
    isRevoked
      ? null
      : h("div", { class: "actions" }, rowButton("Revoke", `key ${about}`, revoke, "danger-text")),
  );
}
