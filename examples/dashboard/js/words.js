/** What the API's failures are called to people. */

import { h } from "./dom.js";
import { duration } from "./format.js";

/** What to say of a failure that is no fault of a field. */
export function explain(error) {
  if (error.code === "RATE_LIMIT_EXCEEDED") {
    return error.retryAfterSeconds > 1
      ? `That was a little too often. Please try again in ${duration(error.retryAfterSeconds)}.`
      : "It is busy here just now. Please try again in a moment.";
  }
  if (error.code === "USAGE_LIMIT_EXCEEDED" && error.details.limit) {
    const what = error.details.limit === "max_agents" ? "agents" : "live API keys";
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

const MESSAGES = {
  "Invalid password": "This is not your password.",
  "Invalid code": "This code is wrong, or it was used before. Type the one that the app shows now.",
  "Another change was made at the same time":
    "Something else changed this at the same time. Please try again.",
  "This key has already been replaced by another":
    "This key was rotated already. Load the page again to see the new one.",
};

/** What to say of a fault of a field; `place` is where in a list it is. */
export function issueText({ path, message }) {
  const entry = typeof path[1] === "number" ? `Line ${path[1] + 1}: ` : "";
  const text = ISSUES.find(([pattern]) => pattern.test(message))?.[1];
  return entry + (text === undefined ? message : message.replace(/^.*$/, text));
}

const ISSUES = [
  [/^(Required|May not be (empty|null))$/, "Please fill this in"],
  [/^Must have 1 to \d+ entries$/, "Give one at least, and not too many"],
  [/^Must be in the future$/, "Choose a moment in the future"],
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
