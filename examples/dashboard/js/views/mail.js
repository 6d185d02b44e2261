/** What links in mails lead to, and asking for one: passwords forgotten, addresses confirmed. */

import { call } from "../client.js";
import { h, show } from "../dom.js";
import { field, form } from "../form.js";
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
      }),
    ],
    label: "Send the link",
    async submit({ email }) {
      await call("forgotPassword", { body: { email: email.trim() } });
      show(
        place,
        entrance(
          { title: "Look into your inbox" },
          h(
            "p",
            {},
            `If ${email.trim()} has an account, a link to set a new password is on its way. It works once, for 30 minutes.`,
          ),
          toLogin(),
        ),
      );
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
  if (token === null) return incomplete();
  const element = form({
    fields: [
      field({
        name: "new_password",
        label: "New password",
        type: "password",
        autocomplete: "new-password",
        hint: "8 characters or more.",
        autofocus: true,
      }),
    ],
    label: "Set the password",
    async submit({ new_password }) {
      await call("resetPassword", { body: { token, new_password } });
      await session.forget("reset");
      router.navigate("/login", { replace: true });
    },
  });
  return entrance(
    { title: "Set a new password", text: "Every session of your account ends with that." },
    element,
    toLogin(),
  );
}

export async function confirmEmail(context) {
  const token = router.takeToken();
  if (token === null) return incomplete();
  // A press, and not at once: programs that look into mails follow links too.
  const element = form({
    fields: [],
    label: "Confirm",
    async submit() {
      await call("verifyEmail", { body: { token } });
      context.account = null;
      show(
        element,
        banner("good", h("p", {}, "Thank you, your address is confirmed.")),
        h("footer", {}, button("Go on", { class: "primary", onclick: () => router.navigate("/") })),
      );
    },
  });
  return entrance({ title: "Confirm your address", text: "One press, and it is yours." }, element);
}

function incomplete() {
  return entrance(
    { title: "This link is not complete" },
    h("p", {}, "Open it from the mail once more, or ask for a new one."),
    toLogin(),
  );
}
