/** A span of usage: figures, a chart, what is left of the limits, a table of keys. */

import { usageChart } from "../chart.js";
import { h, icon, named } from "../dom.js";
import { compact, date, number, plural } from "../format.js";
import { bar, limitBars } from "../limit-bars.js";
import { meterName } from "../limits.js";
import { trial } from "../once.js";
import { badge, button, card, copyField, emptyState, scrolling } from "../parts.js";

const SERIES = 6;
const OTHER = "use:";

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** What can be shown, `[[id, name]]`: units, requests, and each other meter that is limited or used. */
export function countsOf({ rows, limits }) {
  const meters = new Set([
    ...limits.quotas.map(({ meter }) => meter).filter((meter) => meter !== "requests"),
    ...rows.flatMap(({ use }) => Object.keys(use)),
  ]);
  return [
    ["units", "Units"],
    ["requests", "Requests"],
    ...[...meters].toSorted().map((meter) => [OTHER + meter, capital(meterName(meter))]),
  ];
}

const meterOf = (count) => (count.startsWith(OTHER) ? count.slice(OTHER.length) : count);

function amountIn(row, count) {
  return count.startsWith(OTHER) ? (row.use[meterOf(count)] ?? 0) : row[count];
}

export function usageOf(shown) {
  const { environment, count, span, key, isPresent } = shown;
  const rows = shown.rows
    .filter((row) => row.environment === environment)
    .map((row) => ({ ...row, period: row[span.by], amount: amountIn(row, count) }));
  const quotas = shown.limits.quotas.filter((quota) => quota.environment === environment);
  const used = rows.filter(({ amount }) => amount > 0);
  const what = meterName(meterOf(count));
  const series = seriesOf(used, shown);
  const each = capital(span.by);
  const isOfAll = !key && span.by === "day";
  return [
    figures(shown, rows, quotas),
    used.length
      ? card(
          { title: `By ${span.by}`, text: textOf(count, key, span) },
          usageChart({
            periods: span.periods,
            series,
            rows: used.map((row) => ({ ...row, key_id: row.key_id ?? "" })),
            line: lineOf(count, quotas, key, span),
            what,
            each,
          }),
        )
      : card({}, rows.length ? nothingOf(what, span) : nothingYet(shown)),
    isPresent ? left(key, quotas) : null,
    isOfAll && rows.length ? card({ title: "By key" }, keyTable(series, rows, shown.names)) : null,
  ];
}

function textOf(count, key, span) {
  const what = capital(meterName(meterOf(count)));
  if (key) return [`${what} of `, named(key.name)];
  return span.by === "day"
    ? `${what} used, each key in its colour`
    : `${what} used, all keys together`;
}

/** What a period may have, of the limits that hold for what is shown. */
function lineOf(count, quotas, key, { by, periods }) {
  const quota = (window) => quotaOf(count, quotas, key, window);
  const [day, month] = [quota("day"), quota("month")];
  const a = `a ${by}`;
  if (by === "month") {
    return month && { value: month.size, text: `Limit: ${compact(month.size)} ${a}` };
  }
  if (day) return { value: day.size, text: `Limit: ${compact(day.size)} ${a}` };
  if (!month) return null;
  const pace = month.size / periods.length;
  return { value: pace, text: `Quota, spread evenly: ${compact(Math.round(pace))} ${a}` };
}

/** A key's limits are not those of all keys together. Units are what a month of requests is counted in. */
function quotaOf(count, quotas, key, window) {
  if (count === "requests") return null;
  const meter = count === "units" ? "requests" : meterOf(count);
  const found = quotas.filter(
    (one) => one.meter === meter && one.window === window && one.name === null,
  );
  return found.find(({ of }) => of === (key ? "key" : "account")) ?? null;
}

function figures({ count, span, isPresent, limits, key }, rows, quotas) {
  const what = meterName(meterOf(count));
  const sum = (list, of) => list.reduce((total, row) => total + of(row), 0);
  const inAll = sum(rows, ({ amount }) => amount);
  const month = span.by === "day" ? quotaOf(count, quotas, key, "month") : null;
  // The counter knows of this very moment; for a month that is over, the sum is all there is.
  const used = month && isPresent ? Math.max(month.used, inAll) : inAll;
  const minute = quotas.find(
    ({ meter, window, of }) => meter === "requests" && window === "minute" && of === "account",
  );
  return h(
    "div",
    { class: "figures" },
    month
      ? quotaFigure(used, month.size, what, limits.plan)
      : wholeFigure(
          used,
          what,
          span,
          limits.plan,
          !key && span.by === "day" && count !== "requests",
        ),
    month
      ? figure(
          isPresent ? "Left this month" : "Left over",
          compact(Math.max(0, month.size - used)),
          isPresent ? `Starts again ${date(month.resets_at)}` : null,
        )
      : busiest(rows, span),
    count === "requests"
      ? figure("Units", compact(sum(rows, ({ units }) => units)), "What the requests cost")
      : figure(
          "Requests",
          compact(sum(rows, ({ requests }) => requests)),
          minute ? `Up to ${number(minute.size)} a minute` : null,
        ),
  );
}

