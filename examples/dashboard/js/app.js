/** Where it begins: which view stands at which path, who may see it, the frame around it. */

import { call } from "./client.js";
import { h, icon, show } from "./dom.js";
import { banner, button, explain, notify, skeleton } from "./parts.js";
import * as router from "./router.js";
import * as session from "./session.js";
import { ApiError, config, loadConfig } from "./wire.js";
import { account as accountView } from "./views/account.js";
import { agents } from "./views/agents.js";
import { keys } from "./views/keys.js";
import { logIn } from "./views/login.js";
import { confirmEmail, forgotPassword, resetPassword } from "./views/mail.js";
import { security } from "./views/security.js";
import { signUp } from "./views/signup.js";
import { usage } from "./views/usage.js";

// `open`: without a session. Views get the context and return an element.
const VIEWS = {
  "/login": { title: "Log in", view: logIn, open: true },
  "/signup": { title: "Sign up", view: signUp, open: true },
  "/forgot-password": { title: "Forgot password", view: forgotPassword, open: true },
  "/reset-password": { title: "Set a new password", view: resetPassword, open: true },
  "/verify-email": { title: "Confirm your address", view: confirmEmail, open: true },
  "/": { title: "Usage", view: usage, icon: "usage" },
  "/keys": { title: "API keys", view: keys, icon: "keys" },
  "/agents": { title: "Agents", view: agents, icon: "agents" },
  "/security": { title: "Security", view: security, icon: "security" },
  "/account": { title: "Account", view: accountView, icon: "account" },
};
const FAREWELLS = {
  ended: "Your session has ended, so you were logged out. Log in to go on where you were.",
  elsewhere: "You logged out in another tab.",
  suspended: "This account is suspended. Please write to support.",
  reset: "Your new password is set. Log in with it.",
  deleted: "Your account is deleted. Thank you for having been with us.",
};

const root = document.getElementById("app");
/** What views share: the account, and how to go on. */
const context = {
  account: null,
  farewell: null,
  next: "/",
  async enter() {
    context.account = await call("showAccount");
    const next = context.next;
    Object.assign(context, { farewell: null, next: "/" });
    return router.navigate(next, { replace: true });
  },
  refreshFrame: () => frame.update(),
};

const frame = {
  element: null,
  main: null,
  /** The navigation around a view of someone who is logged in. */
  build() {
    if (frame.element) return;
    frame.main = h("main", { id: "main", tabindex: "-1" });
    frame.links = Object.entries(VIEWS)
      .filter(([, view]) => !view.open)
      .map(([path, view]) => h("a", { href: path }, icon(view.icon), h("span", {}, view.title)));
    frame.name = h("div", { class: "who" });
    frame.warning = h("div", {});
    frame.element = h(
      "div",
      { class: "frame" },
      h(
        "aside",
        {},
        h("a", { class: "brand", href: "/" }, h("img", { src: "/icon.svg", alt: "" }), config.name),
        h("nav", { "aria-label": "Main" }, frame.links),
        h(
          "div",
          { class: "foot" },
          frame.name,
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
      h("div", { class: "page" }, frame.warning, frame.main),
    );
    show(root, frame.element);
    frame.update();
  },
  update() {
    const { account } = context;
    show(
      frame.name,
      h("strong", {}, account.name || account.username || account.email.split("@")[0]),
      h("small", {}, account.email),
    );
    show(frame.warning, account.email_verified ? null : unconfirmed(account));
  },
  mark(path) {
    for (const link of frame.links) {
      if (link.getAttribute("href") === path) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  },
  remove() {
    frame.element = null;
  },
};

function unconfirmed(account) {
  const resend = button("Send the mail again", {
    class: "link",
    onclick: async () => {
      resend.disabled = true;
      await guarded(async () => {
        await call("resendVerification");
        notify(`Sent. Look into the inbox of ${account.email}.`);
      });
      resend.disabled = false;
    },
  });
  return banner(
    "warn slim",
    h("p", {}, `Please confirm ${account.email} with the link that we sent. `, resend),
  );
}

let rendering = 0;

async function render() {
  const turn = ++rendering;
  const path = location.pathname in VIEWS ? location.pathname : "/";
  const view = VIEWS[path];
  document.querySelectorAll("dialog").forEach((box) => box.close());
  document.title = `${view.title} · ${config.name}`;
  const isEntrance = path === "/login" || path === "/signup";
  if (isEntrance && session.exists()) return router.navigate("/", { replace: true });
  if (!view.open && !session.exists()) {
    context.next = path;
    return router.navigate("/login", { replace: true });
  }
  await guarded(async () => {
    let place;
    if (view.open) {
      frame.remove();
      place = h("main", { id: "main", class: "entrance" });
      show(root, place);
    } else {
      context.account ??= await call("showAccount");
      if (turn !== rendering) return;
      frame.build();
      frame.mark(path);
      place = frame.main;
      show(place, skeleton());
    }
    const element = await view.view(context);
    if (turn !== rendering) return;
    show(place, element);
    place.scrollTop = 0;
    scrollTo(0, 0);
    (place.querySelector("[autofocus]") ?? place.querySelector("h1"))?.focus({
      preventScroll: true,
    });
  }, turn);
}

/** Run it; a failure of the API becomes a word to the user, with a way to try again. */
async function guarded(action, turn) {
  try {
    await action();
  } catch (error) {
    if (error instanceof session.SessionEnded) return;
    if (!(error instanceof ApiError)) throw error;
    if (turn === undefined) notify(explain(error), "bad");
    else if (turn === rendering) showFailure(error);
  }
}

function showFailure(error) {
  const again = button("Try again", { class: "primary", onclick: render });
  const box = h(
    "div",
    { class: "failure" },
    h("h1", { tabindex: "-1" }, "That did not load"),
    h("p", {}, explain(error)),
    again,
  );
  if (frame.element) return show(frame.main, box);
  show(root, h("main", { id: "main", class: "entrance" }, h("div", { class: "panel" }, box)));
}

async function leave() {
  const isTold = await session.logOut();
  if (!isTold)
    notify(
      "You are logged out here. The server could not be told, so its session ends by itself.",
      "warn",
    );
}

session.listen({
  ended(reason, isOwn) {
    const path = location.pathname;
    context.account = null;
    context.farewell = FAREWELLS[reason === "logged_out" && !isOwn ? "elsewhere" : reason] ?? null;
    if (VIEWS[path]?.open) return;
    context.next = reason === "ended" || !isOwn ? path : "/";
    router.navigate("/login", { replace: true });
  },
  opened() {
    context.account = null;
    if (location.pathname === "/login" || !VIEWS[location.pathname]?.open) {
      frame.remove();
      router.navigate(location.pathname === "/login" ? context.next : location.pathname, {
        replace: true,
      });
    }
  },
});

// A press of a button whose call fails: nothing may be lost in silence.
addEventListener("unhandledrejection", (event) => {
  const error = event.reason;
  if (error instanceof session.SessionEnded) event.preventDefault();
  else if (error instanceof ApiError) {
    event.preventDefault();
    notify(explain(error), error.status === 429 ? "warn" : "bad");
  }
});

await loadConfig();
await router.start(render);
