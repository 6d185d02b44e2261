/** Security: password and second factor, where the account is logged in, what happened to it. */

import { call, callAll, callPage } from "../client.js";
import { confirmation } from "../dialog.js";
import { h, named, show } from "../dom.js";
import { eventRow } from "../event-row.js";
import { field, form } from "../form.js";
import { device, distinct, moment, plural } from "../format.js";
import { notify } from "../notices.js";
import { badge, button, card, pageHead, rowButton, time } from "../parts.js";
import { secondFactorCard } from "./second-factor.js";

const PAGE = 20;

export async function security() {
  const sessions = h("div", {});
  const history = h("div", {});
  // What is done to a session is told in the history.
  const refresh = () => Promise.all([showSessions(sessions, refresh), showHistory(history)]);
  const [secondFactor] = await Promise.all([
    secondFactorCard(() => showHistory(history)),
    refresh(),
  ]);
  return h(
    "div",
    {},
    pageHead(
      "Security",
      "Do you know all of this? If not, end the session and change your password.",
    ),
    h("div", { class: "stack" }, sessions, passwordCard(refresh), secondFactor, history),
  );
}

function passwordCard(onChanged) {
  const element = form({
    fields: [
      h(
        "div",
        { class: "pair" },
        field({
          name: "current_password",
          label: "Present password",
          type: "password",
          autocomplete: "current-password",
          missing: "Enter the password that you have now",
        }),
        field({
          name: "new_password",
          label: "New password",
          type: "password",
          autocomplete: "new-password",
          hint: "8 characters or more.",
          missing: "Enter a new password",
        }),
      ),
    ],
    label: "Change password",
    tone: "plain",
    blame: (error) => (error.status === 401 ? "current_password" : null),
    async submit(body) {
      await call("changePassword", { body });
      element.reset();
      notify("Your password is changed. All other sessions have ended.");
      await onChanged();
    },
  });
  return card({ title: "Password", text: "Every other session ends when you change it" }, element);
}

async function showSessions(place, refresh) {
  const found = await callAll("listSessions");
  const others = found.filter((one) => !one.current);
  const endOthers = button("End all others", {
    class: "plain small danger-text",
    onclick: async () => {
      const isDone = await confirmation(
        {
          title: "End all other sessions?",
          text: [`${plural(others.length, "session")} end at once. You stay logged in here.`],
          label: "End them",
        },
        () => call("endOtherSessions"),
      );
      if (!isDone) return;
      notify("All other sessions have ended.");
      await refresh();
    },
  });
  // This browser first.
  const ordered = found.toSorted((one, other) => other.current - one.current);
  const nameOf = distinct(
    ordered,
    (one) => device(one.user_agent),
    (one) => `since ${moment(one.created_at)}, ${one.ip ?? "unknown address"}`,
  );
  show(
    place,
    card(
      {
        title: "Sessions",
        text: "Where you are logged in",
        aside: others.length ? endOthers : null,
      },
      h(
        "ul",
        { class: "rows" },
        ordered.map((one) => sessionRow(one, nameOf(one), refresh)),
      ),
    ),
  );
}

function sessionRow(one, about, refresh) {
  const end = rowButton("End", `session ${about}`, async () => {
    end.disabled = true;
    try {
      await call("endSession", { path: { session_id: one.id } });
      await refresh();
    } finally {
      end.disabled = false;
    }
  });
  return h(
    "li",
    { class: "row", "data-session": one.id },
    h(
      "div",
      { class: "grow" },
      h(
        "p",
        { class: "title" },
        h("strong", {}, named(device(one.user_agent))),
        one.current ? badge("This browser", "accent") : null,
      ),
      h(
        "p",
        { class: "meta" },
        h("span", {}, one.ip ?? "unknown address"),
        h("span", {}, "used ", time(one.last_used_at)),
        h("span", {}, "since ", time(one.created_at)),
      ),
    ),
    one.current ? null : h("div", { class: "actions" }, end),
  );
}

async function showHistory(place) {
  const list = h("ol", { class: "timeline" });
  const more = button("Show more", { class: "plain", onclick: load });
  let cursor;
  async function load() {
    more.disabled = true;
    try {
      const found = await callPage("listEvents", { query: { limit: PAGE, cursor } });
      list.append(...found.items.map(eventRow));
      cursor = found.cursor;
      more.hidden = cursor === null;
    } finally {
      more.disabled = false;
    }
  }
  await load();
  show(
    place,
    card(
      { title: "History", text: "What happened to your account" },
      list,
      h("footer", { class: "centre" }, more),
    ),
  );
}
