/** The frame of what one sees before being logged in. */

import { h } from "../dom.js";
import { config } from "../wire.js";

export function entrance({ title, text }, ...children) {
  return h(
    "div",
    { class: "panel" },
    h("div", { class: "brand" }, h("img", { src: "/icon.svg", alt: "" }), config.name),
    h("h1", { tabindex: "-1" }, title),
    text ? h("p", { class: "lead" }, text) : null,
    children,
  );
}
