/** The pieces that several views are made of. */

import { h, icon, named, show } from "./dom.js";
import { moment, relative } from "./format.js";

export function banner(tone, ...children) {
  return h(
    "div",
    { class: `banner ${tone}` },
    icon(tone === "good" ? "check" : "warning"),
    h("div", {}, children),
  );
}

export function button(label, properties = {}, ...before) {
  return h("button", { type: "button", ...properties }, before, h("span", {}, label));
}

/** The button of a row: `label` is what it shows, `about` what a screen reader adds. */
export function rowButton(label, about, onclick, tone = "") {
  return button(label, {
    class: `plain small ${tone}`,
    "aria-label": `${label} ${about}`,
    onclick,
  });
}

export function badge(text, tone = "") {
  return h("span", { class: `badge ${tone}` }, named(text));
}

export function time(value) {
  return h("time", { datetime: value, title: moment(value) }, relative(value));
}

/** A card with a heading; `aside` stands at its right end. */
export function card({ title, text, aside, tone = "", id }, ...children) {
  return h(
    "section",
    { class: `card ${tone}`, id },
    title
      ? h("header", {}, h("div", {}, h("h2", {}, title), text ? h("p", {}, text) : null), aside)
      : null,
    children,
  );
}

export function pageHead(title, text, ...actions) {
  return h(
    "header",
    { class: "page-head" },
    h("div", {}, h("h1", { tabindex: "-1" }, title), text ? h("p", {}, text) : null),
    actions.length ? h("div", { class: "actions" }, actions) : null,
  );
}

export function emptyState(name, title, text, ...actions) {
  return h(
    "div",
    { class: "empty" },
    h("div", { class: "disc" }, icon(name)),
    h("h2", {}, title),
    h("p", {}, text),
    actions,
  );
}

/** A table that scrolls sideways where it is wider than its place; `label` names it. */
export function scrolling(label, table) {
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, table);
}

/** Grey bars where a list will be. */
export function skeleton(rows = 4) {
  return h(
    "div",
    { class: "skeleton", "aria-hidden": "true" },
    Array.from({ length: rows }, () => h("div", { class: "bar" })),
  );
}

/** A value that can be copied whole with one press; `onCopied` is called when it was. */
export function copyField(label, value, onCopied) {
  const text = h("code", { tabindex: "0", "aria-label": label, role: "textbox", "aria-readonly": "true" }, value);
  const blocked = () => getSelection().selectAllChildren(text);
  // What is to be copied now is more than a convenience.
  const tone = onCopied ? "primary" : "plain";
  const press = copyButton(label, value, { onCopied, blocked, tone });
  return h("div", { class: "copy-field" }, text, press);
}

/** `blocked()` selects the value: what is called where a page may not write the clipboard. */
export function copyButton(label, value, { onCopied = () => {}, blocked, tone = "plain" }) {
  const said = h("span", { class: "said", role: "status" });
  const press = button("Copy", { class: tone, onclick: copy }, icon("copy"));
  async function copy() {
    try {
      await navigator.clipboard.writeText(value);
      show(press, icon("check"), h("span", {}, "Copied"));
      said.textContent = `${label} copied`;
      onCopied();
    } catch {
      blocked();
      said.textContent = "Press Ctrl+C to copy what is selected";
    }
  }
  return [press, said];
}

/** Put a file where the browser puts downloads. */
export function saveFile(file) {
  const address = URL.createObjectURL(file);
  h("a", { href: address, download: file.name }).click();
  // The browser reads it after this turn.
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
