/** One request, one answer: JSON out, data in, and every failure as an ApiError. */

import { OPERATIONS } from "./operations.js";

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

/** Call an operation; resolves to the whole answer `{data, meta}`, or null where there is none. */
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
      cache: "no-store",
      referrerPolicy: "no-referrer",
    });
    text = await response.text();
  } catch {
    throw new ApiError(0, {
      message: "The server cannot be reached. Check your connection and try again.",
    });
  }
  const answer = parse(text);
  if (!response.ok) throw new ApiError(response.status, answer?.error, response.headers);
  return answer;
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
