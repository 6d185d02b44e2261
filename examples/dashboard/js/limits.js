/** Limits in words: what they allow, what is left of them, and why one refused. No elements here. */

import { duration, number, plural } from "./format.js";

const SPANS = {
  minute: "a minute",
  hour: "an hour",
  day: "a day",
  month: "a month",
  total: "in all",
};
const THIS = {
  minute: "this minute",
  hour: "this hour",
  day: "today",
  month: "this month",
  total: "in all",
};
const OF_ANY_LENGTH = /^([1-9]\d{0,9})(ms|s)$/;
const LENGTHS = [
  [86_400, "day"],
  [3_600, "hour"],
  [60, "minute"],
];

/** Of a window's name, `10s`: "10 seconds"; null for one that has a word of its own, or is none. */
function lengthOf(window) {
  const [, digits, unit] = OF_ANY_LENGTH.exec(window) ?? [];
  if (!digits) return null;
  if (unit === "ms") return `${number(Number(digits))} ms`;
  const seconds = Number(digits);
  // 24 hours are no day of the calendar.
  const [length, name] = LENGTHS.find(([one]) => seconds > one && seconds % one === 0) ?? [
    1,
    "second",
  ];
  return plural(seconds / length, name);
}

/** "a minute", "in 10 seconds", "in all". */
export function spanOf(window) {
  const length = lengthOf(window);
  return SPANS[window] ?? (length ? `in ${length}` : `per ${window}`);
}

/** A meter as people read it: "tokens". */
export const meterName = (meter) => meter.replaceAll("_", " ");

/** "10 requests", "1 token". */
export function amountOf(amount, meter) {
  const name = meterName(meter);
  return `${number(amount)} ${amount === 1 ? name.replace(/([^s])s$/, "$1") : name}`;
}

/** "10 requests a minute". */
export function limitText({ meter, window, size }) {
  return `${amountOf(size, meter)} ${spanOf(window)}`;
}

/** "renewed in 12 seconds"; null where nothing is known of it. */
export function renewalText(window, resetsAt, now = Date.now()) {
  if (window === "total") return "never renewed";
  if (!resetsAt) return null;
  const seconds = (new Date(resetsAt) - now) / 1000;
  return seconds > 0 ? `renewed in ${duration(seconds)}` : "renewed by now";
}

/** "8 of 10 requests left this minute, renewed in 12 seconds", of what the API tells of a limit. */
export function leftText({ meter, window, size, used, remaining, resets_at: resetsAt }, now) {
  const span = THIS[window] ?? `in these ${lengthOf(window) ?? window}`;
  const left = `${number(remaining)} of ${amountOf(size, meter)} left ${span}`;
  // A window with a length opens with the first thing that is counted in it.
  const isOpen = used > 0 || ["day", "month", "total"].includes(window);
  const renewal = isOpen ? renewalText(window, resetsAt, now) : null;
  return renewal ? `${left}, ${renewal}` : left;
}

/** Whose limit refused, and what it allows: "this key's own limit of 10 requests a minute". */
export function refusedBy({ of, meter, window, size }) {
  const limit = limitText({ meter, window, size });
  return of === "key" ? `this key's own limit of ${limit}` : `your plan's ${limit}`;
}

/** Whether the details of an error are those of a limit that refused. */
export function isRefusal(details) {
  const { meter, window, size } = details ?? {};
  return typeof meter === "string" && typeof window === "string" && Number.isFinite(size);
}

/**
 * Why a request was refused by a limit, and when the next one will not be. `details` are the error's;
 * `waitSeconds` its Retry-After, which does not depend on this computer's clock.
 */
export function refusalText(details, waitSeconds = 0, now = Date.now()) {
  const limit = refusedBy(details);
  const { window, size, resets_at: resetsAt } = details;
  if (size === 0) return `Nothing is allowed: ${limit}. Waiting does not help.`;
  if (window !== "total" && !resetsAt) {
    return `The request takes more than ${limit} allows at once. Waiting does not help: send less.`;
  }
  const refused = `There is not enough left of ${limit}.`;
  if (window === "total") {
    const help =
      details.of === "key" ? "Raise the limit, or use another key." : "Move to a larger plan.";
    return `${refused} It is never renewed. ${help}`;
  }
  const until = waitSeconds > 0 ? now + waitSeconds * 1000 : resetsAt;
  return `${refused} It is ${renewalText(window, until, now)}.`;
}

/** The error of an answer as a terminal shows it, head and all, or of its body; null where there is none. */
export function readAnswer(text) {
  const body = text.slice(Math.max(0, text.indexOf("{")), text.lastIndexOf("}") + 1);
  let error;
  try {
    ({ error } = JSON.parse(body));
  } catch {
    return null;
  }
  if (typeof error?.code !== "string" || typeof error.message !== "string") return null;
  const wait = /^retry-after:\s*(\d+)/im.exec(text)?.[1];
  return { error, waitSeconds: Number(wait ?? 0) };
}
