/** Short words at the edge of the window, above open dialogs too, read out by screen readers. */

import { h, icon } from "./dom.js";
import { failure } from "./words.js";

const MAX_AT_ONCE = 3;
const SECONDS = { good: 6, warn: 12 };

const region = document.getElementById("notices");

/** `message` is text, or what `h()` takes as children. One that tells of a failure stays. */
export function notify(message, tone = "good") {
  const box = h(
    "div",
    { class: `notice ${tone}` },
    icon(tone === "good" ? "check" : "warning"),
    h("div", { class: "grow" }, typeof message === "string" ? h("p", {}, message) : message),
    h(
      "button",
      {
        type: "button",
        class: "quiet square",
        "aria-label": "Dismiss",
        onclick: () => remove(box),
      },
      icon("close"),
    ),
  );
  while (region.childElementCount >= MAX_AT_ONCE) region.firstElementChild.remove();
  raiseNotices();
  region.append(box);
  if (tone in SECONDS) setTimeout(() => leave(box), SECONDS[tone] * 1000);
}

/** Tell of a failure of the API. */
export function notifyFailure(error) {
  notify(failure(error), error.status === 429 ? "warn" : "bad");
}

/**
 * Into the uppermost dialog, whose outside cannot be pressed, and above it. Called when a dialog
 * opens or closes.
 */
export function raiseNotices() {
  const place = [...document.querySelectorAll("dialog[open]")].at(-1) ?? document.body;
  if (region.parentElement !== place) place.append(region);
  if (region.matches(":popover-open")) region.hidePopover();
  region.showPopover();
}

/** Not while it is being read. */
function leave(box) {
  if (box.matches(":hover, :focus-within")) setTimeout(() => leave(box), 1000);
  else remove(box);
}

function remove(box) {
  box.remove();
  if (region.childElementCount === 0 && region.matches(":popover-open")) region.hidePopover();
}
