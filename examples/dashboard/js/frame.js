/** The frame around the views of somebody who is logged in: navigation, name, warnings. */

import { call } from "./client.js";
import { h, icon, named, show } from "./dom.js";
import { notify, notifyFailure } from "./notices.js";
import { banner, button } from "./parts.js";
import { ApiError, config } from "./wire.js";

let element = null;
let main;
let links;
let name;
let warning;

export const isBuilt = () => element !== null;

/** Where the view goes; `views` is path → view, `leave()` logs out. */
export function build(root, views, leave) {
  if (element) return main;
  main = h("main", { id: "main", tabindex: "-1" });
  links = Object.entries(views)
    .filter(([, view]) => !view.open)
    .map(([path, view]) => h("a", { href: path }, icon(view.icon), h("span", {}, view.title)));
  name = h("div", { class: "who" });
  warning = h("section", { "aria-label": "Your address" });
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
        name,
        h(
          "button",
          {
            type: "button",
            class: "quiet square",
            "aria-label": "Log out",
            title: "Log out",
            onclick: leave,
          },
          icon("logout"),
        ),
      ),
    ),
    h("div", { class: "page" }, warning, main),
  );
  show(root, element);
  return main;
}

export function update(account) {
  show(
    name,
    h("strong", {}, named(account.name || account.username || account.email.split("@")[0])),
    h("small", {}, named(account.email)),
  );
  warning.hidden = account.email_verified;
  show(warning, account.email_verified ? null : unconfirmed(account));
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

function unconfirmed(account) {
  const resend = button("Send the mail again", {
    class: "link",
    onclick: async () => {
      resend.disabled = true;
      try {
        await call("resendVerification");
        notify(h("p", {}, "Sent. Look into the inbox of ", named(account.email), "."));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        notifyFailure(error);
      } finally {
        resend.disabled = false;
      }
    },
  });
  return banner(
    "warn slim",
    h("p", {}, "Please confirm ", named(account.email), " with the link that we sent. ", resend),
  );
}
