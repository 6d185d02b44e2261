/** Signing up, and the first key on the one occasion that it is shown. */

import { call } from "../client.js";
import { h, show } from "../dom.js";
import { field, form } from "../form.js";
import { keyOnce } from "../once.js";
import * as session from "../session.js";
import { entrance } from "./entrance.js";

export async function signUp(context) {
  const place = h("div", {});
  const element = form({
    fields: [
      field({
        name: "name",
        label: "Name",
        autocomplete: "name",
        optional: true,
        autocapitalize: "words",
      }),
      field({
        name: "email",
        label: "E-mail",
        type: "email",
        autocomplete: "username",
        autofocus: true,
        missing: "Enter your e-mail address",
      }),
      field({
        name: "password",
        label: "Password",
        type: "password",
        autocomplete: "new-password",
        hint: "8 characters or more. A sentence is easier to remember than a riddle.",
        missing: "Choose a password",
      }),
    ],
    label: "Create account",
    blame: (error) => (error.status === 409 ? "email" : null),
    async submit({ name, email, password }) {
      const body = { email: email.trim(), password, name: name.trim() || null };
      const answer = await call("signUp", { body });
      await session.open(answer);
      showKey(place, context, answer.api_key);
    },
  });
  show(
    place,
    entrance(
      { title: "Create your account", text: "You get your first API key right away." },
      element,
      h("p", { class: "aside" }, "Have an account? ", h("a", { href: "/login" }, "Log in")),
    ),
  );
  return place;
}

function showKey(place, context, rawKey) {
  show(
    place,
    entrance(
      { title: "Your API key", text: "Your account is ready, and this is its first key." },
      keyOnce(rawKey, context.enter, { label: "I have stored it. Go on" }),
    ),
  );
  place.querySelector("h1").focus();
}
