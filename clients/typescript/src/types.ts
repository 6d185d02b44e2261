/** Names for the shapes of ragauth's document that its callers see. */

import type { components, operations } from "./openapi.js";

type Schemas = components["schemas"];

/** Amounts by meter: `{ tokens: 1200 }`. */
export type Amounts = Record<string, number>;

/** What a key is asked for, beside the key itself; all of it may be left out. */
export type Question = Omit<Schemas["Verify"], "key" | "client_ip" | "origin">;
/** A question, with where the key's holder calls from. */
export type VerifyQuestion = Omit<Schemas["Verify"], "key">;

/**
 * Whether a key may do what was asked.
 *
 * `status`, `headers` and `body` are for the key's holder: the whole answer where the key is
 * refused; where it is valid, `headers` tell what is left of its limits.
 */
export type Verdict = Schemas["Verdict"] & {
  /**
   * ragauth was out of reach, and `onUnavailable: "allow"` let the request in: whose key it is, and
   * whether it is one, is not known, and nothing was counted.
   */
  is_unchecked: boolean;
};

/** What a reservation came to, by meter; `released` was given back. */
export type Settlement = Schemas["Settled"];
/** What a key used. `id` is yours, and counts once in 48 hours, however often it is sent. */
export type UsageEvent = Schemas["UsageEvent"];
/** How many events were counted now and before; `rejected` has `id` and `reason` of the rest. */
export type Report = Schemas["Reported"];

export type Account = Schemas["InternalAccount"];
export type NewAccount = Schemas["NewInternalAccount"];
export type AccountChanges = Schemas["InternalAccountChanges"];
export type AccountQuery = Query<"listAccounts">;
export type Key = Schemas["Key"];
/** A new key with its raw form, `api_key`, which is never shown again. */
export type IssuedKey = Schemas["IssuedKey"];
export type NewKey = Schemas["NewManagedKey"];
export type KeyChanges = Schemas["ManagedKeyChanges"];
export type KeyQuery = Query<"listAccountKeys">;
export type Issue = Schemas["Issue"];

/** Newest first; `next_cursor` asks for what follows, and is null at the end. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;
