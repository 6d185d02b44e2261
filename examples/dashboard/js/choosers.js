/** How one of a few, or of many, is chosen above what it changes. */

import { h, show } from "./dom.js";

/** A select whose options change; `onChosen(value)`. */
export function picker(label, onChosen) {
  const element = h("select", { "aria-label": label, onchange: () => onChosen(element.value) });
  return {
    element,
    fill(options, chosen) {
      show(
        element,
        options.map(([value, text]) =>
          h("option", { value, selected: value === chosen, dir: "auto" }, text),
        ),
      );
    },
  };
}

/** A few choices side by side, `[[value, text]]`; `mark(value)` shows which one holds. */
export function segments(label, options, onChosen) {
  const presses = options.map(([value, text]) =>
    h("button", { type: "button", onclick: () => onChosen(value) }, text),
  );
  return {
    element: h("div", { class: "segments", role: "group", "aria-label": label }, presses),
    mark: (chosen) =>
      options.forEach(([value], index) =>
        presses[index].setAttribute("aria-pressed", String(value === chosen)),
      ),
  };
}
