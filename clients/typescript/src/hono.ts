/** Hono, on every runtime that it has. What a handler throws as Refused, Hono itself relays. */

import type { Client } from "./client.js";
import { asked, presentedIn, remember, type Ask } from "./gate.js";
import { refusal } from "./verdicts.js";

export { verdictOf } from "./gate.js";

/** What is needed of a context. */
export interface HonoContext {
  env: any;
  req: { raw: { headers: Headers } };
  res: Response;
  header(name: string, value: string): void;
}

/** A context as a question may be made from it, where its type is not named. */
export interface AnyContext extends HonoContext {
  req: HonoContext["req"] & {
    param(name: string): any;
    query(name: string): string | undefined;
    header(name: string): string | undefined;
    json(): Promise<any>;
  };
}

export interface HonoOptions<C> {
  /**
   * Where the key's holder calls from; undefined where this is not known, as for keys with allowed
   * addresses it must be. Left out, it is the peer that `@hono/node-server` tells: behind a proxy
   * or on another runtime, say it here.
   */
  clientIp?: (context: C) => string | undefined;
}

/**
 * Let only requests with a key that may do what is asked reach the next handler.
 *
 * `ask` is a question, or makes one of the context: an agent from the path, amounts from the body.
 * `verdictOf(context)` tells the handler whose key it is. Put a middleware for CORS before it: a
 * preflight request has no key.
 */
export function requireKey<C extends HonoContext = AnyContext>(
  client: Client,
  ask: Ask<C> = {},
  { clientIp = peerOf }: HonoOptions<C> = {},
): (context: C, next: () => Promise<void>) => Promise<Response | undefined> {
  return async (context, next) => {
    const presented = presentedIn(context.req.raw.headers, clientIp(context));
    const verdict = await client.check(presented, await asked(ask, context));
    if (!verdict.valid) return refusal(verdict);
    remember(context, verdict);
    await next();
    for (const [name, value] of Object.entries(verdict.headers)) {
      if (!context.res.headers.has(name)) context.header(name, value);
    }
    return undefined;
  };
}

function peerOf(context: HonoContext): string | undefined {
  return context.env?.incoming?.socket?.remoteAddress;
}
