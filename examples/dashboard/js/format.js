/** Numbers, times and names as people read them. */

const LOCALE = navigator.language;
const NUMBER = new Intl.NumberFormat(LOCALE);
const COMPACT = new Intl.NumberFormat(LOCALE, { notation: "compact", maximumFractionDigits: 1 });
const DATE = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium" });
const MOMENT = new Intl.DateTimeFormat(LOCALE, { dateStyle: "medium", timeStyle: "short" });
const RELATIVE = new Intl.RelativeTimeFormat(LOCALE, { numeric: "auto" });
// The API counts days and months in UTC.
const UTC_DAY = new Intl.DateTimeFormat(LOCALE, {
  day: "numeric",
  month: "short",
  timeZone: "UTC",
});
const UTC_MONTH = new Intl.DateTimeFormat(LOCALE, {
  month: "long",
  year: "numeric",
  timeZone: "UTC",
});
const UTC_SHORT_MONTH = new Intl.DateTimeFormat(LOCALE, {
  month: "short",
  year: "2-digit",
  timeZone: "UTC",
});

export const number = (value) => NUMBER.format(value);
/** Short from five digits on. */
export const compact = (value) => (value < 10_000 ? NUMBER : COMPACT).format(value);
export const date = (value) => DATE.format(new Date(value));
export const moment = (value) => MOMENT.format(new Date(value));
export const utcDay = (value) => UTC_DAY.format(new Date(value));
export const utcShortMonth = (value) => UTC_SHORT_MONTH.format(new Date(value));
export const utcMonth = (value) => UTC_MONTH.format(new Date(value));

export function plural(count, one, many = `${one}s`) {
  return `${number(count)} ${count === 1 ? one : many}`;
}

const UNITS = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

/** "3 minutes ago", "in 2 days". */
export function relative(value) {
  const seconds = (new Date(value) - Date.now()) / 1000;
  for (const [unit, length] of UNITS) {
    if (Math.abs(seconds) >= length) return RELATIVE.format(Math.trunc(seconds / length), unit);
  }
  return seconds > 0 ? "in a moment" : "just now";
}

/** How long one has to wait: "42 seconds", "5 minutes". */
export function duration(seconds) {
  if (seconds < 90) return plural(Math.ceil(seconds), "second");
  if (seconds < 5_400) return plural(Math.ceil(seconds / 60), "minute");
  if (seconds < 172_800) return plural(Math.ceil(seconds / 3_600), "hour");
  return plural(Math.ceil(seconds / 86_400), "day");
}

/** What tells each of `items` apart by ear: its name, with `moreOf(item)` where others have it too. */
export function distinct(items, nameOf, moreOf) {
  const counts = new Map();
  for (const item of items) counts.set(nameOf(item), (counts.get(nameOf(item)) ?? 0) + 1);
  return (item) =>
    counts.get(nameOf(item)) > 1 ? `${nameOf(item)}, ${moreOf(item)}` : nameOf(item);
}

const BROWSERS = [
  ["Edge", /Edg\//],
  ["Opera", /OPR\//],
  ["Firefox", /Firefox\//],
  ["Chrome", /Chrom(e|ium)\//],
  ["Safari", /Safari\//],
  ["curl", /^curl\//],
];
const SYSTEMS = [
  ["iPhone", /iPhone/],
  ["iPad", /iPad/],
  ["Android", /Android/],
  ["Windows", /Windows/],
  ["macOS", /Mac OS X/],
  ["Linux", /Linux/],
];

/** "Firefox on Windows": a guess, good enough to know one's own devices by. */
export function device(userAgent) {
  const find = (list) => list.find(([, pattern]) => pattern.test(userAgent ?? ""))?.[0];
  const [browser, system] = [find(BROWSERS), find(SYSTEMS)];
  if (browser && system) return `${browser} on ${system}`;
  return browser ?? system ?? (userAgent ? userAgent.slice(0, 40) : "Unknown device");
}

const EVENTS = {
  "account:created": "Account created",
  "account:changed": "Profile changed",
  "account:suspended": "Account suspended",
  "account:resumed": "Account resumed",
  "account:password_changed": "Password changed",
  "account:password_reset_requested": "Password reset requested",
  "account:password_reset": "Password reset",
  "account:started_clean": "What was set up before the address was confirmed was ended",
  "account:email_verified": "E-mail address confirmed",
  "account:email_change_requested": "E-mail change requested",
  "account:email_changed": "E-mail address changed",
  "account:mail_given_up": "A mail could not be delivered",
  "account:plan_changed": "Plan changed",
  "account:login_succeeded": "Logged in",
  "account:login_failed": "Login failed",
  "account:second_factor_added": "Second factor turned on",
  "account:second_factor_removed": "Second factor removed",
  "account:second_factor_failed": "Wrong code of the second factor",
  "account:recovery_code_used": "Recovery code used",
  "account:recovery_codes_low": "Few recovery codes left",
  "account:recovery_codes_renewed": "New recovery codes made",
  "session:ended": "Session ended",
  "session:all_ended": "Other sessions ended",
  "session:refresh_token_reused": "Session ended: its token was used twice",
  "session:refresh_refused": "Refresh refused: it came from another network",
  "api_key:created": "API key created",
  "api_key:imported": "API key imported",
  "api_key:changed": "API key changed",
  "api_key:rotated": "API key rotated",
  "api_key:expired": "API key expired",
  "api_key:revoked": "API key revoked",
  "api_key:leaked": "API key found in public",
  "limit:warned": "80 % of a limit was used",
  "limit:reached": "A limit was reached",
  "agent:created": "Agent created",
  "agent:deleted": "Agent deleted",
};
const ALARMING = /^limit:|failed|leaked|reused|suspended|given_up|_low$|second_factor_removed/;

/** What an event is called, and whether its owner should look twice. */
export function event({ name }) {
  const words = name.split(":").pop().replaceAll("_", " ");
  return {
    title: EVENTS[name] ?? words.charAt(0).toUpperCase() + words.slice(1),
    isAlarming: ALARMING.test(name),
  };
}
