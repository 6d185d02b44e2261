/** The dialogs of keys: a new one, its fields, its rotation, and the key itself, once. */

import { call } from "../client.js";
import { dialog } from "../dialog.js";
import { h, quoted } from "../dom.js";
import { choices, field, form } from "../form.js";
import { notify } from "../notices.js";
import { keyOnce } from "../once.js";
import {
  addressesField,
  expiryFields,
  fieldsOf,
  isSame,
  metadataField,
  nameField,
  originsField,
  scopesField,
} from "./key-fields.js";
import { limitsField } from "./limit-fields.js";

const GRACES = [
  ["0", "Stops at once"],
  ["3600", "Works for another hour"],
  ["86400", "Works for another day"],
  ["604800", "Works for another week"],
];
const ALL_AGENTS = "None: all agents";
const NEW_AGENT = "new";

const isPublishable = ({ kind }) => kind === "publishable";

/** Show a raw key until it is stored. */
export function revealKey(title, { api_key: rawKey, key }) {
  return dialog({ title }, (close) => keyOnce(rawKey, () => close(true), { key }));
}

/** `scopes` are those that an owner can give, `meters` those that are known of. */
export function createKey({ agents, agentId, scopes, meters }) {
  return dialog({ title: "New key" }, (close, goOn) => {
    const kind = choices({
      name: "kind",
      label: "Kind",
      type: "radio",
      chosen: ["secret"],
      options: [
        ["secret", "Secret", "for your servers"],
        ["publishable", "Publishable", "for a widget in a page"],
      ],
    });
    const agent = field({
      name: "agent_id",
      label: "Agent",
      options: [
        ["", ALL_AGENTS],
        ...agents.map(({ id, name }) => [id, name]),
        [NEW_AGENT, "A new agent…"],
      ],
      value: agentId ?? "",
      // It stands in a page that everybody sees: for one agent, never for all.
      missing: (values) =>
        isPublishable(values) ? "A publishable key is for one agent: choose it" : null,
    });
    kind.addEventListener("change", ({ target }) => {
      const isWidget = target.value === "publishable";
      agent.querySelector("option").textContent = isWidget ? "Choose one" : ALL_AGENTS;
    });
    let newAgent = null;
    // A second try, because the key was refused, makes no second agent.
    async function agentOf({ agent_id: id, agent_name: name }) {
      if (id !== NEW_AGENT) return id;
      if (newAgent?.name !== name.trim()) {
        newAgent = await call("createAgent", { body: { name: name.trim() } });
      }
      return newAgent.id;
    }
    return form({
      fields: [
        nameField(),
        kind,
        choices({
          name: "environment",
          label: "Environment",
          type: "radio",
          chosen: ["live"],
          options: [
            ["live", "Live", "counts for the quota"],
            ["test", "Test", "counted apart"],
          ],
          when: (values) => !isPublishable(values),
        }),
        agent,
        field({
          name: "agent_name",
          label: "The new agent's name",
          maxlength: "100",
          autocomplete: "off",
          missing: "Give the agent a name",
          when: (values) => values.agent_id === NEW_AGENT,
        }),
        scopesField(scopes, null, (values) => !isPublishable(values)),
        originsField("", isPublishable),
        addressesField(""),
        expiryFields(null),
        limitsField(null, meters),
        metadataField(null),
      ],
      label: "Create key",
      cancel: () => close(),
      async submit(values) {
        const { kind, environment } = values;
        const body = {
          kind,
          environment,
          ...fieldsOf(values, scopes),
          agent_id: await agentOf(values),
        };
        const given = Object.entries(body).filter(([, value]) => value);
        const key = await call("createKey", { body: Object.fromEntries(given) });
        goOn(
          [quoted(key.name), " is ready"],
          keyOnce(key.api_key, () => close(true), { key }),
        );
      },
    });
  });
}

/** What is stored now is what is changed: the list may be older. */
export async function changeKey({ id }, { scopes, meters }) {
  const key = await call("showKey", { path: { key_id: id } });
  return dialog({ title: ["Edit ", quoted(key.name)] }, (close) => {
    return form({
      fields: [
        nameField(key.name),
        key.kind === "publishable"
          ? originsField((key.allowed_origins ?? []).join("\n"))
          : scopesField(scopes, key.scopes),
        addressesField((key.allowed_ips ?? []).join("\n")),
        expiryFields(key.expires_at),
        limitsField(key.limits, meters),
        metadataField(key.metadata),
        choices({
          name: "is_active",
          label: "State",
          type: "radio",
          chosen: [String(key.is_active)],
          options: [
            ["true", "On"],
            ["false", "Off", "refused until it is on again"],
          ],
        }),
      ],
      label: "Save",
      cancel: () => close(),
      async submit(values) {
        const body = { ...fieldsOf(values, scopes), is_active: values.is_active === "true" };
        // Only what was changed here: what another window has changed stays.
        const changes = Object.entries(body).filter(
          ([name, value]) => !isSame(name, value, key, scopes),
        );
        if (changes.length) {
          const path = { key_id: key.id };
          await call("changeKey", { path, body: Object.fromEntries(changes) });
          notify("Saved. It counts from the next request on.");
        }
        close(true);
      },
    });
  });
}

export function rotateKey(key) {
  return dialog({ title: ["Rotate ", quoted(key.name)] }, (close, goOn) => [
    h(
      "div",
      { class: "dialog-text" },
      h(
        "p",
        {},
        "You get a new key that may do all that this one may. Choose how long the old one goes on working, so that your programs can change over.",
      ),
    ),
    form({
      fields: [
        field({
          name: "grace_seconds",
          label: "The old key",
          options: GRACES,
          value: "86400",
          autofocus: true,
        }),
      ],
      label: "Rotate",
      cancel: () => close(),
      async submit({ grace_seconds }) {
        const path = { key_id: key.id };
        const next = await call("rotateKey", {
          path,
          body: { grace_seconds: Number(grace_seconds) },
        });
        goOn(
          ["The new ", quoted(next.name)],
          keyOnce(next.api_key, () => close(true), { key: next }),
        );
      },
    }),
  ]);
}
