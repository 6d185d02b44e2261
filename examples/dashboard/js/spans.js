/** Spans of the calendar that a chart shows, in UTC: the days of a month, or the months of a year. */

import { utcDay, utcMonth, utcShortMonth } from "./format.js";

const DAY = 86_400_000;
const MONTHS = 12;

const isoDay = (moment) => new Date(moment).toISOString().slice(0, 10);

/** The first moment of the month that is so many months away from a moment's. */
export function monthOf(moment, step = 0) {
  const date = new Date(moment);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + step);
}

/**
 * The span that ends with a month: `by` is `day` or `month`. `periods` are those of a chart, `from` and
 * `to` its first and last day, `steps` how many months the next one is away.
 */
export function spanOf(by, month) {
  const first = by === "day" ? month : monthOf(month, 1 - MONTHS);
  const end = monthOf(month, 1);
  const periods = [];
  for (let at = first; at < end; at = by === "day" ? at + DAY : monthOf(at, 1)) {
    periods.push(
      by === "day"
        ? { id: isoDay(at), short: utcDay(at), long: utcDay(at) }
        : { id: isoDay(at).slice(0, 7), short: utcShortMonth(at), long: utcMonth(at) },
    );
  }
  return {
    by,
    first,
    periods,
    from: isoDay(first),
    to: isoDay(end - DAY),
    title: by === "day" ? utcMonth(month) : `${utcShortMonth(first)} – ${utcShortMonth(month)}`,
    steps: by === "day" ? 1 : MONTHS,
  };
}
