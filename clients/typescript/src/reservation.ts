/** What a check has reserved is settled in the end by what was used, however the work ends. */

import { RagauthError, Refused } from "./errors.js";
import type { Amounts, Settlement, Verdict } from "./types.js";

/**
 * What a verdict has reserved, and what was `used` of it by now; a meter that `used` does not name
 * was not used.
 *
 * Settling happens once, whoever asks for it first. It is repeated while ragauth is away, always
 * with the same amounts. If that does not help, what was reserved stays counted, and the log says
 * so with all that it takes to settle it later: the work is done, and its result must not be lost
 * over it. Then `settlement` is null, and `failure` tells why.
 */
export class Reservation {
  used: Amounts = {};
  settlement: Settlement | null = null;
  failure: RagauthError | null = null;
  readonly #settle: (reservationId: string, use: Amounts) => Promise<Settlement>;
  readonly #log: (message: string) => void;
  #settling: Promise<void> | null = null;

  constructor(
    readonly verdict: Verdict,
    settle: (reservationId: string, use: Amounts) => Promise<Settlement>,
    log: (message: string) => void,
  ) {
    if (!verdict.valid) throw new Refused(verdict);
    this.#settle = settle;
    this.#log = log;
  }

  /** Note that so much was used; more than was reserved is counted, too. */
  add(meter: string, amount = 1): void {
    this.used[meter] = (this.used[meter] ?? 0) + amount;
  }

  /** Settle it now, unless this has happened. A failure is no rejection: see `failure`. */
  settle(): Promise<void> {
    this.#settling ??= this.#close();
    return this.#settling;
  }

  async #close(): Promise<void> {
    const id = this.verdict.reservation_id;
    if (id === null) return;
    const use = { ...this.used };
    try {
      this.settlement = await this.#settle(id, use);
    } catch (failure) {
      if (!(failure instanceof RagauthError)) throw failure;
      this.failure = failure;
      this.#log(`${id} not settled, used ${JSON.stringify(use)}: ${failure.message}`);
    }
  }
}
