/** Agents: what keys can be bound to. */

import { call, callAll } from "../client.js";
import { confirmation, dialog } from "../dialog.js";
import { h, icon, named, quoted, show } from "../dom.js";
import { field, form } from "../form.js";
import { date, distinct, moment, number, plural } from "../format.js";
import { notify } from "../notices.js";
import { button, card, emptyState, pageHead, rowButton } from "../parts.js";

export async function agents() {
  const place = h("div", { class: "stack" });
  const quota = h("p", { class: "quota" });

  let turn = 0;

  async function refresh() {
    const asked = ++turn;
    const [found, keys, limits] = await Promise.all([
      callAll("listAgents"),
      callAll("listKeys"),
      call("showLimits"),
    ]);
    // A later one may have been faster.
    if (asked !== turn) return;
    const madeAt = (agent) => `made ${moment(agent.created_at)}`;
    const nameOf = distinct(found, (agent) => agent.name, madeAt);
    show(quota, `${number(found.length)} of ${number(limits.max_agents)} agents used`);
    const countOf = (agent) => keys.filter((key) => key.agent_id === agent.id).length;
    show(
      place,
      found.length
        ? h(
            "ul",
            { class: "tiles" },
            found.map((agent) => tile(agent, countOf(agent), nameOf(agent))),
          )
        : card(
            {},
            emptyState(
              "agents",
              "No agents yet",
              "An agent is one of your assistants. A key that is bound to one cannot be used for another.",
              create(),
            ),
          ),
    );
  }

  const create = () =>
    button(
      "New agent",
      { class: "primary", onclick: async () => (await edit()) && refresh() },
      icon("plus"),
    );

  function tile(agent, keys, about) {
    return h(
      "li",
      { class: "card tile", "data-agent": agent.id },
      h("div", { class: "disc" }, icon("agents")),
      h("h2", {}, named(agent.name)),
      agent.description
        ? h("p", { dir: "auto" }, agent.description)
        : h("p", { class: "muted" }, "No description"),
      h(
        "p",
        { class: "meta" },
        h("a", { href: `/keys?agent=${agent.id}` }, plural(keys, "key")),
        h("span", {}, "made ", date(agent.created_at)),
      ),
      h(
        "div",
        { class: "actions" },
        rowButton("Edit", `agent ${about}`, async () => {
          // What is stored now is what is changed: the list may be older.
          const stored = await call("showAgent", { path: { agent_id: agent.id } });
          if (await edit(stored)) await refresh();
        }),
        rowButton("Delete", `agent ${about}`, () => remove(agent, keys), "danger-text"),
      ),
    );
  }

  async function remove(agent, keys) {
    const isDone = await confirmation(
      {
        title: ["Delete ", quoted(agent.name), "?"],
        text: [
          keys ? `Its ${plural(keys, "key")} stop working at once, everywhere.` : "It has no keys.",
          "This cannot be undone.",
        ],
        label: "Delete the agent",
      },
      () => call("deleteAgent", { path: { agent_id: agent.id } }),
    );
    if (!isDone) return;
    notify(h("p", {}, quoted(agent.name), " is deleted."));
    await refresh();
  }

  await refresh();
  return h(
    "div",
    {},
    pageHead("Agents", "Your assistants. Keys can be bound to one of them.", create()),
    h("div", { class: "toolbar" }, quota),
    place,
  );
}

function edit(agent) {
  return dialog({ title: agent ? ["Edit ", quoted(agent.name)] : "New agent" }, (close) =>
    form({
      fields: [
        field({
          name: "name",
          label: "Name",
          value: agent?.name,
          maxlength: "100",
          autofocus: true,
          autocomplete: "off",
          missing: "Give the agent a name",
        }),
        field({
          name: "description",
          label: "Description",
          type: "textarea",
          value: agent?.description,
          optional: true,
          maxlength: "1000",
        }),
      ],
      label: agent ? "Save" : "Create agent",
      cancel: () => close(),
      async submit({ name, description }) {
        const body = { name: name.trim(), description: description.trim() || null };
        if (!agent) await call("createAgent", { body });
        else {
          // Only what was changed here: what another window has changed stays.
          const changes = Object.entries(body).filter(([key, value]) => value !== agent[key]);
          const path = { agent_id: agent.id };
          if (changes.length) {
            await call("changeAgent", { path, body: Object.fromEntries(changes) });
          }
        }
        close(true);
      },
    }),
  );
}
