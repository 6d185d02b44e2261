/** What links in mails lead to, and asking for one: passwords forgotten, addresses confirmed. */

import { call } from "../client.js";
import { h, named, show } from "../dom.js";
import { field, form } from "../form.js";
import { notify } from "../notices.js";
import { banner, button } from "../parts.js";
import * as router from "../router.js";
import * as session from "../session.js";
import { entrance } from "./entrance.js";

const toLogin = () => h("p", { class: "aside" }, h("a", { href: "/login" }, "Back to log in"));

export async function forgotPassword() {
  const place = h("div", {});
  const element = form({
    fields: [
      field({
        name: "email",
        label: "E-mail",
        type: "email",
        autocomplete: "username",
        autofocus: true,
        missing: "Enter your e-mail address",
      }),
    ],
    label: "Send the link",
    waitsFor: ({ email }) => email.trim().toLowerCase(),
    async submit({ email }) {
      await call("forgotPassword", { body: { email: email.trim() } });
      show(
        place,
        entrance(
          { title: "Look into your inbox" },
          h(
            "p",
            {},
            "If ",
            named(email.trim()),
            " has an account, a link to set a new password is on its way. It works once, for 30 minutes.",
          ),
          toLogin(),
        ),
      );
      place.querySelector("h1").focus();
    },
  });
  show(
    place,
    entrance(
      { title: "Forgot your password?", text: "We send you a link to set a new one." },
      element,
      toLogin(),
    ),
  );
  return place;
}

export async function resetPassword() {
  const token = router.takeToken();
  if (token === null) return incomplete(askForReset());
  const place = h("div", {});
  const element = form({
    fields: [
      field({
        name: "new_password",
        label: "New password",
        type: "password",
        autocomplete: "new-password",
        hint: "8 characters or more.",
        autofocus: true,
        missing: "Choose a password",
      }),
    ],
    label: "Set the password",
    async submit({ new_password }) {
      try {
        await call("resetPassword", { body: { token, new_password } });
      } catch (error) {
        if (!isDeadLink(error)) throw error;
        deadLink(place, askForReset());
        return;
      }
      await session.forget("reset");
      router.navigate("/login", { replace: true });
    },
  });
  show(
    place,
    entrance(
      { title: "Set a new password", text: "Every session of your account ends with that." },
      element,
      toLogin(),
    ),
  );
  return place;
}

export async function confirmEmail(context) {
  const token = router.takeToken();
  if (token === null) return incomplete(askForConfirmation(context));
  const place = h("div", {});
  // A press, and not at once: programs that look into mails follow links too.
  const element = form({
    fields: [],
    label: "Confirm",
    async submit() {
      try {
        await call("verifyEmail", { body: { token } });
      } catch (error) {
        if (!isDeadLink(error)) throw error;
        deadLink(place, askForConfirmation(context));
        return;
      }
      context.account = null;
      const goOn = () => router.navigate("/");
      show(
        place,
        entrance(
          { title: "Thank you" },
          banner("good", h("p", {}, "Your address is confirmed.")),
          h("footer", { class: "single" }, button("Go on", { class: "primary", onclick: goOn })),
        ),
      );
      place.querySelector("h1").focus();
    },
  });
  show(
    place,
    entrance({ title: "Confirm your address", text: "One press, and it is yours." }, element),
  );
  return place;
}

/** A token that was used, has expired, or is none. */
const isDeadLink = (error) =>
  error.status === 401 || error.issues.some(({ path }) => path[0] === "token");

function deadLink(place, ...ways) {
  show(
    place,
    entrance(
      { title: "This link was used or is too old" },
      h("p", {}, "Each link works once and for a short time. Ask for a new one."),
      ways,
      toLogin(),
    ),
  );
  place.querySelector("h1").focus();
}

function incomplete(...ways) {
  return entrance(
    { title: "This link is not complete" },
    h("p", {}, "Open it from the mail once more, or ask for a new one."),
    ways,
    toLogin(),
  );
}

const single = (label, onclick) =>
  h("footer", { class: "single" }, button(label, { class: "primary", onclick }));

const askForReset = () =>
  single("Send me a new link", () => router.navigate("/forgot-password"));

/** Only who is logged in can ask for it: anybody else could have a stranger's inbox filled. */
function askForConfirmation(context) {
  if (!session.exists()) {
    return single("Log in to get a new link", () => router.navigate("/login"));
  }
  return single("Send me a new link", async () => {
    context.account = await call("showAccount");
    if (context.account.email_verified) {
      notify("Your address is confirmed already. To change it, begin again here.", "warn");
      router.navigate("/account");
      return;
    }
    await call("resendVerification");
    notify(h("p", {}, "Sent. Look into the inbox of ", named(context.account.email), "."));
    router.navigate("/");
  });
}
