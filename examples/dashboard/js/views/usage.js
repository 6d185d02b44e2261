/** Usage: the month against the quota, by day and key. */

import { usageChart } from "../chart.js";
import { call, callAll } from "../client.js";
import { h, icon, named, show } from "../dom.js";
import { compact, date, number, plural, utcMonth } from "../format.js";
import { trial } from "../once.js";
import { badge, button, card, copyField, emptyState, pageHead, scrolling, skeleton } from "../parts.js";

const DAY = 86_400_000;
const MONTHS_BACK = 12;
const SERIES = 6;

export async function usage() {
  const now = new Date();
  const thisMonth = Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
  const state = { month: thisMonth, environment: "live" };
  const keys = await callAll("listKeys", { query: { include_revoked: true } });
  const names = new Map(keys.map((key) => [key.id, key]));
  const body = h("div", { class: "stack" });
  const title = h("strong", { class: "month" });
  const previous = button(
    "Previous month",
    { class: "plain square", onclick: () => turn(-1) },
    icon("previous"),
  );
  const next = button(
    "Next month",
    { class: "plain square", onclick: () => turn(1) },
    icon("next"),
  );
  const environments = ["live", "test"].map((environment) =>
    h(
      "button",
      { type: "button", onclick: () => choose({ environment }) },
      environment === "live" ? "Live" : "Test",
    ),
  );

  function turn(step) {
    const shown = new Date(state.month);
    choose({ month: Date.UTC(shown.getUTCFullYear(), shown.getUTCMonth() + step) });
  }

  async function choose(change) {
    Object.assign(state, change);
    const asked = { ...state };
    title.textContent = utcMonth(state.month);
    next.disabled = state.month >= thisMonth;
    previous.disabled = thisMonth - state.month > MONTHS_BACK * 30 * DAY;
    environments.forEach((press, index) =>
      press.setAttribute("aria-pressed", String((index === 0) === (state.environment === "live"))),
    );
    show(body, skeleton(5));
    const [rows, limits] = await Promise.all([load(state), call("showLimits")]);
    // A later choice may have been faster.
    if (asked.month !== state.month || asked.environment !== state.environment) return;
    const isPresent = state.month === thisMonth;
    show(body, month(state, rows, limits, names, { isPresent, again: () => choose({}) }));
  }

  await choose({});
  return h(
    "div",
    {},
    pageHead("Usage", "What your keys were used for. Days are counted in UTC."),
    h(
      "div",
      { class: "toolbar" },
      h("div", { class: "stepper" }, previous, title, next),
      h("div", { class: "segments", role: "group", "aria-label": "Environment" }, environments),
    ),
    body,
  );
}

async function load({ month, environment }) {
  const start = new Date(month);
  const end = new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1) - DAY);
  const query = { from: isoDay(start), to: isoDay(end) };
  const rows = await callAll("listUsage", { query });
  return rows.filter((row) => row.environment === environment);
}

const isoDay = (moment) => new Date(moment).toISOString().slice(0, 10);

function month({ month: start, environment }, rows, limits, names, { isPresent, again }) {
  const days = daysOf(start);
  const series = seriesOf(rows, names);
  const units = rows.reduce((sum, row) => sum + row.units, 0);
  const requests = rows.reduce((sum, row) => sum + row.requests, 0);
  const state = limits.usage[environment];
  // The counter knows of this very moment; for a month that is over, the sum is all there is.
  const used = isPresent ? Math.max(state.this_month, units) : units;
  // Null for a plan without such a limit.
  const { requests_per_minute: aMinute, requests_per_month: quota } = limits;
  return [
    h(
      "div",
      { class: "figures" },
      meter(used, quota, limits.plan),
      figure(
        isPresent ? "Left this month" : "Left over",
        quota === null ? "No limit" : compact(Math.max(0, quota - used)),
        isPresent ? `Starts again ${date(state.resets_at)}` : null,
      ),
      figure(
        "Requests",
        compact(requests),
        aMinute === null ? null : `Up to ${number(aMinute)} a minute`,
      ),
    ),
    rows.length
      ? [
          card(
            { title: "By day", text: "Units used, each key in its colour" },
            usageChart({ days, series, rows, pace: quota === null ? null : quota / days.length }),
          ),
          card({ title: "By key" }, keyTable(series, rows, names)),
        ]
      : card({}, nothingYet(isPresent, environment, again)),
  ];
}

