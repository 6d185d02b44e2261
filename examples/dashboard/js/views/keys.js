/** API keys: made, changed, rotated, regenerated, revoked. */

import { call, callAll } from "../client.js";
import { h, icon, show } from "../dom.js";
import { date } from "../format.js";
import { badge, button, card, confirmation, emptyState, notify, pageHead, time } from "../parts.js";
import { changeKey, createKey, revealKey, rotateKey } from "./key-dialogs.js";

export async function keys() {
  const place = h("div", { class: "stack" });
  const agentId = new URLSearchParams(location.search).get("agent");
  let agents = [];

  async function refresh() {
    const [found, all] = await Promise.all([callAll("listKeys"), callAll("listAgents")]);
    agents = all;
    const shown = agentId ? found.filter((key) => key.agent_id === agentId) : found;
    const agent = agents.find(({ id }) => id === agentId);
    show(
      place,
      agent
        ? h(
            "p",
            { class: "filter" },
            "Keys of the agent ",
            badge(agent.name, "accent"),
            " ",
            h("a", { href: "/keys" }, "Show all"),
          )
        : null,
      shown.length
        ? card({}, h("ul", { class: "rows" }, shown.map(row)))
        : card(
            {},
            emptyState(
              "keys",
              "No keys here",
              "A key lets your programs speak for your account.",
              create(),
            ),
          ),
    );
  }

  const create = () =>
    button(
      "New key",
      {
        class: "primary",
        onclick: async () => (await createKey({ agents, agentId })) && refresh(),
      },
      icon("plus"),
    );

  function row(key) {
    const agent = agents.find(({ id }) => id === key.agent_id);
    const isReplaced = key.replaced_by !== null;
    const isExpired = key.expires_at !== null && new Date(key.expires_at) <= Date.now();
    return h(
      "li",
      { class: `row ${key.is_active && !isExpired ? "" : "faint"}`, "data-key": key.id },
      h(
        "div",
        { class: "grow" },
        h(
          "p",
          { class: "title" },
          h("strong", {}, key.name),
          key.is_primary ? badge("Primary", "accent") : null,
          key.environment === "test" ? badge("Test", "warn") : null,
          key.kind === "publishable" ? badge("Publishable") : null,
          agent ? badge(agent.name) : null,
          isExpired ? badge("Expired", "bad") : null,
          isReplaced ? badge("Replaced", "warn") : null,
          key.is_active ? null : badge("Off", "bad"),
        ),
        h(
          "p",
          { class: "meta" },
          h("code", {}, `${key.prefix}…`),
          h("span", {}, key.scopes ? key.scopes.join(", ") : "all scopes"),
          h("span", {}, "made ", date(key.created_at)),
          key.last_used_at
            ? h("span", {}, "used ", time(key.last_used_at))
            : h("span", {}, "never used"),
          key.expires_at && !isExpired
            ? h("span", {}, isReplaced ? "stops " : "expires ", time(key.expires_at))
            : null,
        ),
      ),
      h(
        "div",
        { class: "actions" },
        isReplaced
          ? null
          : button("Edit", {
              class: "plain small",
              onclick: async () => (await changeKey(key)) && refresh(),
            }),
        isReplaced
          ? null
          : key.is_primary
            ? button("Regenerate", { class: "plain small", onclick: () => regenerate() })
            : button("Rotate", {
                class: "plain small",
                onclick: async () => (await rotateKey(key)) && refresh(),
              }),
        button("Revoke", { class: "plain small danger-text", onclick: () => revoke(key) }),
      ),
    );
  }

  async function revoke(key) {
    const isDone = await confirmation(
      {
        title: `Revoke “${key.name}”?`,
        text: [
          `From now on every request with ${key.prefix}… is refused, on every server, at once.`,
          "This cannot be undone.",
        ],
        label: "Revoke the key",
      },
      () => call("revokeKey", { path: { key_id: key.id } }),
    );
    if (!isDone) return;
    notify(`“${key.name}” is revoked.`);
    await refresh();
  }

  async function regenerate() {
    let answer;
    const isDone = await confirmation(
      {
        title: "Regenerate the primary key?",
        text: [
          "You get a new primary key, and the old one is dead at once: programs that use it stop working until they have the new one.",
          "For a change without a gap make a second key first.",
        ],
        label: "Regenerate",
      },
      async () => {
        answer = await call("regeneratePrimaryKey");
      },
    );
    if (!isDone) return;
    await revealKey("Your new primary key", answer.api_key);
    await refresh();
  }

  await refresh();
  const hasNoPrimary = !place.querySelector(".badge.accent");
  return h(
    "div",
    {},
    pageHead(
      "API keys",
      "Your programs show one of these with each request. Treat them like passwords.",
      hasNoPrimary && !agentId
        ? button("New primary key", { class: "plain", onclick: regenerate })
        : null,
      create(),
    ),
    place,
  );
}
