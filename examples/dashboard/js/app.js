/** Where it begins: which view stands at which path, who may see it, what happens at the end. */

import { call, goOnWith } from "./client.js";
import { closeDialogs } from "./dialog.js";
import { h, show } from "./dom.js";
import * as frame from "./frame.js";
import { notify, notifyFailure } from "./notices.js";
import { isUnstored } from "./once.js";
import { button, skeleton } from "./parts.js";
import * as router from "./router.js";
import * as session from "./session.js";
import { ApiError, config, loadConfig } from "./wire.js";
import { failure } from "./words.js";
import { account as accountView } from "./views/account.js";
import { logInAgain, stopAsking } from "./views/again.js";
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
  refreshFrame: () => frame.update(context.account),
};

let rendering = 0;

async function render() {
  const turn = ++rendering;
  const path = location.pathname in VIEWS ? location.pathname : "/";
  const view = VIEWS[path];
  closeDialogs();
  document.title = `${view.title} · ${config.name}`;
  const isEntrance = path === "/login" || path === "/signup";
  if (isEntrance && session.exists()) return router.navigate("/", { replace: true });
  if (!view.open && !session.exists()) {
    context.next = path;
    return router.navigate("/login", { replace: true });
  }
  try {
    let place;
    if (view.open) {
      frame.remove();
      place = h("main", { id: "main", class: "entrance" });
      show(root, place);
    } else {
      context.account ??= await call("showAccount");
      if (turn !== rendering) return;
      place = frame.build(root, VIEWS, leave);
      frame.update(context.account);
      frame.mark(path);
      show(place, skeleton());
    }
    const element = await view.view(context);
    if (turn !== rendering) return;
    show(place, element);
    scrollTo(0, 0);
    (place.querySelector("[autofocus]") ?? place.querySelector("h1"))?.focus({
      preventScroll: true,
    });
  } catch (error) {
    if (error instanceof session.SessionEnded) return;
    if (!(error instanceof ApiError)) throw error;
    if (turn === rendering) showFailure(error);
  }
}

/** A word to the user, with a way to try again. */
function showFailure(error) {
  const again = button("Try again", { class: "primary", onclick: render });
  const box = h(
    "div",
    { class: "failure" },
    h("h1", { tabindex: "-1" }, "That did not load"),
    failure(error),
    again,
  );
  const place = document.querySelector(".frame main");
  if (place) show(place, box);
  else {
    show(root, h("main", { id: "main", class: "entrance" }, h("div", { class: "panel" }, box)));
  }
  box.querySelector("h1").focus();
}

async function leave() {
  const isTold = await session.logOut();
  if (!isTold)
    notify(
      "You are logged out here. The server could not be told, so its session ends by itself.",
      "warn",
    );
}

/** To the login, and from there back to a path. */
function showLogin(farewell, next) {
  Object.assign(context, { account: null, farewell, next });
  return router.navigate("/login", { replace: true });
}

let asking = null;

/** Ask for the password over what is shown. Resolves to whether the same account is back. */
function askAgain() {
  asking ??= (async () => {
    const { id, email } = context.account;
    const isBack = await logInAgain(email);
    asking = null;
    if (isBack && session.accountId() === id) return true;
    if (isBack) {
      context.account = null;
      router.navigate("/", { replace: true });
    } else showLogin(FAREWELLS.ended, location.pathname);
    return false;
  })();
  return asking;
}

goOnWith(() => asking ?? Promise.resolve(false));

session.listen({
  ended(reason, isOwn) {
    const path = location.pathname;
    const isOver = reason !== "ended";
    if (!isOver && frame.isBuilt() && context.account) {
      askAgain();
      return;
    }
    context.account = null;
    context.farewell = FAREWELLS[reason === "logged_out" && !isOwn ? "elsewhere" : reason] ?? null;
    if (!VIEWS[path]?.open) showLogin(context.farewell, isOver && isOwn ? "/" : path);
  },
  opened() {
    if (asking) {
      stopAsking();
      return;
    }
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
    notifyFailure(error);
  }
});

await loadConfig();
await router.start(render, () => !isUnstored());
