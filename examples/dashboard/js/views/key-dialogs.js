/** The dialogs of keys: a new one, its fields, its rotation, and the key itself, once. */

import { call } from "../client.js";
import { dialog } from "../dialog.js";
import { h, quoted } from "../dom.js";
import { choices, field, form } from "../form.js";
import { notify } from "../notices.js";
import { keyOnce } from "../once.js";

const LIVES = [
  ["", "Never"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
  ["date", "On a date…"],
];
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

const nameField = (value) =>
  field({
    name: "name",
    label: "Name",
    value,
    hint: "So that you know it again: where is it used?",
    maxlength: "100",
    autofocus: true,
    autocomplete: "off",
    missing: "Give the key a name",
  });

const originsField = (value, when) =>
  field({
    name: "allowed_origins",
    label: "Origins",
    type: "textarea",
    value,
    hint: "Where the page stands that uses it, such as https://www.example.com. One a line.",
    missing: "Give at least one origin, such as https://www.example.com",
    when,
  });

const addressesField = (value) =>
  field({
    name: "allowed_ips",
    label: "Allowed addresses",
    type: "textarea",
    rows: "2",
    value,
    optional: true,
    hint: "Addresses or networks it may be used from, such as 203.0.113.0/24. One a line; none means any.",
  });

/** `scopes` are those that can be given; without one there is nothing to choose. */
const scopesField = (scopes, chosen, when = () => true) =>
  choices({
    name: "scopes",
    label: "Scopes",
    options: scopes.map(({ name, description }) => [name, name, description]),
    chosen,
    missing: "Choose at least one scope",
    when: (values) => scopes.length > 0 && when(values),
  });

const namesOf = (scopes) => scopes.map(({ name }) => name);

/** When it ends: one of a few spans, or a moment in the browser's own time. */
function expiryFields(moment) {
  return [
    field({
      name: "expires_at",
      label: "Expires",
      options: LIVES,
      value: moment ? "date" : "",
    }),
    field({
      name: "expires_on",
      about: "expires_at",
      label: "Expires on",
      type: "datetime-local",
      value: moment ? localMoment(new Date(moment)) : null,
      missing: "Choose a date and a time",
      when: (values) => values.expires_at === "date",
    }),
  ];
}

/** As `datetime-local` has it: the time of the browser's zone, without a zone. */
function localMoment(date) {
  return new Date(date - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export function createKey({ agents, agentId, scopes }) {
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
        scopesField(scopes, namesOf(scopes), (values) => !isPublishable(values)),
        originsField("", isPublishable),
        addressesField(""),
        expiryFields(null),
      ],
      label: "Create key",
      cancel: () => close(),
      async submit(values) {
        const { kind, environment } = values;
        const body = { kind, environment, ...fieldsOf(values, scopes), agent_id: await agentOf(values) };
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

/** What both forms have in common, in the API's words. Null is what was left open. */
function fieldsOf(values, scopes) {
  const body = {
    name: values.name.trim(),
    allowed_ips: linesOf(values.allowed_ips),
    expires_at: momentOf(values),
  };
  if (values.allowed_origins !== undefined) body.allowed_origins = linesOf(values.allowed_origins);
  if (values.scopes) body.scopes = values.scopes.length < scopes.length ? values.scopes : null;
  return body;
}

function linesOf(text) {
  const lines = text.split(/[\s,]+/).filter(Boolean);
  return lines.length ? lines : null;
}

function momentOf({ expires_at: life, expires_on: moment }) {
  if (life === "date") return new Date(moment).toISOString();
  return life ? new Date(Date.now() + life * 86_400_000).toISOString() : null;
}

/** What is stored now is what is changed: the list may be older. */
export async function changeKey({ id }, scopes) {
  const key = await call("showKey", { path: { key_id: id } });
  return dialog({ title: ["Edit ", quoted(key.name)] }, (close) => {
    return form({
      fields: [
        nameField(key.name),
        key.kind === "publishable"
          ? originsField((key.allowed_origins ?? []).join("\n"))
          : scopesField(scopes, key.scopes ?? namesOf(scopes)),
        addressesField((key.allowed_ips ?? []).join("\n")),
        expiryFields(key.expires_at),
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
        const changes = Object.entries(body).filter(([name, value]) => !isSame(name, value, key, scopes));
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

/**
 * A field that shows a time to the minute has not changed its seconds, and one that shows the scopes
 * that can be given has not changed the others.
 */
function isSame(name, value, key, scopes) {
  if (name === "expires_at" && value && key.expires_at)
    return localMoment(new Date(value)) === localMoment(new Date(key.expires_at));
  if (name === "scopes") {
    const all = namesOf(scopes);
    const shown = (key.scopes ?? all).filter((scope) => all.includes(scope));
    return sorted(value ?? all) === sorted(shown);
  }
  return JSON.stringify(value) === JSON.stringify(key[name]);
}

const sorted = (list) => [...list].sort().join();

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
