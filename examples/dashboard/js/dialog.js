/** Modal dialogs, and the question before what cannot be undone. */

import { h, icon, show } from "./dom.js";
import { raiseNotices } from "./notices.js";
import { isUnstored } from "./once.js";
import { banner, button } from "./parts.js";
import { failure } from "./words.js";

let ids = 0;

/**
 * A modal dialog; `body(close, goOn)` gives its content, and `goOn(title, ...content)` replaces it
 * with that of a next step. Resolves to what `close` was called with, or to undefined when it was
 * dismissed. A `firm` one is closed by its own buttons alone, and so is one that shows a secret.
 */
export function dialog({ title, firm = false }, body) {
  return new Promise((resolve) => {
    const id = `dialog-${++ids}`;
    const box = h("dialog", { "aria-labelledby": id, class: firm ? "firm" : null });
    let result;
    const close = (value) => {
      result = value;
      shut(box);
    };
    const replace = (newTitle, ...content) =>
      show(
        box,
        h(
          "header",
          {},
          h("h2", { id, tabindex: "-1" }, newTitle),
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
    // To what is to be filled in, else to the heading: a second Enter must press nothing.
    const goOn = (...step) => {
      replace(...step);
      raiseNotices();
      const places = ["[autofocus]", "form input", "h2"];
      places.map((place) => box.querySelector(place)).find(Boolean).focus();
    };
    replace(title, body(close, goOn));
    const leave = () => {
      box.remove();
      raiseNotices();
      resolve(result);
    };
    box.addEventListener("close", leave, { once: true });
    // A second press of Escape sends no `cancel`.
    const holds = (event) => {
      const isEscape = event.type === "cancel" || event.key === "Escape";
      if (isEscape && (firm || box.querySelector(".key-once"))) event.preventDefault();
    };
    box.addEventListener("cancel", holds);
    box.addEventListener("keydown", holds);
    document.body.append(box);
    box.showModal();
    raiseNotices();
  });
}

/** Close what is open, except what shows a secret that is not stored yet. */
export function closeDialogs() {
  for (const box of document.querySelectorAll("dialog")) if (!isUnstored(box)) shut(box);
}

/** At once: the browser's own event comes only when it draws the page, so not in a hidden window. */
function shut(box) {
  box.close();
  box.dispatchEvent(new Event("close"));
}

/** Ask before something that cannot be undone; `act` runs while the dialog waits. */
export function confirmation({ title, text, label, tone = "danger" }, act) {
  return dialog({ title }, (close) => {
    const fault = h("div", { role: "alert", tabindex: "-1" });
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
          show(fault, banner("bad", failure(error)));
          fault.focus();
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
