/** One account: what it is, may and did; suspended, changed, shut out. */

import { usageCard } from "./account-usage.js";
import { keysCard } from "./account-keys.js";
import { limitsCard } from "./account-limits.js";
import { call, callAll, callPage, may } from "../client.js";
import { confirmation, dialog } from "../dialog.js";
import { h, named, show } from "../dom.js";
import { eventRow } from "../event-row.js";
import { field, form } from "../form.js";
import { device, distinct, moment, plural } from "../format.js";
import { notify } from "../notices.js";
import { button, card, copyButton, pageHead, rowButton, time } from "../parts.js";
import { nameOf, statesOf } from "../wording.js";

const PAGE = 20;

export async function account(id) {
  const path = { account_id: id };
  const [found, policy] = await Promise.all([call("showAccount", { path }), call("showPolicy")]);
  const head = h("div", {});
  const limits = h("div", {});
  const sessions = h("div", {});
  const history = h("div", {});
  const state = { account: found, policy, path };

  /** After a change: what it changed, and what the history tells of it. */
  async function refresh() {
    await Promise.all([
      showHead(head, state, refresh),
      showLimits(),
      showSessions(sessions, path, refresh),
      showHistory(history, path),
    ]);
  }
  async function showLimits() {
    const told = await call("showLimits", { path });
    show(limits, limitsCard(told, state, refresh));
  }

  const [usage, keys] = await Promise.all([
    may("listUsage") ? usageCard(found) : null,
    may("listKeys") ? keysCard(path, refresh) : null,
    refresh(),
  ]);
  return h("div", {}, head, h("div", { class: "stack" }, limits, usage, keys, sessions, history));
}

function showHead(place, state, refresh) {
  const { account: shown, path } = state;
  const isSuspended = shown.status === "suspended";
  const change = async (body) => {
    state.account = await call("changeAccount", { path, body });
    await refresh();
  };
  const status = isSuspended
    ? button("Resume", {
        class: "plain",
        onclick: async () => {
          await change({ status: "active" });
          notify("The account is resumed: its keys and tokens are accepted again.");
        },
      })
    : button("Suspend", {
        class: "plain danger-text",
        onclick: async () => {
          const isDone = await confirmation(
            {
              title: "Suspend this account?",
              text: ["Every key and token of it is refused from the next request on, until it is resumed."],
              label: "Suspend it",
            },
            () => change({ status: "suspended" }),
          );
          if (isDone) notify("The account is suspended.");
        },
      });
  const plan = button("Change plan", { class: "plain", onclick: () => changePlan(state, change) });
  show(
    place,
    pageHead(named(nameOf(shown)), h("span", { class: "title" }, statesOf(shown)), plan, status),
    factsCard(shown),
  );
}

function factsCard(shown) {
  const own = shown.metadata === null ? null : JSON.stringify(shown.metadata);
  const id = h("code", {}, shown.id);
  const blocked = () => getSelection().selectAllChildren(id);
  const facts = [
    ["Id", [id, copyButton("Id", shown.id, { blocked, tone: "quiet square" })]],
    ["External id", shown.external_id],
    ["Name", shown.name],
    ["Username", shown.username],
    ["Since", moment(shown.created_at)],
    ["Your data", own],
  ];
  return h(
    "dl",
    { class: "facts card" },
    facts
      .filter(([, value]) => value)
      .map(([term, value]) =>
        h("div", {}, h("dt", {}, term), h("dd", {}, typeof value === "string" ? named(value) : value)),
      ),
  );
}

function changePlan({ account: shown, policy }, change) {
  return dialog({ title: "Change plan" }, (close) =>
    form({
      fields: [
        field({
          name: "plan",
          label: "Plan",
          hint: "It holds from the account's next request on. Limits of its own stay.",
          options: policy.plans.map(({ name }) => [name, name]),
          value: shown.plan,
        }),
      ],
      label: "Change plan",
      cancel: () => close(),
      async submit(body) {
        await change(body);
        close();
        notify("The plan is changed.");
      },
    }),
  );
}

async function showSessions(place, path, refresh) {
  const found = await callAll("listSessions", { path });
  const endAll = button("End all", {
    class: "plain small danger-text",
    onclick: async () => {
      const isDone = await confirmation(
        {
          title: "End all sessions?",
          text: [`${plural(found.length, "session")} end at once. Its owner may log in again.`],
          label: "End them",
        },
        () => call("endSessions", { path }),
      );
      if (!isDone) return;
      notify("All sessions have ended.");
      await refresh();
    },
  });
  const about = distinct(
    found,
    (one) => device(one.user_agent),
    (one) => `since ${moment(one.created_at)}, ${one.ip ?? "unknown address"}, ${one.id.slice(-4)}`,
  );
  show(
    place,
    card(
      { title: "Sessions", text: "Where its owner is logged in", aside: found.length ? endAll : null },
      found.length
        ? h("ul", { class: "rows" }, found.map((one) => sessionRow(one, about(one), path, refresh)))
        : h("p", { class: "muted" }, "Nowhere."),
    ),
  );
}

function sessionRow(one, about, path, refresh) {
  const end = rowButton("End", `session ${about}`, async () => {
    end.disabled = true;
    try {
      await call("endSession", { path: { ...path, session_id: one.id } });
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
      h("p", { class: "title" }, h("strong", {}, named(device(one.user_agent)))),
      h(
        "p",
        { class: "meta" },
        h("span", {}, one.ip ?? "unknown address"),
        h("span", {}, "used ", time(one.last_used_at)),
        h("span", {}, "since ", time(one.created_at)),
      ),
    ),
    h("div", { class: "actions" }, end),
  );
}

async function showHistory(place, path) {
  const list = h("ol", { class: "timeline" });
  const more = button("Show more", { class: "plain", onclick: load });
  let cursor;
  async function load() {
    more.disabled = true;
    try {
      const found = await callPage("listEvents", { path, query: { limit: PAGE, cursor } });
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
    card({ title: "History", text: "What happened to it" }, list, h("footer", { class: "centre" }, more)),
  );
}
