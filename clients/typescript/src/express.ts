/** Express, and whatever else has Node's requests and responses (Connect, Restify, node:http). */

import type { Client } from "./client.js";
import { Refused } from "./errors.js";
import { asked, remember, type Ask } from "./gate.js";
import type { Verdict } from "./types.js";
import { relayed } from "./verdicts.js";

export { verdictOf } from "./gate.js";

/** What is needed of a request. Express' `ip` minds its setting `trust proxy`. */
export interface IncomingRequest {
  headers: Record<string, string | string[] | undefined>;
  /** Names and values in turn, as they came; without it a second `Authorization` is not seen. */
  rawHeaders?: readonly string[] | undefined;
  ip?: string | undefined;
  socket?: { remoteAddress?: string | undefined };
}

/** What is needed of a response. */
export interface OutgoingResponse {
  statusCode: number;
  readonly headersSent: boolean;
  setHeader(name: string, value: string): unknown;
  end(body: string): unknown;
}

export type Next = (error?: unknown) => void;

/** A request as a question may be made from it, where its type is not named. */
type AnyRequest = IncomingRequest & { params: any; query: any; body?: any };

/**
 * Let only requests with a key that may do what is asked reach the next handler.
 *
 * `ask` is a question, or makes one of the request: an agent from the path, amounts from the body.
 * `verdictOf(request)` tells the handler whose key it is. Put a middleware for CORS before it: a
 * preflight request has no key.
 */
export function requireKey<R extends IncomingRequest = AnyRequest>(
  client: Client,
  ask: Ask<R> = {},
): (request: R, response: OutgoingResponse, next: Next) => void {
  return (request, response, next) => {
    const admit = async () => {
      const verdict = await client.check(presentedBy(request), await asked(ask, request));
      if (!verdict.valid) relay(verdict, response);
      else {
        remember(request, verdict);
        setHeaders(response, verdict.headers);
      }
      return verdict.valid;
    };
    admit().then((isAdmitted) => void (isAdmitted && next()), next);
  };
}

/** A handler of errors, the last of an application: it relays what a handler throws as Refused. */
export function relayRefusals(): (
  error: unknown,
  request: IncomingRequest,
  response: OutgoingResponse,
  next: Next,
) => void {
  return (error, _request, response, next) => {
    // Too late to be told: Express ends the connection.
    if (error instanceof Refused && !response.headersSent) relay(error.verdict, response);
    else next(error);
  };
}

function presentedBy({ headers, rawHeaders, ip, socket }: IncomingRequest) {
  return {
    authorization: one(rawHeaders ? named("authorization", rawHeaders) : headers["authorization"]),
    apiKey: one(headers["x-api-key"]),
    origin: one(headers["origin"]),
    clientIp: ip ?? socket?.remoteAddress,
  };
}

/** Node's `headers` has only the first of some. */
function named(name: string, rawHeaders: readonly string[]): string[] | undefined {
  const isNamed = (_: string, place: number) => rawHeaders[place - 1]?.toLowerCase() === name;
  const values = rawHeaders.filter((value, place) => place % 2 === 1 && isNamed(value, place));
  return values.length ? values : undefined;
}

/** Several are joined, as servers do it: two credentials are none. */
function one(values: string | string[] | undefined): string | undefined {
  return Array.isArray(values) ? values.join(", ") : values;
}

function relay(verdict: Verdict, response: OutgoingResponse): void {
  const [status, headers, body] = relayed(verdict);
  response.statusCode = status;
  setHeaders(response, headers);
  response.end(body);
}

function setHeaders(response: OutgoingResponse, headers: Record<string, string>): void {
  for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
}
