/** Where it begins: which view stands at which path, and what is shown without a key. */

import { isOpen, lock, may, onLocked } from "./client.js";
import { closeDialogs } from "./dialog.js";
import { h, show } from "./dom.js";
import { keepFocus } from "./focus.js";
import * as frame from "./frame.js";
import { notifyFailure } from "./notices.js";
import { banner, button, pageHead, skeleton } from "./parts.js";
import * as router from "./router.js";
import { ApiError, config, loadConfig } from "./wire.js";
import { failure } from "./words.js";
import { account } from "./views/account.js";
import { accounts } from "./views/accounts.js";
import { entrance } from "./views/entrance.js";
import { live } from "./views/live.js";
import { webhooks } from "./views/webhooks.js";

// `needs` is a call that the key must be able to make for the view to be of use.
const VIEWS = [
  { path: "/", title: "Accounts", view: accounts, icon: "account", needs: "findAccounts" },
  { path: "/live", title: "Live", view: live, icon: "usage" },
  { path: "/webhooks", title: "Webhooks", view: webhooks, icon: "again", needs: "listWebhooks" },
  { path: "/accounts", title: "Account", view: account, needs: "showAccount", within: "/" },
];

const root = document.getElementById("app");
let holder = null;
let farewell = null;
let rendering = 0;

/** The view at the present path, and what the path names there: an account's id. */
function placeOf(path) {
  const [, first, id] = path.split("/");
  const found = VIEWS.find((view) => view.path === `/${first}` && (view.within === undefined || id));
  return [found ?? VIEWS[0], id];
}

async function render() {
  const turn = ++rendering;
  const [view, id] = placeOf(location.pathname);
  closeDialogs();
  document.title = `${isOpen() ? view.title : "Key"} · ${config.name}`;
  if (!isOpen()) {
    askForKey();
    return;
  }
  const place = frame.build(root, VIEWS, holder);
  frame.mark(view.within ?? view.path);
  show(place, skeleton());
  try {
    const element = view.needs && !may(view.needs) ? notAllowed(view) : await view.view(id);
    if (turn !== rendering || !isOpen()) return;
    show(place, element);
    scrollTo(0, 0);
    (place.querySelector("[autofocus]") ?? place.querySelector("h1"))?.focus({
      preventScroll: true,
    });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (turn === rendering && isOpen()) showFailure(place, error);
  }
}

function askForKey() {
  frame.remove();
  const place = h("main", { id: "main", class: "entrance" });
  show(root, place);
  show(
    place,
    entrance(farewell, (found) => {
      holder = found;
      farewell = null;
      return render();
    }),
  );
  place.querySelector("input").focus();
}

function notAllowed({ title }) {
  return h(
    "div",
    {},
    pageHead(title, null),
    banner("warn", h("p", {}, "This key has not the scope for it. Make one that has.")),
  );
}

function showFailure(place, error) {
  const box = h(
    "div",
    { class: "failure" },
    h("h1", { tabindex: "-1" }, "That did not load"),
    failure(error),
    button("Try again", { class: "primary", onclick: render }),
  );
  show(place, box);
  box.querySelector("h1").focus();
}

keepFocus(root);

onLocked((reason) => {
  holder = null;
  farewell = reason;
  render();
});
// Kept by the browser for its button "back": a page with a key in it is not left lying there.
addEventListener("pagehide", () => isOpen() && lock());

// A press of a button whose call fails: nothing may be lost in silence.
addEventListener("unhandledrejection", (event) => {
  if (!(event.reason instanceof ApiError)) return;
  event.preventDefault();
  if (isOpen()) notifyFailure(event.reason);
});

await loadConfig();
config.api = location.origin;
await router.start(render, () => true);