function quotaFigure(used, size, what, plan) {
  const share = size ? used / size : 1;
  return h(
    "div",
    { class: "figure wide" },
    h("span", { class: "label" }, "Used", badge(plan)),
    h("p", { class: "value" }, number(used), h("small", {}, ` of ${number(size)} ${what}`)),
    bar(used, size, "Monthly quota"),
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

function wholeFigure(used, what, span, plan, isUnlimited) {
  return h(
    "div",
    { class: "figure wide" },
    h("span", { class: "label" }, "Used", badge(plan)),
    h("p", { class: "value" }, number(used), h("small", {}, ` ${what}`)),
    h(
      "p",
      { class: "note" },
      span.by === "day" ? `in ${span.title}` : span.title,
      isUnlimited ? ", without a monthly limit" : null,
    ),
  );
}

function busiest(rows, span) {
  const sums = new Map();
  for (const { period, amount } of rows) sums.set(period, (sums.get(period) ?? 0) + amount);
  const [period, amount] = [...sums].reduce(
    (best, one) => (one[1] > best[1] ? one : best),
    [null, 0],
  );
  const name = span.periods.find(({ id }) => id === period)?.long;
  return figure(`Busiest ${span.by}`, amount ? compact(amount) : "–", amount ? name : null);
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

/** Every limit that holds now. */
function left(key, quotas) {
  const own = quotas.filter(({ of }) => of === "key");
  const shared = quotas.filter(({ of }) => of === "account");
  return [
    key && own.length
      ? card({ title: "What is left of its own limits", text: named(key.name) }, limitBars(own))
      : null,
    shared.length
      ? card(
          { title: "What is left of your plan", text: "For all keys together" },
          limitBars(shared),
        )
      : null,
  ];
}

/** The keys, the most used first; what does not get a colour of its own shares the last one. */
function seriesOf(rows, { key, names, span }) {
  if (key || span.by === "month") {
    return [
      { label: key?.name ?? "All keys", keys: [key && span.by === "day" ? key.id : ""], tone: 0 },
    ];
  }
  const totals = new Map();
  for (const row of rows) totals.set(row.key_id, (totals.get(row.key_id) ?? 0) + row.amount);
  const ordered = [...totals].sort((one, other) => other[1] - one[1]).map(([id]) => id);
  const shown = ordered.slice(0, ordered.length > SERIES ? SERIES - 1 : SERIES);
  const series = shown.map((id, index) => ({ label: nameOf(id, names), keys: [id], tone: index }));
  const rest = ordered.slice(shown.length);
  if (rest.length)
    series.push({ label: plural(rest.length, "other key"), keys: rest, tone: "rest" });
  return series;
}

const nameOf = (id, names) => names.get(id)?.name ?? "A deleted key";

function keyTable(series, rows, names) {
  const toneOf = new Map(series.flatMap(({ keys, tone }) => keys.map((id) => [id, tone])));
  // Those that were not used of what is shown have no colour.
  const ids = [...new Set([...toneOf.keys(), ...rows.map((row) => row.key_id)])];
  const meters = [...new Set(rows.flatMap(({ use }) => Object.keys(use)))].toSorted();
  const columns = [
    ["Requests", (row) => row.requests],
    ["Units", (row) => row.units],
    ...meters.map((meter) => [capital(meterName(meter)), (row) => row.use[meter] ?? 0]),
  ];
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
          columns.map(([name]) => h("th", { scope: "col", class: "right" }, name)),
        ),
      ),
      h(
        "tbody",
        {},
        ids.map((id) => {
          const own = rows.filter((row) => row.key_id === id);
          return h(
            "tr",
            {},
            h(
              "td",
              {},
              h("span", { class: `swatch tone-${toneOf.get(id) ?? "none"}` }),
              named(nameOf(id, names)),
              " ",
              h("code", { class: "muted" }, names.get(id) ? `${names.get(id).prefix}…` : ""),
            ),
            columns.map(([, amount]) =>
              h("td", { class: "right" }, number(own.reduce((sum, row) => sum + amount(row), 0))),
            ),
          );
        }),
      ),
    ),
  );
}

function nothingOf(what, span) {
  return emptyState("usage", `No ${what}`, `Nothing of this was used in ${span.title}.`);
}

function nothingYet({ isPresent, environment, key, span, again }) {
  if (!isPresent || key) {
    return emptyState(
      "usage",
      "Nothing here",
      `${key ? "This key was not used" : "No key was used"} in ${span.title}.`,
    );
  }
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
