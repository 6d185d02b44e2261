/** Forms: fields with their labels, and the faults beside the fields that they are about. */

import { h, show } from "./dom.js";
import { duration } from "./format.js";
import { banner } from "./parts.js";
import { explain, issueText, reference } from "./words.js";
import { ApiError } from "./wire.js";

let ids = 0;
// Of a field's box: `{when, missing, check}`, or of one that holds others `{isGroup, name, value}`.
const rules = new WeakMap();

/**
 * A labelled input; `options` makes it a select. `missing` is what to say where it is left empty
 * (null: it may be), or what tells that of the form's values. `when(values)` is whether the field is
 * shown, `about` the API's name for it where that is another, `check(text)` what is wrong with what is
 * filled in, or null.
 */
export function field({
  name,
  label,
  hint,
  type = "text",
  options,
  value,
  optional,
  missing = optional || options ? null : "Please fill this in",
  when,
  check = () => null,
  about = name,
  ...attributes
}) {
  const id = `f${++ids}`;
  const common = {
    id,
    name,
    dir: "auto",
    "aria-describedby": `${id}-hint ${id}-fault`,
    "aria-required": typeof missing === "string" ? "true" : null,
    ...attributes,
  };
  let input;
  if (options) {
    input = h(
      "select",
      common,
      options.map(([key, text]) =>
        h("option", { value: key, selected: key === value, dir: "auto" }, text),
      ),
    );
  } else if (type === "textarea") {
    input = h("textarea", { rows: "3", ...common });
    input.value = value ?? "";
  } else {
    input = h("input", { type, value, spellcheck: "false", autocapitalize: "none", ...common });
  }
  const box = h(
    "div",
    { class: "field", "data-name": about },
    h("label", { for: id }, label, optional ? h("span", { class: "optional" }, " optional") : null),
    type === "password" ? withReveal(input) : input,
    h("p", { class: "hint", id: `${id}-hint` }, hint ?? ""),
    h("p", { class: "fault", id: `${id}-fault` }),
  );
  rules.set(box, { when, missing, check });
  return box;
}

/**
 * A field of several: `content` has fields of its own, whose names must be theirs alone in the form.
 * `value()` is what they hold together, as `name`; left out, nothing. A fault goes to the one of them
 * that is `about` its path, joined by dots, or is shown here.
 */
export function group({ name, label, hint, value }, ...content) {
  const id = `f${++ids}`;
  const box = h(
    "fieldset",
    { class: "field group", "data-name": name, "aria-describedby": `${id}-hint ${id}-fault` },
    h("legend", {}, label),
    h("p", { class: "hint", id: `${id}-hint` }, hint ?? ""),
    content,
    h("p", { class: "fault", id: `${id}-fault`, tabindex: "-1" }),
  );
  rules.set(box, { isGroup: true, name, value, missing: null, check: () => null });
  return box;
}

/** Several of a few, or with `type: "radio"` one of a few. */
export function choices({ name, label, hint, options, chosen, type = "checkbox", missing = null, when }) {
  const id = `f${++ids}`;
  const box = h(
    "fieldset",
    {
      class: `field choices ${type}`,
      "data-name": name,
      "aria-describedby": `${id}-hint ${id}-fault`,
    },
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
    h("p", { class: "hint", id: `${id}-hint` }, hint ?? ""),
    h("p", { class: "fault", id: `${id}-fault` }),
  );
  rules.set(box, { when, missing, check: () => null });
  return box;
}

