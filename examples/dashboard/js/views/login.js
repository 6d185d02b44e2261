/** Logging in: the password, then the code of a second factor where there is one. */

import { call } from "../client.js";
import { h, show } from "../dom.js";
import { field, form } from "../form.js";
import { banner, button } from "../parts.js";
import * as session from "../session.js";
import { entrance } from "./entrance.js";

export async function logIn(context) {
  const place = h("div", {});
  askPassword(place, context);
  return place;
}

function askPassword(place, context, note = context.farewell) {
  const fields = [
    field({
      name: "login",
      label: "E-mail or username",
      autocomplete: "username",
      inputmode: "email",
      autofocus: true,
    }),
    field({
      name: "password",
      label: "Password",
      type: "password",
      autocomplete: "current-password",
    }),
  ];
  const element = form({
    fields,
    label: "Log in",
    async submit({ login, password }) {
      const name = login.includes("@") ? "email" : "username";
      const answer = await call("logIn", { body: { [name]: login.trim(), password } });
      if (answer.mfa_token) askCode(place, context, answer.mfa_token);
      else await enter(context, answer);
    },
  });
  show(
    place,
    entrance(
      { title: "Welcome back", text: "Log in to manage your keys and see your usage." },
      note ? banner("warn", h("p", {}, note)) : null,
      element,
      h("p", { class: "aside" }, h("a", { href: "/forgot-password" }, "Forgot your password?")),
      h("p", { class: "aside" }, "New here? ", h("a", { href: "/signup" }, "Make an account")),
    ),
  );
  place.querySelector("input").focus();
}

function askCode(place, context, mfaToken) {
  const fields = [
    field({
      name: "code",
      label: "Code",
      hint: "Six digits from your authenticator app, or one of your recovery codes.",
      autocomplete: "one-time-code",
      class: "code",
      maxlength: "20",
    }),
  ];
  const element = form({
    fields,
    label: "Verify",
    blame: (error) => (error.message === "Invalid code" ? "code" : null),
    async submit({ code }) {
      try {
        await enter(context, await call("completeLogin", { body: { mfa_token: mfaToken, code } }));
      } catch (error) {
        const isOver = error.status === 401 && error.message !== "Invalid code";
        if (!isOver) throw error;
        askPassword(
          place,
          context,
          "That took a little long. Please begin again with your password.",
        );
      }
    },
  });
  show(
    place,
    entrance(
      { title: "One more step", text: "Your password is right. Now the second factor." },
      element,
      h(
        "p",
        { class: "aside" },
        button("Back to the password", {
          class: "link",
          onclick: () => askPassword(place, context, null),
        }),
      ),
    ),
  );
  place.querySelector("input").focus();
}

async function enter(context, answer) {
  await session.open(answer);
  await context.enter();
}
