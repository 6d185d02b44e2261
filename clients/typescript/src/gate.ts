/** The check of a request at the door of a service: what all integrations share. */

import type { Question, Verdict } from "./types.js";
import { ownRefusal } from "./verdicts.js";

/** What a request shows: two headers of credentials, where it comes from, its `Origin`. */
export interface Presented {
  authorization?: string | null | undefined;
  apiKey?: string | null | undefined;
  clientIp?: string | null | undefined;
  origin?: string | null | undefined;
}

/** What a route asks: the same of every request, or made from the request at hand. */
export type Ask<R> = Question | ((request: R) => Question | Promise<Question>);

const BLANKS = /^[ \t]+|[ \t]+$/g;
const CREDENTIALS = /^([^ ]*)(?: +(.*))?$/;
const PLAIN = /^[\x20-\x7e]+$/;
const REALM = 'Bearer realm="ragauth"';
const LONGEST_IP = 100;
const LONGEST_ORIGIN = 1000;

/** What a request shows, from its headers. Its address is known to the server alone. */
export function presentedIn(headers: Headers, clientIp?: string | null): Presented {
  return {
    authorization: headers.get("Authorization"),
    apiKey: headers.get("X-API-Key"),
    origin: headers.get("Origin"),
    clientIp,
  };
}

/** The one key of a request (RFC 6750 section 2.1, `X-API-Key`), or why there is none. */
export function keyIn(presented: Presented): string | Verdict {
  const credentials = (presented.authorization ?? "").replace(BLANKS, "");
  const [, scheme = "", token = ""] = CREDENTIALS.exec(credentials) ?? [, "?"];
  if (!["", "bearer"].includes(scheme.toLowerCase()) || /[^\x21-\x7e]/.test(token)) {
    return malformed("The Authorization header must be: Bearer <credential>");
  }
  const key = (presented.apiKey ?? "").replace(BLANKS, "") || token;
  if (!key) {
    const challenge = { "WWW-Authenticate": REALM };
    return ownRefusal(
      401,
      "AUTHENTICATION_ERROR",
      "A credential is required",
      challenge,
      "missing",
    );
  }
  if (token && token !== key) {
    return malformed("Authorization and X-API-Key carry different credentials");
  }
  return key;
}

function malformed(message: string): Verdict {
  const challenge = `${REALM}, error="invalid_request", error_description="${message}"`;
  const headers = { "WWW-Authenticate": challenge };
  return ownRefusal(401, "AUTHENTICATION_ERROR", message, headers, "malformed");
}

/** Address and origin that ragauth reads; another text is no address and no origin, for it too. */
export function whereFrom({ clientIp, origin }: Presented) {
  return { client_ip: plain(clientIp, LONGEST_IP), origin: plain(origin, LONGEST_ORIGIN) };
}

function plain(text: string | null | undefined, longest: number): string | null {
  return text && text.length <= longest && PLAIN.test(text) ? text : null;
}

/** What is asked of one request. A function that forgets to return it must not ask for nothing. */
export async function asked<R>(ask: Ask<R>, request: R): Promise<Question> {
  const question = typeof ask === "function" ? await ask(request) : ask;
  if (!question || typeof question !== "object") throw new TypeError("there is no question");
  return question;
}

const verdicts = new WeakMap<object, Verdict>();

export function remember(request: object, verdict: Verdict): void {
  verdicts.set(request, verdict);
}

/**
 * The verdict on the key of a request behind `requireKey`: Express' request, or Hono's context.
 *
 * Throws where nobody has asked: a route without `requireKey` is no open door.
 */
export function verdictOf(request: object): Verdict {
  const verdict = verdicts.get(request);
  if (!verdict) throw new Error("there is no verdict: requireKey does not stand before this route");
  return verdict;
}
