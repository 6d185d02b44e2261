/** Verdicts: read from an answer, made without one, turned into the answer to a key's holder. */

import type { Verdict } from "./types.js";

const NOBODY = {
  account_id: null,
  key_id: null,
  agent_id: null,
  plan: null,
  features: null,
  scopes: null,
  environment: null,
  expires_at: null,
  metadata: null,
  reservation_id: null,
} as const;

/** Fails closed: throws TypeError for what is not plainly valid, and no whole refusal either. */
export function readVerdict(data: unknown): Verdict {
  const verdict = data as Verdict;
  const { valid, status, headers, body } = verdict;
  if (typeof valid !== "boolean" || !Number.isInteger(status) || valid !== status < 400) {
    throw new TypeError("a verdict is valid, or has the status of a refusal");
  }
  if (headers === null || typeof headers !== "object" || (!valid && !body?.error)) {
    throw new TypeError("a verdict has headers, and that of a refusal a body");
  }
  return { ...verdict, is_unchecked: false };
}

/** The verdict on a key that nobody was asked about. */
export function uncheckedVerdict(): Verdict {
  return {
    ...NOBODY,
    ...{ valid: true, code: "VALID", status: 200, headers: {}, body: null },
    ...{ reason: null, message: null, details: null, is_unchecked: true },
  };
}

/** A refusal that ragauth was not asked for, in the form of its own. */
export function ownRefusal(
  status: number,
  code: string,
  message: string,
  headers: Record<string, string>,
  reason?: string,
): Verdict {
  const details = reason === undefined ? null : { reason };
  const error = { code, message, ...(details && { details }) };
  return {
    ...NOBODY,
    ...{ valid: false, code, status, headers, message, details, reason: reason ?? null },
    body: { error } as Verdict["body"],
    is_unchecked: false,
  };
}

/** Status, headers and body of the whole answer that refuses a request. */
export function relayed(verdict: Verdict): [number, Record<string, string>, string] {
  const headers = { "Content-Type": "application/json", ...verdict.headers };
  return [verdict.status, headers, JSON.stringify(verdict.body)];
}

/** The answer that refuses a request, as a `Response`. */
export function refusal(verdict: Verdict): Response {
  if (verdict.valid) throw new TypeError("the verdict is valid: there is nothing to refuse");
  const [status, headers, body] = relayed(verdict);
  return new Response(body, { status, headers });
}
