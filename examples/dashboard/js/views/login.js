/** Logging in: the password, then the code of a second factor where there is one. */

import { call } from "../client.js";
import { h, show } from "../dom.js";
import { field, form } from "../form.js";
import { banner, button } from "../parts.js";
import * as session from "../session.js";
import { entrance } from "./entrance.js";

export async function logIn(context) {
  const place = h("div", {});
  askPassword({
    show: (head, ...content) => {
      show(place, entrance(head, ...content));
      place.querySelector("input").focus();
    },
    head: { title: "Welcome back", text: "Log in to manage your keys and see your usage." },
    note: context.farewell,
    below: [
      h("p", { class: "aside" }, h("a", { href: "/forgot-password" }, "Forgot your password?")),
      h("p", { class: "aside" }, "New here? ", h("a", { href: "/signup" }, "Make an account")),
    ],
    async enter(answer) {
      await session.open(answer);
      await context.enter();
    },
  });
  return place;
}

/**
 * The first step. `stage.show(head, ...content)` shows a step, `stage.enter(answer)` goes on with
 * the answer of the last one; `stage.email` is whose password is asked for, where that is known.
 */
export function askPassword(stage, note = stage.note) {
  const element = form({
    fields: [
      field({
        name: "login",
        label: "E-mail or username",
        autocomplete: "username",
        inputmode: "email",
        value: stage.email,
        readonly: stage.email !== undefined,
        autofocus: stage.email === undefined,
        missing: "Enter your e-mail address or your username",
      }),
      field({
        name: "password",
        label: "Password",
        type: "password",
        autocomplete: "current-password",
        autofocus: stage.email !== undefined,
        missing: "Enter your password",
      }),
    ],
    label: "Log in",
    // A wait is about the account that was named.
    waitsFor: ({ login }) => login.trim().toLowerCase(),
    async submit({ login, password }) {
      const name = login.includes("@") ? "email" : "username";
      const answer = await call("logIn", { body: { [name]: login.trim(), password } });
      if (answer.mfa_token) askCode(stage, answer.mfa_token);
      else await stage.enter(answer);
    },
  });
  stage.show(stage.head, note ? banner("warn", h("p", {}, note)) : null, element, stage.below);
}

function askCode(stage, mfaToken) {
  const element = form({
    fields: [
      field({
        name: "code",
        label: "Code",
        hint: "Six digits from your authenticator app, or one of your recovery codes.",
        autocomplete: "one-time-code",
        class: "code",
        maxlength: "20",
        missing: "Enter a code",
      }),
    ],
    label: "Verify",
    blame: (error) => (error.message === "Invalid code" ? "code" : null),
    async submit({ code }) {
      try {
        await stage.enter(await call("completeLogin", { body: { mfa_token: mfaToken, code } }));
      } catch (error) {
        const isOver = error.status === 401 && error.message !== "Invalid code";
        if (!isOver) throw error;
        askPassword(stage, "That took a little long. Please begin again with your password.");
      }
    },
  });
  stage.show(
    { title: "One more step", text: "Your password is right. Now the second factor." },
    element,
    h(
      "p",
      { class: "aside" },
      button("Back to the password", { class: "link", onclick: () => askPassword(stage, null) }),
    ),
  );
}
