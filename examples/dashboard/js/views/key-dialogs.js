/** The dialogs of keys: a new one, its fields, its rotation, and the key itself, once. */

import { call } from "../client.js";
import { h } from "../dom.js";
import { choices, field, form } from "../form.js";
import { button, dialog, keyOnce, notify } from "../parts.js";

const SCOPES = [
  ["query", "Query", "ask questions"],
  ["ingest", "Ingest", "add documents"],
  ["manage", "Manage", "change agents"],
];
const ALL_SCOPES = SCOPES.map(([scope]) => scope);
const LIVES = [
  ["", "Never"],
  ["30", "In 30 days"],
  ["90", "In 90 days"],
  ["365", "In a year"],
];
const GRACES = [
  ["0", "Stops at once"],
  ["3600", "Works for another hour"],
  ["86400", "Works for another day"],
  ["604800", "Works for another week"],
];

/** Show a raw key until it is stored. */
export function revealKey(title, rawKey) {
  return dialog({ title }, (close) => once(rawKey, close));
}

function once(rawKey, close) {
  return [
    keyOnce(rawKey),
    h("footer", {}, button("I have stored it", { class: "plain", onclick: () => close(true) })),
  ];
}

export function createKey({ agents, agentId }) {
  return dialog({ title: "New key" }, (close, goOn) => {
    const origins = field({
      name: "allowed_origins",
      label: "Origins",
      type: "textarea",
      hint: "Where the page stands that uses it, such as https://www.example.com. One a line.",
      hidden: true,
    });
    const scopes = choices({
      name: "scopes",
      label: "Scopes",
      options: SCOPES,
      chosen: ALL_SCOPES,
    });
    const environment = choices({
      name: "environment",
      label: "Environment",
      type: "radio",
      chosen: ["live"],
      options: [
        ["live", "Live", "counts for the quota"],
        ["test", "Test", "counted apart"],
      ],
    });
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
    origins.hidden = true;
    kind.addEventListener("change", (event) => {
      const isPublishable = event.target.value === "publishable";
      origins.hidden = !isPublishable;
      scopes.hidden = environment.hidden = isPublishable;
    });
    return form({
      fields: [
        field({
          name: "name",
          label: "Name",
          hint: "So that you know it again: where is it used?",
          maxlength: "100",
          autofocus: true,
          autocomplete: "off",
        }),
        kind,
        environment,
        field({
          name: "agent_id",
          label: "Agent",
          options: [["", "None: all agents"], ...agents.map(({ id, name }) => [id, name])],
          value: agentId ?? "",
        }),
        scopes,
        origins,
        field({ name: "expires_at", label: "Expires", options: LIVES, value: "" }),
      ],
      label: "Create key",
      cancel: () => close(),
      async submit(values) {
        const body = { name: values.name.trim(), kind: values.kind };
        if (values.agent_id) body.agent_id = values.agent_id;
        if (values.expires_at) body.expires_at = inDays(values.expires_at);
        if (values.kind === "publishable") {
          body.allowed_origins = values.allowed_origins.split(/\s+/).filter(Boolean);
        } else {
          body.environment = values.environment;
          if (values.scopes.length < ALL_SCOPES.length) body.scopes = values.scopes;
        }
        const key = await call("createKey", { body });
        goOn(
          `“${key.name}” is ready`,
          once(key.api_key, () => close(true)),
        );
      },
    });
  });
}

const inDays = (days) => new Date(Date.now() + days * 86_400_000).toISOString();

export function changeKey(key) {
  return dialog({ title: `Edit “${key.name}”` }, (close) => {
    const isPublishable = key.kind === "publishable";
    return form({
      fields: [
        field({
          name: "name",
          label: "Name",
          value: key.name,
          maxlength: "100",
          autofocus: true,
          autocomplete: "off",
        }),
        isPublishable
          ? field({
              name: "allowed_origins",
              label: "Origins",
              type: "textarea",
              value: (key.allowed_origins ?? []).join("\n"),
              hint: "One a line.",
            })
          : choices({
              name: "scopes",
              label: "Scopes",
              options: SCOPES,
              chosen: key.scopes ?? ALL_SCOPES,
            }),
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
        const body = { name: values.name.trim(), is_active: values.is_active === "true" };
        if (isPublishable)
          body.allowed_origins = values.allowed_origins.split(/\s+/).filter(Boolean);
        else body.scopes = values.scopes.length < ALL_SCOPES.length ? values.scopes : null;
        await call("changeKey", { path: { key_id: key.id }, body });
        notify("Saved. It counts from the next request on.");
        close(true);
      },
    });
  });
}

export function rotateKey(key) {
  return dialog({ title: `Rotate “${key.name}”` }, (close, goOn) => [
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
          `The new “${next.name}”`,
          once(next.api_key, () => close(true)),
        );
      },
    }),
  ]);
}
