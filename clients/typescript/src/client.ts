/** The client: each call of ragauth as a method. */

import { InvalidRequest, RagauthError } from "./errors.js";
import { carryOut, isOutage, type Call, type Settings } from "./exchange.js";
import { keyIn, whereFrom, type Presented } from "./gate.js";
import { Reservation } from "./reservation.js";
import type {
  Account,
  AccountChanges,
  AccountQuery,
  Amounts,
  IssuedKey,
  Key,
  KeyChanges,
  KeyQuery,
  NewAccount,
  NewKey,
  Page,
  Question,
  Report,
  Settlement,
  UsageEvent,
  Verdict,
  VerifyQuestion,
} from "./types.js";
import { ownRefusal, readVerdict, uncheckedVerdict } from "./verdicts.js";
import { webCrypto } from "./web-crypto.js";

/** Times in milliseconds. */
export interface ClientOptions {
  /** For each try of a call (10,000). */
  timeoutMs?: number;
  /** For a check in all (2,000). */
  verifyTimeoutMs?: number;
  /**
   * What a check says while ragauth is out of reach: "refuse" (503), or "allow", which lets
   * everybody in, unchecked and uncounted.
   */
  onUnavailable?: "refuse" | "allow";
  /** A call that may be repeated is, after each of these ([100, 500, 2,000]). */
  waitsMs?: readonly number[];
  fetch?: typeof globalThis.fetch;
  /** Where it says what nobody else would see; the console. */
  log?: Pick<Console, "warn" | "error">;
}

export interface CallOptions {
  /** Ends the call with the signal's reason. */
  signal?: AbortSignal;
}

export interface PostOptions extends CallOptions {
  /** Its own for each call; give one that you keep, if you repeat a call yourself. */
  idempotencyKey?: string;
}

const ACCOUNTS = "/api/v1/internal/accounts";
const KEYS = "/api/v1/internal/api-keys";
// No key is longer; a text that is cut here is refused as the whole would be.
const LONGEST_KEY = 4096;
// A timer of more ends at once.
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const HTTP = /^https?:\/\//;
const PRINTABLE = /^[\x21-\x7e]+$/;
const IDEMPOTENCY_KEY = /^[\x20-\x7e]{1,255}$/;
const AGENT = "agent_id";

/** Name an account by your own id for it, wherever its id may stand. */
export function byExternalId(externalId: string): string {
  return `ext:${externalId}`;
}

/**
 * ragauth, asked with a service key.
 *
 * One client is meant to live as long as the program. What a call throws is in errors.ts.
 */
export class Client {
  readonly #settings: Settings;
  readonly #onUnavailable: "refuse" | "allow";
  readonly #log: Pick<Console, "warn" | "error">;

  /** Throws TypeError for what cannot work, a variable that is not set among it. */
  constructor(
    url: string | undefined,
    serviceKey: string | undefined,
    options: ClientOptions = {},
  ) {
    if (!url || !HTTP.test(url)) {
      throw new TypeError(`ragauth's URL must begin with http:// or https://, not be "${url}"`);
    }
    // `fetch` refuses some of these, and that must not look like an outage.
    const { username, password, search, hash } = new URL(url);
    if (username || password || search || hash) {
      throw new TypeError("ragauth's URL has no user, no query and no fragment");
    }
    if (!serviceKey || !PRINTABLE.test(serviceKey)) {
      throw new TypeError("the service key is empty, or has characters that no key has");
    }
    this.#onUnavailable = options.onUnavailable ?? "refuse";
    if (!["refuse", "allow"].includes(this.#onUnavailable)) {
      throw new TypeError('onUnavailable is "refuse" or "allow"');
    }
    this.#log = options.log ?? console;
    const { timeoutMs = 10_000, verifyTimeoutMs = 2_000 } = options;
    if (![timeoutMs, verifyTimeoutMs].every((ms) => ms > 0 && ms <= LONGEST_TIMER_MS)) {
      throw new TypeError("a time-out is more than 0 ms, and at most 24 days");
    }
    this.#settings = {
      url: url.replace(/\/+$/, ""),
      serviceKey,
      timeoutMs,
      verifyTimeoutMs,
      waitsMs: options.waitsMs ?? [100, 500, 2_000],
      // Looked up at each call: what watches a program puts its own in the place of this one.
      fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    };
  }

