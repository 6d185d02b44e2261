/** Usage: what is counted, by day or month, of all keys or one. Here is what is chosen and asked for. */

import { picker, segments } from "../choosers.js";
import { call, callAll } from "../client.js";
import { h, icon, show } from "../dom.js";
import { distinct } from "../format.js";
import { button, pageHead, saveFile, skeleton } from "../parts.js";
import { monthOf, spanOf } from "../spans.js";
import { countsOf, usageOf } from "./usage-span.js";

const ALL_KEYS = "";

export async function usage({ account }) {
  const thisMonth = monthOf(Date.now());
  const begin = Math.min(monthOf(new Date(account.created_at)), thisMonth);
  const keys = await callAll("listKeys", { query: { include_revoked: true } });
  const names = new Map(keys.map((key) => [key.id, key]));
  const asked = new URLSearchParams(location.search).get("key");
  const state = {
    by: "day",
    month: thisMonth,
    environment: names.get(asked)?.environment ?? "live",
    keyId: names.has(asked) ? asked : ALL_KEYS,
    count: "units",
  };
  const body = h("div", { class: "stack" });
  const title = h("strong", { class: "month" });
  const previous = button(
    "Earlier",
    { class: "plain square", onclick: () => turn(-1) },
    icon("previous"),
  );
  const next = button("Later", { class: "plain square", onclick: () => turn(1) }, icon("next"));
  const save = button("Save as CSV", { class: "plain", onclick: saveSpan }, icon("download"));
  const nameOf = distinct(
    keys,
    ({ name }) => name,
    ({ prefix }) => `${prefix}…`,
  );
  const choice = picker("Key", (keyId) =>
    choose({ keyId, environment: names.get(keyId)?.environment ?? state.environment }),
  );
  const counted = picker("What is counted", (count) => choose({ count }));
  choice.fill([[ALL_KEYS, "All keys"], ...keys.map((key) => [key.id, nameOf(key)])], state.keyId);
  const periods = segments(
    "Period",
    [
      ["day", "By day"],
      ["month", "By month"],
    ],
    (by) => choose({ by }),
  );
  const environments = segments(
    "Environment",
    [
      ["live", "Live"],
      ["test", "Test"],
    ],
    (environment) => choose({ environment }),
  );

  function turn(direction) {
    const month = monthOf(state.month, direction * spanOf(state.by, state.month).steps);
    choose({ month: Math.min(month, thisMonth) });
  }

  const query = ({ from, to, by }) => ({
    from,
    to,
    key_id: state.keyId || null,
    group_by: by === "month" ? by : null,
  });

  async function saveSpan() {
    save.disabled = true;
    try {
      saveFile(await call("saveUsage", { query: query(spanOf(state.by, state.month)) }));
    } finally {
      save.disabled = false;
    }
  }

  let turns = 0;
  let found = null;

  async function choose(change) {
    const mine = ++turns;
    Object.assign(state, change);
    const span = spanOf(state.by, state.month);
    title.textContent = span.title;
    next.disabled = state.month >= thisMonth;
    previous.disabled = span.first <= begin;
    periods.mark(state.by);
    environments.mark(state.environment);
    const wanted = JSON.stringify(query(span));
    // What else is chosen is of the same rows.
    if (found?.wanted !== wanted || !("environment" in change || "count" in change)) {
      show(body, skeleton(5));
      const [rows, limits] = await Promise.all([
        callAll("listUsage", { query: query(span) }),
        call("showLimits", { query: { key_id: state.keyId || null } }),
      ]);
      // A later choice may have been faster.
      if (mine !== turns) return;
      found = { wanted, rows, limits };
    }
    const counts = countsOf(found);
    if (!counts.some(([count]) => count === state.count)) state.count = counts[0][0];
    counted.fill(counts, state.count);
    show(
      body,
      usageOf({
        ...found,
        ...state,
        span,
        key: names.get(state.keyId) ?? null,
        names,
        isPresent: state.month === thisMonth,
        again: () => choose({}),
      }),
    );
  }

  await choose({});
  return h(
    "div",
    {},
    pageHead("Usage", "What your keys were used for. Days are counted in UTC.", save),
    h(
      "div",
      { class: "toolbar" },
      h("div", { class: "stepper" }, previous, title, next),
      h(
        "div",
        { class: "choosers" },
        choice.element,
        counted.element,
        periods.element,
        environments.element,
      ),
    ),
    body,
  );
}
