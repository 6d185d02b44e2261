/** Agents: what keys can be bound to. */

import { call, callAll } from "../client.js";
import { h, icon, show } from "../dom.js";
import { field, form } from "../form.js";
import { date, plural } from "../format.js";
import { button, card, confirmation, dialog, emptyState, notify, pageHead } from "../parts.js";

export async function agents() {
  const place = h("div", { class: "stack" });

  async function refresh() {
    const [found, keys] = await Promise.all([callAll("listAgents"), callAll("listKeys")]);
    const countOf = (agent) => keys.filter((key) => key.agent_id === agent.id).length;
    show(
      place,
      found.length
        ? h(
            "ul",
            { class: "tiles" },
            found.map((agent) => tile(agent, countOf(agent))),
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

  function tile(agent, keys) {
    return h(
      "li",
      { class: "card tile", "data-agent": agent.id },
      h("div", { class: "disc" }, icon("agents")),
      h("h2", {}, agent.name),
      h("p", { class: agent.description ? "" : "muted" }, agent.description || "No description"),
      h(
        "p",
        { class: "meta" },
        h("a", { href: `/keys?agent=${agent.id}` }, plural(keys, "key")),
        h("span", {}, "made ", date(agent.created_at)),
      ),
      h(
        "div",
        { class: "actions" },
        button("Edit", {
          class: "plain small",
          onclick: async () => (await edit(agent)) && refresh(),
        }),
        button("Delete", { class: "plain small danger-text", onclick: () => remove(agent, keys) }),
      ),
    );
  }

  async function remove(agent, keys) {
    const isDone = await confirmation(
      {
        title: `Delete “${agent.name}”?`,
        text: [
          keys ? `Its ${plural(keys, "key")} stop working at once, everywhere.` : "It has no keys.",
          "This cannot be undone.",
        ],
        label: "Delete the agent",
      },
      () => call("deleteAgent", { path: { agent_id: agent.id } }),
    );
    if (!isDone) return;
    notify(`“${agent.name}” is deleted.`);
    await refresh();
  }

  await refresh();
  return h(
    "div",
    {},
    pageHead("Agents", "Your assistants. Keys can be bound to one of them.", create()),
    place,
  );
}

function edit(agent) {
  return dialog({ title: agent ? `Edit “${agent.name}”` : "New agent" }, (close) =>
    form({
      fields: [
        field({
          name: "name",
          label: "Name",
          value: agent?.name,
          maxlength: "100",
          autofocus: true,
          autocomplete: "off",
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
        if (agent) await call("changeAgent", { path: { agent_id: agent.id }, body });
        else await call("createAgent", { body });
        close(true);
      },
    }),
  );
}