  /**
   * Ask whether a key may do this, and count it if so (scope `verify`).
   *
   * A refusal is a verdict, not an error. So is an outage: with `onUnavailable: "refuse"` the
   * verdict is 503, with "allow" it is valid and `is_unchecked`. It is over within
   * `verifyTimeoutMs` and is never sent twice, since the first one may have been counted. Throws
   * InvalidRequest for a question that ragauth does not understand, as a scope that its policy does
   * not declare, and TypeError for one that says undefined.
   */
  async verify(
    key: string,
    question: VerifyQuestion = {},
    { signal }: CallOptions = {},
  ): Promise<Verdict> {
    refuseUndefined(question);
    const body = { ...question, key: key.slice(0, LONGEST_KEY) };
    const read = (answer: unknown) => readVerdict(dataOf(answer));
    try {
      return await this.#call({
        ...{ method: "POST", path: "/api/v1/keys/verify", read, body, signal },
        isCheck: true,
      });
    } catch (failure) {
      if (!(failure instanceof RagauthError) || failure instanceof InvalidRequest) throw failure;
      return this.#verdictWithout(failure);
    }
  }

  /** The verdict where ragauth gave none. */
  #verdictWithout(failure: RagauthError): Verdict {
    if (isOutage(failure) && this.#onUnavailable === "allow") {
      this.#log.warn(`ragauth: let in without a check: ${failure.message}`);
      return uncheckedVerdict();
    }
    // A service key that is refused, or another server at the URL, is no outage: it would let in
    // everybody, for good.
    this.#log.error(`ragauth: refused without a check: ${failure.message}`);
    const message = "The request cannot be authorised at the moment";
    return ownRefusal(503, "EXTERNAL_SERVICE_ERROR", message, { "Retry-After": "2" });
  }

  /**
   * Ask about a request that was presented: `verify` with the key that its headers carry.
   *
   * A request without one, or with two different ones, is refused here, as ragauth does it.
   */
  async check(
    presented: Presented,
    question: Question = {},
    options: CallOptions = {},
  ): Promise<Verdict> {
    const key = keyIn(presented);
    if (typeof key !== "string") return key;
    try {
      return await this.verify(key, { ...question, ...whereFrom(presented) }, options);
    } catch (failure) {
      // The caller chose it, in a path: no agent has such an id.
      if (failure instanceof InvalidRequest && isOnlyAbout(AGENT, failure)) {
        return ownRefusal(404, "NOT_FOUND", "There is no such agent", {});
      }
      throw failure;
    }
  }

  /**
   * Replace what a check reserved by what was used; the rest is given back (scope `verify`).
   *
   * The same call again has the same answer. Throws Conflict for another amount, and for a
   * reservation that has ended; NotFound for an unknown one.
   */
  settle(reservationId: string, use: Amounts, options: CallOptions = {}): Promise<Settlement> {
    const body = { reservation_id: reservationId, use };
    return this.#call({ ...post("/api/v1/usage/settle", body), ...options });
  }

  /** Count what 1 to 1,000 events of the last 48 hours used, each id once (scope `verify`). */
  report(events: readonly UsageEvent[], options: CallOptions = {}): Promise<Report> {
    return this.#call({ ...post("/api/v1/usage/report", { events }), ...options });
  }

  /**
   * Do work whose size is known only afterwards: what the verdict has reserved is settled by what
   * the work noted in `reservation.used`, also where it fails. Throws Refused for a verdict that is
   * not valid, and InvalidRequest for amounts of what was not reserved.
   */
  async withReservation<T>(
    verdict: Verdict,
    work: (reservation: Reservation) => T | Promise<T>,
  ): Promise<T> {
    const reservation = this.settling(verdict);
    let result: T;
    try {
      result = await work(reservation);
    } finally {
      await reservation.settle();
    }
    // Amounts of a meter that was never reserved: a mistake of the program, to be seen.
    if (reservation.failure instanceof InvalidRequest) throw reservation.failure;
    return result;
  }

  /** What a verdict has reserved, for work that ends elsewhere; its `settle` must be called. */
  settling(verdict: Verdict): Reservation {
    return new Reservation(
      verdict,
      (reservationId, use) => this.settle(reservationId, use),
      (message) => this.#log.error(`ragauth: ${message}`),
    );
  }

  /**
   * Make an account for a customer (scope `accounts`).
   *
   * Throws Conflict where the e-mail or the external id is taken.
   */
  createAccount(account: NewAccount, options: PostOptions = {}): Promise<Account> {
    return this.#make(ACCOUNTS, account, options);
  }

  getAccount(account: string, options: CallOptions = {}): Promise<Account> {
    return this.#call({ ...get(pathOf(ACCOUNTS, account), dataOf<Account>), ...options });
  }

  /** Accounts that fit all that is given, up to `limit` of them (50; 1 to 100). */
  listAccounts(query: AccountQuery = {}, options: CallOptions = {}): Promise<Page<Account>> {
    return this.#call({ ...get(ACCOUNTS, pageOf<Account>, query), ...options });
  }

  /** Set plan, status, limits, external id or metadata; takes effect at the next check. */
  changeAccount(
    account: string,
    changes: AccountChanges,
    options: CallOptions = {},
  ): Promise<Account> {
    return this.#call({ ...patch<Account>(pathOf(ACCOUNTS, account), changes), ...options });
  }

  /** Erase an account; its keys and sessions are dead at once. */
  deleteAccount(account: string, options: CallOptions = {}): Promise<void> {
    return this.#call({ ...remove(pathOf(ACCOUNTS, account)), ...options });
  }

  /**
   * Make a managed key (scope `keys`); its raw form is shown this once.
   *
   * Throws UsageLimitExceeded where the plan has no room for another one.
   */
  createKey(account: string, key: NewKey, options: PostOptions = {}): Promise<IssuedKey> {
    return this.#make(pathOf(ACCOUNTS, account, "api-keys"), key, options);
  }

  /** The account's keys, managed ones and its owner's, up to `limit` of them (50; 1 to 100). */
  listKeys(account: string, query: KeyQuery = {}, options: CallOptions = {}): Promise<Page<Key>> {
    const path = pathOf(ACCOUNTS, account, "api-keys");
    return this.#call({ ...get(path, pageOf<Key>, query), ...options });
  }

  getKey(keyId: string, options: CallOptions = {}): Promise<Key> {
    return this.#call({ ...get(pathOf(KEYS, keyId), dataOf<Key>), ...options });
  }

  /** Change what a key may do; takes effect on its next request. */
  changeKey(keyId: string, changes: KeyChanges, options: CallOptions = {}): Promise<Key> {
    return this.#call({ ...patch<Key>(pathOf(KEYS, keyId), changes), ...options });
  }

  /** Replace a key; the old one works for `graceSeconds` (0 to 604,800). */
  rotateKey(keyId: string, graceSeconds = 0, options: PostOptions = {}): Promise<IssuedKey> {
    return this.#make(pathOf(KEYS, keyId, "rotate"), { grace_seconds: graceSeconds }, options);
  }

  /** Revoke a key; it is dead as soon as this resolves. */
  revokeKey(keyId: string, options: CallOptions = {}): Promise<void> {
    return this.#call({ ...remove(pathOf(KEYS, keyId)), ...options });
  }

  async #make<T>(path: string, body: object, options: PostOptions): Promise<T> {
    const idempotencyKey = options.idempotencyKey ?? (await webCrypto()).randomUUID();
    if (!IDEMPOTENCY_KEY.test(idempotencyKey)) {
      throw new TypeError("an Idempotency-Key has 1 to 255 printable ASCII characters");
    }
    return this.#call({ ...post<T>(path, body), idempotencyKey, signal: options.signal });
  }

  #call<T>(call: Call<T>): Promise<T> {
    return carryOut(call, this.#settings);
  }
}

