/** Forms: fields with their labels, and the API's faults beside the fields that they are about. */

import { h, show } from "./dom.js";
import { duration } from "./format.js";
import { banner, explain } from "./parts.js";
import { ApiError } from "./wire.js";

let ids = 0;

/** A labelled input; `options` makes it a select, `multiple` checkboxes. */
export function field({
  name,
  label,
  hint,
  type = "text",
  options,
  value,
  optional,
  ...attributes
}) {
  const id = `f${++ids}`;
  const common = { id, name, "aria-describedby": `${id}-hint ${id}-fault`, ...attributes };
  let input;
  if (options) {
    input = h(
      "select",
      common,
      options.map(([key, text]) => h("option", { value: key, selected: key === value }, text)),
    );
  } else if (type === "textarea") {
    input = h("textarea", { rows: "3", ...common }, value ?? "");
  } else {
    input = h("input", { type, value, spellcheck: "false", autocapitalize: "none", ...common });
  }
  return h(
    "div",
    { class: "field", "data-name": name },
    h("label", { for: id }, label, optional ? h("span", { class: "optional" }, " optional") : null),
    type === "password" ? withReveal(input) : input,
    h("p", { class: "hint", id: `${id}-hint` }, hint ?? ""),
    h("p", { class: "fault", id: `${id}-fault` }),
  );
}

/** Several of a few: a fieldset of checkboxes; of them one at least. */
export function choices({ name, label, hint, options, chosen, type = "checkbox" }) {
  const id = `f${++ids}`;
  return h(
    "fieldset",
    { class: `field choices ${type}`, "data-name": name, "aria-describedby": `${id}-fault` },
    h("legend", {}, label),
    h(
      "div",
      { class: "options" },
      options.map(([value, text, note]) =>
        h(
          "label",
          {},
          h("input", { type, name, value, checked: chosen.includes(value) }),
          h("span", {}, text, note ? h("small", {}, note) : null),
        ),
      ),
    ),
    h("p", { class: "hint" }, hint ?? ""),
    h("p", { class: "fault", id: `${id}-fault` }),
  );
}

function withReveal(input) {
  const reveal = h(
    "button",
    { type: "button", class: "quiet reveal", "aria-pressed": "false" },
    "Show",
  );
  reveal.addEventListener("click", () => {
    const isHidden = input.type === "password";
    input.type = isHidden ? "text" : "password";
    reveal.textContent = isHidden ? "Hide" : "Show";
    reveal.setAttribute("aria-pressed", String(isHidden));
  });
  return h("div", { class: "with-reveal" }, input, reveal);
}

/**
 * A form. `submit(values)` may reject with ApiError: issues go to the fields named in their path,
 * `blame(error)` may name the field of another fault, a rate limit counts down on the button.
 */
export function form({ fields, label, tone = "primary", submit, blame = () => null, cancel }) {
  const notice = h("div", { class: "form-notice", role: "alert" });
  const press = h("button", { type: "submit", class: tone }, h("span", {}, label));
  // POST: should this script ever fail, no password goes into an address.
  const element = h(
    "form",
    { method: "post", novalidate: true },
    notice,
    fields,
    h(
      "footer",
      {},
      cancel
        ? h("button", { type: "button", class: "plain", onclick: cancel }, h("span", {}, "Cancel"))
        : null,
      press,
    ),
  );

  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.disabled) return;
    clear();
    press.disabled = true;
    press.classList.add("busy");
    try {
      await submit(read(element));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      tell(error);
    } finally {
      press.classList.remove("busy");
      if (!press.dataset.waits) press.disabled = false;
    }
  });

  function clear() {
    show(notice);
    for (const box of element.querySelectorAll(".field")) mark(box, "");
  }

  function tell(error) {
    const left = [];
    const issues = error.issues.length
      ? error.issues
      : [{ path: [blame(error)], message: explain(error) }];
    for (const { path, message } of issues) {
      const box = [...element.querySelectorAll(".field")].find(
        (one) => one.dataset.name === path[0],
      );
      if (box) mark(box, message);
      else left.push(path[0] ? `${path[0]}: ${message}` : message);
    }
    if (left.length)
      show(
        notice,
        banner(
          error.status === 429 ? "warn" : "bad",
          left.map((line) => h("p", {}, line)),
        ),
      );
    (element.querySelector("[aria-invalid=true]") ?? press).focus();
    if (error.code === "RATE_LIMIT_EXCEEDED") wait(error.retryAfterSeconds);
  }

  /** The button says when it is of use again. */
  function wait(seconds) {
    const until = Date.now() + Math.max(1, seconds) * 1000;
    press.dataset.waits = "true";
    press.disabled = true;
    const tick = () => {
      const left = (until - Date.now()) / 1000;
      if (left > 0) {
        press.firstChild.textContent = `Wait ${duration(left)}`;
        setTimeout(tick, 500);
        return;
      }
      delete press.dataset.waits;
      press.disabled = false;
      press.firstChild.textContent = label;
      show(notice);
    };
    tick();
  }
  return element;
}

function mark(box, message) {
  box.querySelector(".fault").textContent = message;
  for (const input of box.querySelectorAll("input, select, textarea")) {
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

/** Values by name; checkboxes are lists. */
function read(element) {
  const values = {};
  for (const input of element.elements) {
    if (!input.name) continue;
    if (input.type === "checkbox") {
      values[input.name] ??= [];
      if (input.checked) values[input.name].push(input.value);
    } else if (input.type !== "radio" || input.checked) {
      values[input.name] = input.value;
    }
  }
  return values;
}
