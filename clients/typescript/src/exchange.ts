/**
 * How a call is sent, repeated and read.
 *
 * It is the one place that decides what may be repeated. A check counts what it allows, so it is
 * sent again only where it has certainly not been sent; every other call does the same when it
 * arrives twice as when it arrives once.
 */

import {
  AuthenticationFailed,
  Conflict,
  InternalError,
  InvalidRequest,
  NotAllowed,
  NotFound,
  RagauthError,
  RateLimitExceeded,
  Unavailable,
  UnexpectedAnswer,
  UsageLimitExceeded,
} from "./errors.js";
import { VERSION } from "./version.js";

/** Times in milliseconds. `timeoutMs` is for each try, `verifyTimeoutMs` for a check in all. */
export interface Settings {
  url: string;
  serviceKey: string;
  timeoutMs: number;
  verifyTimeoutMs: number;
  waitsMs: readonly number[];
  fetch: typeof globalThis.fetch;
}

/** One call of a route. */
export interface Call<T> {
  method: "GET" | "POST" | "PATCH" | "DELETE";
  path: string;
  /** Makes the result from the answer's JSON, undefined for a 204. Throws TypeError. */
  read: (answer: unknown) => T;
  query?: object;
  body?: object;
  /** A POST under /internal that arrives twice with it is carried out once. */
  idempotencyKey?: string;
  /** A check: over in `verifyTimeoutMs`, and never sent twice. */
  isCheck?: boolean;
  signal?: AbortSignal | undefined;
}

interface Answer {
  status: number;
  headers: Headers;
  text: string;
}

const BY_CODE: Record<string, new (message: string, about: object) => RagauthError> = {
  VALIDATION_ERROR: InvalidRequest,
  AUTHENTICATION_ERROR: AuthenticationFailed,
  AUTHORIZATION_ERROR: NotAllowed,
  NOT_FOUND: NotFound,
  CONFLICT: Conflict,
  RATE_LIMIT_EXCEEDED: RateLimitExceeded,
  USAGE_LIMIT_EXCEEDED: UsageLimitExceeded,
  EXTERNAL_SERVICE_ERROR: Unavailable,
  INTERNAL_ERROR: InternalError,
};
// A longer wait that ragauth asks for is the caller's to decide on.
const LONGEST_WAIT_MS = 5_000;
const IS_GATEWAYS_OUTAGE = [502, 503, 504];

/** Throws RagauthError, and the reason of the call's signal. */
export async function carryOut<T>(call: Call<T>, settings: Settings): Promise<T> {
  const ends = call.isCheck ? performance.now() + settings.verifyTimeoutMs : Infinity;
  let mayHaveArrived = false;
  for (let tries = 0; ; tries += 1) {
    try {
      const left = Math.min(call.isCheck ? Infinity : settings.timeoutMs, ends - performance.now());
      return read(await send(call, settings, left), call);
    } catch (failure) {
      // An earlier try has deleted it, and its answer was lost.
      if (failure instanceof NotFound && call.method === "DELETE" && mayHaveArrived) {
        return call.read(undefined);
      }
      const wait = settings.waitsMs[tries];
      if (wait === undefined || !helpsToRepeat(failure, call, mayHaveArrived)) throw failure;
      const pause = Math.max(wait * (0.75 + Math.random() / 2), (failure.retryAfter ?? 0) * 1000);
      if (pause > LONGEST_WAIT_MS || performance.now() + pause >= ends) throw failure;
      mayHaveArrived ||= arrived(failure);
      await sleep(pause, call.signal);
    }
  }
}

/** Whether ragauth is away or too busy, rather than asked wrongly. */
export function isOutage(failure: RagauthError): boolean {
  return [Unavailable, RateLimitExceeded, InternalError].some((kind) => failure instanceof kind);
}

function helpsToRepeat<T>(
  failure: unknown,
  call: Call<T>,
  mayHaveArrived: boolean,
): failure is RagauthError {
  if (!(failure instanceof RagauthError)) return false;
  if (!arrived(failure)) return true;
  if (call.isCheck) return false;
  // An earlier try may still be under way; another conflict is answered as one again.
  if (failure instanceof Conflict) return mayHaveArrived && call.idempotencyKey !== undefined;
  return failure instanceof Unavailable || failure instanceof RateLimitExceeded;
}

