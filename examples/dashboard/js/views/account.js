/** The account: profile, address, all that is held of it, leaving. */

import { call } from "../client.js";
import { dialog } from "../dialog.js";
import { h, icon, named } from "../dom.js";
import { field, form } from "../form.js";
import { date } from "../format.js";
import { notify } from "../notices.js";
import { badge, button, card, pageHead, saveFile } from "../parts.js";
import * as session from "../session.js";

export async function account(context) {
  // Another browser may have changed it, or a link in a mail.
  context.account = await call("showAccount");
  context.refreshFrame();
  const limits = await call("showLimits");
  return h(
    "div",
    {},
    pageHead("Account", [named(context.account.email), `, since ${date(context.account.created_at)}`]),
    h(
      "div",
      { class: "stack" },
      profile(context),
      address(context),
      mails(limits.limit_mails),
      data(),
      leaving(),
    ),
  );
}

function profile(context) {
  return card(
    { title: "Profile", text: "How you are called here" },
    form({
      fields: [
        h(
          "div",
          { class: "pair" },
          field({
            name: "name",
            label: "Name",
            value: context.account.name,
            optional: true,
            autocomplete: "name",
            autocapitalize: "words",
          }),
          field({
            name: "username",
            label: "Username",
            value: context.account.username,
            optional: true,
            autocomplete: "username",
            hint: "3 to 50 letters and digits. You can log in with it.",
          }),
        ),
      ],
      label: "Save",
      blame: (error) => (error.status === 409 ? "username" : null),
      async submit({ name, username }) {
        const body = { name: name.trim() || null, username: username.trim() || null };
        context.account = await call("changeAccount", { body });
        context.refreshFrame();
        notify("Your profile is saved.");
      },
    }),
  );
}

function address(context) {
  const { email, email_verified: isConfirmed } = context.account;
  const element = form({
    fields: [
      h(
        "div",
        { class: "pair" },
        field({
          name: "new_email",
          label: "New address",
          type: "email",
          autocomplete: "email",
          missing: "Enter the new address",
        }),
        field({
          name: "password",
          label: "Your password",
          type: "password",
          autocomplete: "current-password",
          missing: "Enter your password",
        }),
      ),
    ],
    label: "Change address",
    tone: "plain",
    blame: blamePassword("password"),
    async submit({ new_email, password }) {
      await call("changeEmail", { body: { new_email: new_email.trim(), password } });
      element.reset();
      notify(
        h(
          "p",
          {},
          "We sent a link to ",
          named(new_email.trim()),
          ". The change takes effect when you follow it.",
        ),
      );
    },
  });
  return card(
    {
      title: "E-mail",
      text: named(email),
      aside: isConfirmed ? badge("Confirmed", "good") : badge("Not confirmed", "warn"),
    },
    element,
  );
}

const blamePassword = (name) => (error) =>
  error.status === 401 ? name : error.status === 409 ? "new_email" : null;

function mails(isOn) {
  const box = h("input", {
    type: "checkbox",
    role: "switch",
    checked: isOn,
    onchange: async () => {
      box.disabled = true;
      try {
        await call("changeAccount", { body: { limit_mails: box.checked } });
        isOn = box.checked;
        notify(box.checked ? "You will get these mails." : "You will get no more of these mails.");
      } finally {
        box.checked = isOn;
        box.disabled = false;
        box.focus();
      }
    },
  });
  return card(
    { title: "Mails about limits", text: "So that no program of yours stops without a word" },
    h(
      "label",
      { class: "toggle" },
      box,
      h("span", {}, "Mail me when 80 % and when 100 % of a daily or monthly limit are used"),
    ),
  );
}

function data() {
  const press = button(
    "Download",
    {
      class: "plain",
      onclick: async () => {
        press.disabled = true;
        try {
          saveFile(await call("exportAccount"));
        } finally {
          press.disabled = false;
        }
      },
    },
    icon("download"),
  );
  return card({
    title: "Your data",
    text: "Everything that is held of your account, as a file of JSON",
    aside: press,
  });
}

function leaving() {
  const ask = () =>
    dialog({ title: "Delete your account?" }, (close) => [
      h(
        "div",
        { class: "dialog-text" },
        h(
          "p",
          {},
          "All your keys and sessions are dead at once, and your data are erased. This cannot be undone.",
        ),
      ),
      form({
        fields: [
          field({
            name: "password",
            label: "Your password",
            type: "password",
            autocomplete: "current-password",
            autofocus: true,
            missing: "Enter your password",
          }),
        ],
        label: "Delete my account",
        tone: "danger",
        blame: blamePassword("password"),
        cancel: () => close(),
        async submit(body) {
          await call("deleteAccount", { body });
          close();
          await session.forget("deleted");
        },
      }),
    ]);
  return card({
    title: "Delete account",
    text: "Ends every key and session, for good",
    aside: button("Delete…", { class: "plain danger-text", onclick: ask }),
  });
}
