/** One request, one answer: JSON out, data in, and every failure as an ApiError. */

import { OPERATIONS } from "./operations.js";

const PROBE_MS = 4_000;

export const config = {};

export async function loadConfig() {
  const response = await fetch("/config.json");
  Object.assign(config, await response.json());
}

/** What the API said, or that it could not be reached (status 0). */
export class ApiError extends Error {
  constructor(status, error = {}, headers = new Headers()) {
    super(error.message ?? `The server answered ${status}.`);
    this.status = status;
    this.code = error.code ?? "UNREACHABLE";
    this.details = error.details ?? {};
    this.issues = this.details.issues ?? [];
    this.reason = this.details.reason;
    this.retryAfterSeconds = Number(headers.get("Retry-After")) || 0;
    this.requestId = headers.get("X-Request-Id");
    // RFC 6750: the token itself was refused, not a password that the body brought.
    this.isTokenRefused =
      status === 401 && (headers.get("WWW-Authenticate") ?? "").includes("error=");
  }
}

/**
 * Call an operation; resolves to the whole answer `{data, meta}`, or null where there is none. The
 * data of an operation that answers with a `file` is a File.
 */
export async function send(name, { path = {}, query = {}, body, token, csrf = false } = {}) {
  const operation = OPERATIONS[name];
  refuseUnknown(name, "query", query, operation.query);
  refuseUnknown(name, "body", body ?? {}, operation.body);
  const filled = operation.path.replace(/\{(\w+)\}/g, (_, part) => encodeURIComponent(path[part]));
  const url = new URL(config.api + filled);
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) url.searchParams.set(key, value);
  }
  const headers = {};
  if (operation.file) headers.Accept = operation.file;
  if (token) headers.Authorization = `Bearer ${token}`;
  if (csrf) headers["X-Ragauth-CSRF"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  let text;
  try {
    response = await fetch(url, {
      method: operation.method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      // For the refresh token's cookie, in an installation that keeps it there.
      credentials: "include",
      // The API says itself that its answers are not to be stored. Said here too, the browser would
      // not keep its leave (CORS) either, and ask for it before each call.
      referrerPolicy: "no-referrer",
    });
    text = await response.text();
  } catch {
    throw await unanswered();
  }
  const answer = parse(text);
  if (!response.ok) throw new ApiError(response.status, answer?.error, response.headers);
  if (text && answer === null && !operation.file) {
    throw new ApiError(502, { message: "What answered is not the API: is its address right?" });
  }
  if (operation.file) return { data: new File([text], nameOf(response), { type: operation.file }) };
  return answer;
}

/**
 * Why a call got no answer that this page may read: a browser tells no script whether the API is
 * away or has not listed the page's origin. Whether somebody is there can be asked without leave,
 * and a call that needs no preflight tells whether there is leave.
 */
async function unanswered() {
  const isAllowed = await isAnswered("/api/auth/me", "cors");
  if (!isAllowed && (await isAnswered("/healthz", "no-cors"))) {
    return new ApiError(0, {
      code: "ORIGIN_REFUSED",
      message: `This origin is not allowed: the API answers, but ${location.origin} is not in its RAGAUTH_CORS_ORIGINS.`,
    });
  }
  return new ApiError(0, {
    message: "The server cannot be reached. Check your connection and try again.",
  });
}

async function isAnswered(path, mode) {
  try {
    await fetch(config.api + path, {
      mode,
      credentials: "omit",
      cache: "no-store",
      signal: AbortSignal.timeout(PROBE_MS),
    });
    return true;
  } catch {
    return false;
  }
}

function nameOf(response) {
  const found = /filename="?([\w.-]+)/.exec(response.headers.get("Content-Disposition") ?? "");
  return found?.[1] ?? "export.json";
}

function refuseUnknown(name, place, given, declared = []) {
  for (const key of Object.keys(given)) {
    if (!declared.includes(key)) throw new TypeError(`${name}: ${key} is not in its ${place}`);
  }
}

/** A proxy in between may answer with something else. */
function parse(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}
