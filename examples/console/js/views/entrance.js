/** Before there is a key: where it is asked for. */

import { open } from "../client.js";
import { h } from "../dom.js";
import { field, form } from "../form.js";
import { banner } from "../parts.js";
import { config } from "../wire.js";

/** `note` is why a key was forgotten, or null; `enter(holder)` goes on. */
export function entrance(note, enter) {
  const element = form({
    fields: [
      // No field of a password: a browser would offer to store it.
      field({
        name: "key",
        label: "Service key",
        hint: "It stays in this tab's memory: a reload, or 15 minutes without a press, forgets it.",
        class: "code masked",
        autocomplete: "off",
        missing: "Paste a service key",
      }),
      field({
        name: "metrics",
        label: "Token of /metrics",
        hint: "Only where RAGAUTH_METRICS_TOKEN is set.",
        class: "code masked",
        autocomplete: "off",
        optional: true,
      }),
    ],
    label: "Open",
    blame: (error) => (error.status === 401 || error.status === 403 ? "key" : null),
    async submit({ key, metrics }) {
      const holder = await open(key.trim(), metrics.trim());
      element.reset();
      await enter(holder);
    },
  });
  return h(
    "div",
    { class: "panel" },
    h("div", { class: "brand" }, h("img", { src: "/icon.svg", alt: "" }), config.name),
    h("h1", { tabindex: "-1" }, "The operator's console"),
    h("p", { class: "lead" }, "Look at accounts and keys, and act for them."),
    note ? banner("warn", h("p", {}, note)) : null,
    element,
  );
}
