/** What a call throws: one class for each code of ragauth. */

import type { Issue, Verdict } from "./types.js";
import { refusal } from "./verdicts.js";

export interface About {
  /** Absent where there was no answer. */
  status?: number;
  details?: Record<string, unknown>;
  /** What to look for in ragauth's log. */
  requestId?: string | undefined;
  /** In seconds, where waiting helps. */
  retryAfter?: number | undefined;
  cause?: unknown;
}

/** ragauth refused a call, or did not answer it. */
export class RagauthError extends Error {
  override readonly name: string = "RagauthError";
  readonly code: string = "INTERNAL_ERROR";
  readonly status: number | undefined;
  /** What the code has beside its message. */
  readonly details: Record<string, unknown>;
  readonly requestId: string | undefined;
  readonly retryAfter: number | undefined;

  constructor(message: string, about: About = {}) {
    const { status, details = {}, requestId, retryAfter, cause } = about;
    const where = [status ?? "no answer", ...(requestId ? [`request ${requestId}`] : [])];
    super(`${message} (${where.join(", ")})`, cause === undefined ? {} : { cause });
    this.status = status;
    this.details = details;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/** 400, 405, 413, 415: the call itself is wrong; `issues` has each fault and its place. */
export class InvalidRequest extends RagauthError {
  override readonly name = "InvalidRequest";
  override readonly code = "VALIDATION_ERROR";

  get issues(): Issue[] {
    return (this.details["issues"] as Issue[] | undefined) ?? [];
  }
}

/** 401: the service key is wrong, expired or revoked. */
export class AuthenticationFailed extends RagauthError {
  override readonly name = "AuthenticationFailed";
  override readonly code = "AUTHENTICATION_ERROR";
}

/** 403: the service key lacks the scope of this call. */
export class NotAllowed extends RagauthError {
  override readonly name = "NotAllowed";
  override readonly code = "AUTHORIZATION_ERROR";
}

/** 404 */
export class NotFound extends RagauthError {
  override readonly name = "NotFound";
  override readonly code = "NOT_FOUND";
}

/** 409: the e-mail or external id is taken, or two changes met. */
export class Conflict extends RagauthError {
  override readonly name = "Conflict";
  override readonly code = "CONFLICT";
}

/** 429: too many calls in a short window. */
export class RateLimitExceeded extends RagauthError {
  override readonly name = "RateLimitExceeded";
  override readonly code = "RATE_LIMIT_EXCEEDED";
}

/** 429: a quota, or the plan's number of keys, is used up. */
export class UsageLimitExceeded extends RagauthError {
  override readonly name = "UsageLimitExceeded";
  override readonly code = "USAGE_LIMIT_EXCEEDED";
}

/** ragauth is out of reach, or what it needs is. */
export class Unavailable extends RagauthError {
  override readonly name = "Unavailable";
  override readonly code = "EXTERNAL_SERVICE_ERROR";
  /** False only where the call has certainly not been sent. */
  readonly mayHaveArrived: boolean;

  constructor(message: string, about: About & { mayHaveArrived?: boolean } = {}) {
    super(message, about);
    this.mayHaveArrived = about.mayHaveArrived ?? true;
  }
}

/** 500: a bug of ragauth. */
export class InternalError extends RagauthError {
  override readonly name = "InternalError";
}

/** What answered does not speak as ragauth does: is the URL right? */
export class UnexpectedAnswer extends RagauthError {
  override readonly name = "UnexpectedAnswer";
  override readonly code = "UNEXPECTED_ANSWER";
}

/** The request of a key's holder may not go on; `verdict` has the answer for it. */
export class Refused extends Error {
  override readonly name = "Refused";

  constructor(readonly verdict: Verdict) {
    super(verdict.message ?? verdict.code);
  }

  /** The answer; Hono asks for it wherever this is thrown. */
  getResponse(): Response {
    return refusal(this.verdict);
  }
}
