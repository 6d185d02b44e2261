/** Logging in again over a page whose session has ended, so that nothing on it is lost. */

import { dialog } from "../dialog.js";
import { h } from "../dom.js";
import { button } from "../parts.js";
import * as session from "../session.js";
import { askPassword } from "./login.js";

let dismiss = () => {};

/** Resolves to true once somebody is logged in, in this tab or another, else to undefined. */
export function logInAgain(email) {
  return dialog({ title: "Your session has ended", firm: true }, (close, goOn) => {
    dismiss = close;
    const first = h("div", { class: "again" });
    const stage = {
      show({ title, text }, ...content) {
        const lead = h("p", { class: "dialog-text" }, text);
        // The first time the dialog is only being made.
        if (first.isConnected || first.childElementCount) goOn(title, lead, ...content);
        else first.append(...[lead, content].flat(2).filter(Boolean));
      },
      head: {
        title: "Your session has ended",
        text: "Log in again to go on: all that you typed is still here.",
      },
      email,
      below: [
        h(
          "p",
          { class: "aside" },
          button("Log in as somebody else", { class: "link", onclick: () => close() }),
        ),
      ],
      async enter(answer) {
        await session.open(answer);
        close(true);
      },
    };
    askPassword(stage);
    return first;
  });
}

/** Another tab has logged in. */
export function stopAsking() {
  dismiss(true);
}