function arrived(failure: RagauthError): boolean {
  return !(failure instanceof Unavailable) || failure.mayHaveArrived;
}

/** One try. Throws Unavailable where there is no answer in time. */
async function send<T>(call: Call<T>, settings: Settings, timeoutMs: number): Promise<Answer> {
  const { signal, body, idempotencyKey } = call;
  signal?.throwIfAborted();
  const url = new URL(settings.url + call.path);
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined && value !== null) url.searchParams.set(name, String(value));
  }
  const headers: Record<string, string> = {
    "X-API-Key": settings.serviceKey,
    "User-Agent": `ragauth-client-typescript/${VERSION}`,
    Accept: "application/json",
    ...(body && { "Content-Type": "application/json" }),
    ...(idempotencyKey !== undefined && { "Idempotency-Key": idempotencyKey }),
  };
  const text = body && JSON.stringify(body);
  const ended = new AbortController();
  const cancel = () => ended.abort(signal?.reason);
  signal?.addEventListener("abort", cancel);
  const timer = setTimeout(() => ended.abort(new Error("no answer in time")), timeoutMs);
  try {
    const response = await settings.fetch(url, {
      method: call.method,
      headers,
      ...(text !== undefined && { body: text }),
      // Followed, a redirect would carry the service key to another host.
      redirect: "manual",
      signal: ended.signal,
    });
    return { status: response.status, headers: response.headers, text: await response.text() };
  } catch (cause) {
    signal?.throwIfAborted();
    const message = `ragauth does not answer: ${describe(cause)}`;
    throw new Unavailable(message, { mayHaveArrived: !isUnsent(cause), cause });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", cancel);
  }
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", cancel);
      resolve();
    }, ms);
    if (signal?.aborted) cancel();
    else signal?.addEventListener("abort", cancel, { once: true });
  });
}

interface SystemError {
  code?: string;
  syscall?: string;
  message?: string;
  cause?: SystemError;
  errors?: SystemError[];
}

/** Whether the connection was never made. Only Node and Bun tell; elsewhere nothing is certain. */
function isUnsent(error: unknown): boolean {
  const { code, syscall, cause, errors } = (error ?? {}) as SystemError;
  if (cause) return isUnsent(cause);
  // One for each address of the host that was tried.
  if (errors?.length) return errors.every(isUnsent);
  return (
    syscall === "connect" ||
    syscall === "getaddrinfo" ||
    code === "UND_ERR_CONNECT_TIMEOUT" ||
    code === "ConnectionRefused"
  );
}

function describe(error: unknown): string {
  const { code, message, cause } = (error ?? {}) as SystemError;
  return cause ? describe(cause) : code || message || String(error);
}

function read<T>(answer: Answer, call: Call<T>): T {
  if (answer.status < 200 || answer.status >= 300) throw failureIn(answer);
  try {
    return call.read(answer.text ? JSON.parse(answer.text) : undefined);
  } catch (cause) {
    throw unexpected(answer, cause);
  }
}

/** The error of an answer. */
function failureIn(answer: Answer): RagauthError {
  try {
    const { code, message, details } = JSON.parse(answer.text).error;
    const kind = Object.hasOwn(BY_CODE, code) ? BY_CODE[code] : undefined;
    if (!kind || typeof message !== "string") throw new TypeError(`an unknown code: ${code}`);
    return new kind(message, { ...aboutOf(answer), details: details ?? {} });
  } catch (cause) {
    return unexpected(answer, cause);
  }
}

/** The error of an answer that is none of ragauth's; a gateway answers so while it is away. */
function unexpected(answer: Answer, cause: unknown): RagauthError {
  const kind = IS_GATEWAYS_OUTAGE.includes(answer.status) ? Unavailable : UnexpectedAnswer;
  return new kind("what answered does not speak as ragauth does", { ...aboutOf(answer), cause });
}

function aboutOf({ status, headers }: Answer) {
  const seconds = headers.get("Retry-After") ?? "";
  return {
    status,
    requestId: headers.get("X-Request-Id") ?? undefined,
    retryAfter: /^\d{1,9}$/.test(seconds) ? Number(seconds) : undefined,
  };
}