function withReveal(input) {
  const reveal = h(
    "button",
    { type: "button", class: "quiet reveal", "aria-pressed": "false", "aria-controls": input.id },
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
 * A form. `submit(values)` gets what is shown and not what is hidden, and may reject with ApiError:
 * issues go to the fields named in their path, `blame(error)` may name the field of another fault.
 * A rate limit counts down on the button; `waitsFor(values)` is what the wait is about, where it
 * does not concern every use of the form.
 */
export function form({
  fields,
  label,
  tone = "primary",
  submit,
  blame = () => null,
  cancel,
  waitsFor = () => "",
}) {
  const notice = h("div", { class: "form-notice", role: "alert", tabindex: "-1" });
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
  const boxes = () => [...element.querySelectorAll(".field")];
  const waits = new Map();
  let isBusy = false;
  let timer = 0;

  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (press.disabled) return;
    clear();
    if (isIncomplete()) return;
    isBusy = press.disabled = true;
    press.classList.add("busy");
    const values = valuesOf();
    try {
      await submit(values);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      press.classList.remove("busy");
      tell(error);
      if (error.code === "RATE_LIMIT_EXCEEDED") {
        waits.set(waitsFor(values), Date.now() + Math.max(1, error.retryAfterSeconds) * 1000);
      }
    } finally {
      isBusy = press.disabled = false;
      press.classList.remove("busy");
      showWait();
    }
  });
  element.addEventListener("change", arrange);
  element.addEventListener("input", showWait);

  /** Show the fields that what was chosen asks for. A hidden one has no value. */
  function arrange() {
    for (const box of boxes().filter((one) => rules.get(one).when)) {
      box.hidden = !rules.get(box).when(read(element));
      for (const input of inputsOf(box)) input.disabled = box.hidden;
    }
  }

  function clear() {
    show(notice);
    notice.hidden = false;
    delete notice.dataset.waits;
    for (const box of boxes()) mark(box, "");
  }

  /** Of what is shown. */
  function valuesOf() {
    const values = read(element);
    for (const box of boxes()) {
      const { name, value } = rules.get(box);
      if (value) values[name] = value();
    }
    return values;
  }

  function isIncomplete() {
    const values = read(element);
    for (const box of boxes().filter((one) => !one.hidden)) {
      const { missing, check } = rules.get(box);
      if (isFilled(box)) mark(box, check(inputsOf(box)[0]?.value));
      else mark(box, typeof missing === "function" ? missing(values) : missing);
    }
    return focusFault();
  }

  function tell(error) {
    const left = [];
    const blamed = error.issues.length ? error.issues : [{ path: [blame(error)], message: null }];
    for (const issue of blamed) {
      const [box, depth] = placeOf(issue.path);
      const text = issue.message === null ? explain(error) : issueText(issue, depth);
      if (box) mark(box, text);
      else left.push(issue.message && issue.path[0] ? `${issue.path[0]}: ${text}` : text);
    }
    show(
      notice,
      left.length
        ? banner(
            error.status === 429 ? "warn" : "bad",
            left.map((line) => h("p", {}, line)),
            reference(error),
          )
        : reference(error),
    );
    if (error.code === "RATE_LIMIT_EXCEEDED") notice.dataset.waits = "true";
    if (!focusFault()) notice.focus();
  }

  /** The field that a path leads to, or whose part it leads to, and how much of the path that is. */
  function placeOf(path) {
    for (let depth = path.length; depth > 0; depth -= 1) {
      const about = path.slice(0, depth).join(".");
      const box = boxes().find((one) => one.dataset.name === about && !one.hidden);
      if (box) return [box, depth];
    }
    return [null, 1];
  }

  function focusFault() {
    const input = element.querySelector("[aria-invalid=true], .group > .fault:not(:empty)");
    input?.focus();
    return input !== null;
  }

  /** The button says when it is of use again. */
  function showWait() {
    clearTimeout(timer);
    if (isBusy) return;
    const left = ((waits.get(waitsFor(read(element))) ?? 0) - Date.now()) / 1000;
    press.disabled = left > 0;
    press.firstChild.textContent = left > 0 ? `Wait ${duration(left)}` : label;
    if (notice.dataset.waits) notice.hidden = left <= 0;
    if (left > 0) timer = setTimeout(showWait, 500);
  }

  arrange();
  return element;
}

const inputsOf = (box) => [...box.querySelectorAll("input, select, textarea")];

function isFilled(box) {
  return inputsOf(box).some((input) =>
    ["checkbox", "radio"].includes(input.type)
      ? input.checked
      : (input.type === "password" ? input.value : input.value.trim()) !== "",
  );
}

function mark(box, message) {
  show(box.querySelector(":scope > .fault"), message || null);
  for (const input of rules.get(box).isGroup ? [] : inputsOf(box)) {
    if (message) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

/** Values by name; checkboxes are lists. */
function read(element) {
  const values = {};
  for (const input of element.elements) {
    if (!input.name || input.disabled) continue;
    if (input.type === "checkbox") {
      values[input.name] ??= [];
      if (input.checked) values[input.name].push(input.value);
    } else if (input.type !== "radio" || input.checked) {
      values[input.name] = input.value;
    }
  }
  return values;
}
