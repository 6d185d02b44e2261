/** Prometheus' text as numbers, and what two looks at it tell of the time between. No elements here. */

const LINE = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g;
const CHECKS = "ragauth_check_duration_seconds";
const HASHES = "ragauth_hashing_duration_seconds";
// Of no use to look at: a check that was let through is no refusal.
const ALLOWED = "allowed";

/** `{name: [{labels, value}]}` of the series that are named. */
export function read(text, names) {
  const found = Object.fromEntries([...names].map((name) => [name, []]));
  for (const line of text.split("\n")) {
    const [, name, labels, value] = LINE.exec(line) ?? [];
    if (name === undefined || !(name in found)) continue;
    found[name].push({
      labels: Object.fromEntries([...(labels ?? "").matchAll(LABEL)].map(([, key, one]) => [key, one])),
      value: Number(value),
    });
  }
  return found;
}

const NAMES = new Set([
  `${CHECKS}_count`,
  `${CHECKS}_sum`,
  `${HASHES}_count`,
  "ragauth_hashing_refused_total",
  "ragauth_hashing_places",
  "ragauth_hashing_places_taken",
  "ragauth_outbox_mails",
  "ragauth_outbox_oldest_seconds",
  "ragauth_outbox_webhooks",
  "ragauth_outbox_webhooks_oldest_seconds",
  "ragauth_database_up",
  "ragauth_counters_up",
  "ragauth_redis_up",
  "ragauth_workers",
  "ragauth_failing_workers",
]);

/** What the live view shows of the page; a number that the page does not have is null. */
export function look(text, now) {
  const series = read(text, NAMES);
  const sum = (name) => (series[name].length ? series[name].reduce((all, { value }) => all + value, 0) : null);
  return {
    at: now,
    checks: sum(`${CHECKS}_count`) ?? 0,
    seconds: sum(`${CHECKS}_sum`) ?? 0,
    verdicts: new Map(series[`${CHECKS}_count`].map(({ labels, value }) => [labels.verdict, value])),
    hashes: sum(`${HASHES}_count`) ?? 0,
    hashesRefused: sum("ragauth_hashing_refused_total") ?? 0,
    places: sum("ragauth_hashing_places"),
    placesTaken: sum("ragauth_hashing_places_taken"),
    mails: sum("ragauth_outbox_mails"),
    oldestMail: sum("ragauth_outbox_oldest_seconds"),
    messages: sum("ragauth_outbox_webhooks"),
    oldestMessage: sum("ragauth_outbox_webhooks_oldest_seconds"),
    workers: sum("ragauth_workers"),
    isDatabaseUp: sum("ragauth_database_up") !== 0,
    areCountersUp: sum("ragauth_counters_up") !== 0,
    isRedisUp: sum("ragauth_redis_up") !== 0,
    failing: series.ragauth_failing_workers
      .filter(({ value }) => value > 0)
      .map(({ labels }) => `${labels.work}: ${labels.cause.replaceAll("_", " ")}`),
  };
}

/** What happened between two looks, by second; null where the service was started anew between them. */
export function between(before, after) {
  const seconds = (after.at - before.at) / 1000;
  if (seconds <= 0 || after.checks < before.checks) return null;
  const refusals = [...after.verdicts]
    .filter(([verdict]) => verdict !== ALLOWED)
    .map(([verdict, total]) => ({
      verdict,
      total,
      rate: Math.max(0, total - (before.verdicts.get(verdict) ?? 0)) / seconds,
    }))
    .filter(({ total }) => total > 0)
    .toSorted((one, other) => other.rate - one.rate || other.total - one.total);
  const checks = after.checks - before.checks;
  return {
    checks: checks / seconds,
    refused: refusals.reduce((all, { rate }) => all + rate, 0),
    milliseconds: checks > 0 ? (1000 * (after.seconds - before.seconds)) / checks : null,
    hashes: (after.hashes - before.hashes) / seconds,
    hashesRefused: (after.hashesRefused - before.hashesRefused) / seconds,
    refusals,
  };
}