/**
 * A name that was misspelt (`request.params.agnet`) must not ask less than was meant: what is
 * undefined would not be sent.
 */
function refuseUndefined(question: VerifyQuestion): void {
  for (const [name, value] of Object.entries(question)) {
    if (value === undefined) throw new TypeError(`the question's ${name} is undefined`);
  }
}

function get<T>(path: string, read: (answer: unknown) => T, query: object = {}): Call<T> {
  return { method: "GET", path, read, query };
}

function post<T>(path: string, body: object): Call<T> {
  return { method: "POST", path, read: dataOf<T>, body };
}

function patch<T>(path: string, body: object): Call<T> {
  return { method: "PATCH", path, read: dataOf<T>, body };
}

function remove(path: string): Call<void> {
  return { method: "DELETE", path, read: () => undefined };
}

/** A path with a name as one segment; an empty one, or dots, would make it another path. */
function pathOf(base: string, name: string, ...more: string[]): string {
  if (/^\.*$/.test(name)) throw new TypeError(`"${name}" is no id`);
  return [base, encodeURIComponent(name), ...more].join("/");
}

function dataOf<T>(answer: unknown): T {
  const { data } = answer as { data: T };
  if (data === null || typeof data !== "object") throw new TypeError("an answer has data");
  return data;
}

function pageOf<T>(answer: unknown): Page<T> {
  const { meta } = answer as { meta: { next_cursor: string | null } };
  return { items: dataOf<T[]>(answer), next_cursor: meta.next_cursor };
}

function isOnlyAbout(field: string, { issues }: InvalidRequest): boolean {
  return issues.length === 1 && issues[0]?.path[0] === field;
}
