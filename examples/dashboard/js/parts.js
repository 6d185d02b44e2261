/** The pieces that several views are made of. */

import { h, icon, show } from "./dom.js";
import { duration, moment, relative } from "./format.js";

/** A short word at the edge of the window, read out by screen readers. */
export function notify(message, tone = "good") {
  const box = h(
    "div",
    { class: `notice ${tone}` },
    icon(tone === "good" ? "check" : "warning"),
    h("p", {}, message),
  );
  box.append(
    h(
      "button",
      {
        type: "button",
        class: "quiet square",
        "aria-label": "Dismiss",
        onclick: () => box.remove(),
      },
      icon("close"),
    ),
  );
  document.getElementById("notices").append(box);
  setTimeout(() => box.remove(), tone === "good" ? 6_000 : 12_000);
}

/** What to say of a failure that is no fault of a field. */
export function explain(error) {
  if (error.code === "RATE_LIMIT_EXCEEDED") {
    return error.retryAfterSeconds > 1
      ? `That was a little too often. Please try again in ${duration(error.retryAfterSeconds)}.`
      : "It is busy here just now. Please try again in a moment.";
  }
  if (error.code === "USAGE_LIMIT_EXCEEDED" && error.details.limit) {
    const what = error.details.limit === "max_agents" ? "agents" : "live API keys";
    return `Your plan has room for ${error.details.size} ${what}, and all are in use. Remove one, or move to a larger plan.`;
  }
  if (error.reason === "account_suspended") {
    return "This account is suspended. Please write to support.";
  }
  if (error.status === 503) return "The service is catching its breath. Please try again shortly.";
  if (error.code === "INTERNAL_ERROR") {
    return `Something went wrong on the server. If it stays, tell support this: ${error.requestId ?? "no request id"}`;
  }
  return error.message;
}

export function banner(tone, ...children) {
  return h(
    "div",
    { class: `banner ${tone}`, role: tone === "bad" ? "alert" : null },
    icon(tone === "good" ? "check" : "warning"),
    h("div", {}, children),
  );
}

export function button(label, properties = {}, ...before) {
  return h("button", { type: "button", ...properties }, before, h("span", {}, label));
}

export function badge(text, tone = "") {
  return h("span", { class: `badge ${tone}` }, text);
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
    h("h3", {}, title),
    h("p", {}, text),
    actions,
  );
}

/** Grey bars where a list will be. */
export function skeleton(rows = 4) {
  return h(
    "div",
    { class: "skeleton", "aria-hidden": "true" },
    Array.from({ length: rows }, () => h("div", { class: "bar" })),
  );
}

/** A value that can be copied whole with one press. */
export function copyField(label, value) {
  const said = h("span", { class: "said", role: "status" });
  const text = h("code", { tabindex: "0", "aria-label": label }, value);
  const press = button("Copy", { class: "primary", onclick: copy }, icon("copy"));
  async function copy() {
    try {
      await navigator.clipboard.writeText(value);
      show(press, icon("check"), h("span", {}, "Copied"));
      said.textContent = `${label} copied`;
    } catch {
      // The browser did not let us: leave it selected for the keyboard.
      getSelection().selectAllChildren(text);
      said.textContent = "Press Ctrl+C to copy what is selected";
    }
  }
  return h("div", { class: "copy-field" }, text, press, said);
}

/** A raw key, on the one occasion that it can be seen. */
export function keyOnce(rawKey) {
  return h(
    "div",
    { class: "key-once" },
    copyField("API key", rawKey),
    banner(
      "warn",
      h(
        "p",
        {},
        "This is the only time that the key is shown. Only its fingerprint is stored, so nobody can look it up later. Put it into your secret store now.",
      ),
    ),
  );
}

/**
 * A modal dialog; `body(close, goOn)` gives its content, and `goOn(title, ...content)` replaces it
 * with that of a next step. Resolves to what `close` was called with, or to undefined when it was
 * dismissed.
 */
export function dialog({ title }, body) {
  return new Promise((resolve) => {
    const box = h("dialog", { "aria-labelledby": "dialog-title" });
    let result;
    const close = (value) => {
      result = value;
      box.close();
    };
    const replace = (newTitle, ...content) =>
      show(
        box,
        h(
          "header",
          {},
          h("h2", { id: "dialog-title" }, newTitle),
          h(
            "button",
            {
              type: "button",
              class: "quiet square",
              "aria-label": "Close",
              onclick: () => close(),
            },
            icon("close"),
          ),
        ),
        content,
      );
    const goOn = (...step) => {
      replace(...step);
      box.querySelector("form input, .copy-field button, footer button")?.focus();
    };
    replace(title, body(close, goOn));
    box.addEventListener("close", () => {
      box.remove();
      resolve(result);
    });
    // Escape must not throw away a key that is shown once. A second press sends no `cancel`.
    const holds = (event) => {
      const isEscape = event.type === "cancel" || event.key === "Escape";
      if (isEscape && box.querySelector(".key-once")) event.preventDefault();
    };
    box.addEventListener("cancel", holds);
    box.addEventListener("keydown", holds);
    document.body.append(box);
    box.showModal();
  });
}

/** Ask before something that cannot be undone; `act` runs while the dialog waits. */
export function confirmation({ title, text, label, tone = "danger" }, act) {
  return dialog({ title }, (close) => {
    const fault = h("div", { role: "alert" });
    const go = button(label, {
      class: tone,
      onclick: async () => {
        go.disabled = true;
        try {
          await act();
          close(true);
        } catch (error) {
          go.disabled = false;
          if (error.status === undefined) throw error;
          show(fault, banner("bad", h("p", {}, explain(error))));
        }
      },
    });
    return [
      h(
        "div",
        { class: "dialog-text" },
        text.map((line) => h("p", {}, line)),
        fault,
      ),
      h(
        "footer",
        {},
        button("Cancel", { class: "plain", autofocus: true, onclick: () => close() }),
        go,
      ),
    ];
  });
}
