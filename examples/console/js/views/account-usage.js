/** What an account used, by day and meter. */

import { usageChart } from "../chart.js";
import { picker, segments } from "../choosers.js";
import { callAll } from "../client.js";
import { h, icon, show } from "../dom.js";
import { number } from "../format.js";
import { meterName } from "../limits.js";
import { button, card, skeleton } from "../parts.js";
import { monthOf, spanOf } from "../spans.js";

export async function usageCard(account) {
  const thisMonth = monthOf(Date.now());
  const first = monthOf(new Date(account.created_at));
  const state = { month: thisMonth, count: "requests", environment: "live" };
  const title = h("strong", { class: "month" });
  const body = h("div", {});
  const turn = (step) => choose({ month: monthOf(state.month, step) });
  const previous = button("Earlier", { class: "plain square", onclick: () => turn(-1) }, icon("previous"));
  const next = button("Later", { class: "plain square", onclick: () => turn(1) }, icon("next"));
  const counted = picker("What is counted", (count) => choose({ count }));
  const environments = segments(
    "Environment",
    [
      ["live", "Live"],
      ["test", "Test"],
    ],
    (environment) => choose({ environment }),
  );
  let turns = 0;

  async function choose(change) {
    const mine = ++turns;
    Object.assign(state, change);
    const span = spanOf("day", state.month);
    title.textContent = span.title;
    previous.disabled = state.month <= first;
    next.disabled = state.month >= thisMonth;
    environments.mark(state.environment);
    show(body, skeleton(2));
    const query = { account_id: account.id, from: span.from, to: span.to, group_by: "day" };
    const rows = await callAll("listUsage", { query });
    // A later choice may have been faster.
    if (mine !== turns) return;
    const meters = [...new Set(rows.flatMap(({ use }) => Object.keys(use)))].toSorted();
    const counts = ["requests", "units", ...meters];
    if (!counts.includes(state.count)) state.count = "requests";
    counted.fill(counts.map((count) => [count, meterName(count)]), state.count);
    show(body, chartOf(rows, span, state));
  }

  await choose({});
  return card(
    { title: "Usage", text: "All keys together; days are counted in UTC" },
    h(
      "div",
      { class: "toolbar" },
      h("div", { class: "stepper" }, previous, title, next),
      h("div", { class: "choosers" }, counted.element, environments.element),
    ),
    body,
  );
}

function chartOf(rows, span, { count, environment }) {
  const isOwn = count === "requests" || count === "units";
  const used = rows
    .filter((row) => row.environment === environment)
    .map((row) => ({
      period: row.day,
      key_id: "",
      amount: isOwn ? row[count] : (row.use[count] ?? 0),
    }))
    .filter(({ amount }) => amount > 0);
  const what = meterName(count);
  if (!used.length) return h("p", { class: "muted" }, `No ${what} in these days.`);
  const total = used.reduce((sum, { amount }) => sum + amount, 0);
  return usageChart({
    periods: span.periods,
    series: [{ label: `${what}: ${number(total)}`, keys: [""], tone: "0" }],
    rows: used,
    line: null,
    what,
    each: "Day",
  });
}
