/** What the API's failures are called to people. */

import { h } from "./dom.js";
import { duration } from "./format.js";
import { isRefusal, refusalText } from "./limits.js";

/** What to say of a failure that is no fault of a field. */
export function explain(error) {
  if (isRefusal(error.details)) {
    return MESSAGES[error.message] ?? refusalText(error.details, error.retryAfterSeconds);
  }
  if (error.code === "RATE_LIMIT_EXCEEDED") {
    return error.retryAfterSeconds > 1
      ? `That was a little too often. Please try again in ${duration(error.retryAfterSeconds)}.`
      : "It is busy here just now. Please try again in a moment.";
  }
  const what = COUNTED.get(error.details.limit);
  if (what) {
    return `Your plan has room for ${error.details.size} ${what}, and all are in use. Remove one, or move to a larger plan.`;
  }
  if (error.reason === "account_suspended") {
    return "This account is suspended. Please write to support.";
  }
  if (error.code === "NOT_FOUND") {
    return "This is not there any more. It may have been removed in another window: load the page again.";
  }
  if (error.status === 503) return "The service is catching its breath. Please try again shortly.";
  if (error.code === "INTERNAL_ERROR") {
    return "Something went wrong on the server. If it stays, tell support the number below.";
  }
  return MESSAGES[error.message] ?? error.message;
}

const COUNTED = new Map([
  ["max_agents", "agents"],
  ["max_keys", "live API keys"],
]);

const MESSAGES = {
  "Invalid password": "This is not your password.",
  "Invalid code": "This code is wrong, or it was used before. Type the one that the app shows now.",
  "Another change was made at the same time":
    "Something else changed this at the same time. Please try again.",
  "The plan has no test keys": "Your plan has no test keys. Use a live key, or move to another plan.",
  "This key has already been replaced by another":
    "This key was rotated already. Load the page again to see the new one.",
};

/** What to say of a fault of a field, to which so many steps of its path lead: where in it, and what. */
export function issueText({ path, message }, depth = 1) {
  const rest = path.slice(depth);
  const isLine = typeof rest[0] === "number";
  const entry = isLine ? `Line ${rest[0] + 1}: ` : rest.length ? `${rest.join(" › ")}: ` : "";
  const text = ISSUES.find(([pattern]) => pattern.test(message))?.[1];
  return entry + (text === undefined ? message : message.replace(/^.*$/, text));
}

const ISSUES = [
  [/^(Required|May not be (empty|null))$/, "Please fill this in"],
  [/^Must have 1 to \d+ entries$/, "Give one at least, and not too many"],
  [/^Must be in the future$/, "Choose a moment in the future"],
  [/^Must be minute, hour, day/, "Write 100ms to 30 days, such as 10s"],
  [
    /^There is a limit of this meter and window already$/,
    "Another limit says that already: change it, or give both a name",
  ],
];

/** The number of a request by which support finds it in the log; null where there was no answer. */
export function reference(error) {
  if (!error.requestId) return null;
  return h("p", { class: "reference" }, "Request ", h("code", {}, error.requestId));
}

/** The words and the number. */
export function failure(error) {
  return [h("p", {}, explain(error)), reference(error)];
}

const REASONS = new Map(
  Object.entries({
    missing: "The request had no key: send it as “Authorization: Bearer …” or as “X-API-Key: …”.",
    malformed: "What was sent is no key: look for a missing or an added character.",
    invalid: "There is no such key.",
    expired: "The key has expired. Make a new one, or give it a later end.",
    revoked: "The key was revoked, or replaced by another.",
    wrong_credential_type: "What was sent is no API key.",
    insufficient_scope: "The key has not the scope that the request needs: edit the key's scopes.",
    wrong_agent: "The key is bound to another agent.",
    ip_not_allowed:
      "The request came from an address that is not among the key's allowed addresses.",
    origin_not_allowed: "The page is on an origin that is not among the key's origins.",
    https_required: "The request came over plain HTTP: use HTTPS.",
  }),
);

/** Why a program was refused, of its answer as `readAnswer()` reads it. */
export function explainAnswer({ error, waitSeconds }) {
  const { code, message, details } = error;
  const words = explain({
    code,
    message,
    details: details ?? {},
    reason: details?.reason,
    retryAfterSeconds: waitSeconds,
  });
  return REASONS.get(details?.reason) ?? words;
}
