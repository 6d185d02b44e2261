/** The frame around the views while there is a key: navigation, which key, a way to forget it. */

import { lock } from "./client.js";
import { h, icon, show } from "./dom.js";
import { config } from "./wire.js";

let element = null;
let main;
let links;

/** Where the view goes; `views` are those that have an `icon`, `holder` is the key's description. */
export function build(root, views, holder) {
  if (element) return main;
  main = h("main", { id: "main", tabindex: "-1" });
  links = views
    .filter((view) => view.icon)
    .map(({ path, icon: picture, title }) =>
      h("a", { href: path }, icon(picture), h("span", {}, title)),
    );
  element = h(
    "div",
    { class: "frame" },
    h(
      "aside",
      {},
      h("a", { class: "brand", href: "/" }, h("img", { src: "/icon.svg", alt: "" }), config.name),
      h("nav", { "aria-label": "Main" }, links),
      h(
        "div",
        { class: "foot" },
        h(
          "div",
          { class: "who" },
          h("strong", {}, holder.name),
          h("small", {}, h("code", {}, `${holder.prefix}…`)),
        ),
        h(
          "button",
          {
            type: "button",
            class: "quiet square",
            "aria-label": "Forget the key",
            title: "Forget the key",
            onclick: () => lock(),
          },
          icon("logout"),
        ),
      ),
    ),
    h("div", { class: "page" }, main),
  );
  show(root, element);
  return main;
}

export function mark(path) {
  for (const link of links) {
    if (link.getAttribute("href") === path) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

export function remove() {
  element = null;
}