function daysOf(start) {
  const days = [];
  for (let day = start; new Date(day).getUTCMonth() === new Date(start).getUTCMonth(); day += DAY)
    days.push(isoDay(day));
  return days;
}

/** The keys, the most used first; what does not get a colour of its own shares the last one. */
function seriesOf(rows, names) {
  const totals = new Map();
  for (const row of rows) totals.set(row.key_id, (totals.get(row.key_id) ?? 0) + row.units);
  const ordered = [...totals].sort((one, other) => other[1] - one[1]).map(([id]) => id);
  const shown = ordered.slice(0, ordered.length > SERIES ? SERIES - 1 : SERIES);
  const series = shown.map((id, index) => ({ label: nameOf(id, names), keys: [id], tone: index }));
  const rest = ordered.slice(shown.length);
  if (rest.length)
    series.push({ label: plural(rest.length, "other key"), keys: rest, tone: "rest" });
  return series;
}

const nameOf = (id, names) => names.get(id)?.name ?? "A deleted key";

function meter(used, quota, plan) {
  const label = h("span", { class: "label" }, "Used", badge(plan));
  if (quota === null) {
    const value = h("p", { class: "value" }, number(used), h("small", {}, " units"));
    return h("div", { class: "figure wide" }, label, value);
  }
  const share = quota ? Math.min(1, used / quota) : 1;
  const bar = h("div", { class: `fill ${share >= 1 ? "full" : share >= 0.8 ? "high" : ""}` });
  bar.style.inlineSize = `${used > 0 ? Math.max(0.5, share * 100) : 0}%`;
  return h(
    "div",
    { class: "figure wide" },
    label,
    h("p", { class: "value" }, number(used), h("small", {}, ` of ${number(quota)} units`)),
    h(
      "div",
      {
        class: "meter",
        role: "meter",
        "aria-label": "Monthly quota",
        "aria-valuemin": "0",
        "aria-valuemax": quota,
        "aria-valuenow": Math.min(used, quota),
      },
      bar,
    ),
    share >= 0.8
      ? h(
          "p",
          { class: "note" },
          share >= 1
            ? "The quota is used up: requests are refused until it starts again."
            : "You have used more than 80 % of your quota.",
        )
      : null,
  );
}

function figure(label, value, note) {
  return h(
    "div",
    { class: "figure" },
    h("span", { class: "label" }, label),
    h("p", { class: "value" }, value),
    note ? h("p", { class: "note" }, note) : null,
  );
}

function keyTable(series, rows, names) {
  const toneOf = new Map(series.flatMap(({ keys, tone }) => keys.map((id) => [id, tone])));
  const sums = [...toneOf.keys()].map((id) => {
    const own = rows.filter((row) => row.key_id === id);
    return {
      id,
      requests: own.reduce((sum, row) => sum + row.requests, 0),
      units: own.reduce((sum, row) => sum + row.units, 0),
    };
  });
  return scrolling(
    "By key",
    h(
      "table",
      {},
      h(
        "thead",
        {},
        h(
          "tr",
          {},
          h("th", { scope: "col" }, "Key"),
          h("th", { scope: "col", class: "right" }, "Requests"),
          h("th", { scope: "col", class: "right" }, "Units"),
        ),
      ),
      h(
        "tbody",
        {},
        sums.map(({ id, requests, units }) =>
          h(
            "tr",
            {},
            h(
              "td",
              {},
              h("span", { class: `swatch tone-${toneOf.get(id)}` }),
              named(nameOf(id, names)),
              " ",
              h("code", { class: "muted" }, names.get(id) ? `${names.get(id).prefix}…` : ""),
            ),
            h("td", { class: "right" }, number(requests)),
            h("td", { class: "right" }, number(units)),
          ),
        ),
      ),
    ),
  );
}

function nothingYet(isPresent, environment, again) {
  if (!isPresent) return emptyState("usage", "Nothing in this month", "No key was used.");
  return [
    emptyState(
      "usage",
      "No requests yet",
      environment === "live"
        ? "As soon as one of your keys is used, you see it here. Try one, in a terminal, and look again:"
        : "Requests with test keys are counted here, apart from the live ones. Try one, in a terminal, and look again:",
      button("Look again", { class: "plain", onclick: again }, icon("again")),
    ),
    copyField("Command", trial("YOUR_KEY")),
  ];
}
