"""The interface of counter stores: limits decided in one atomic step, usage kept until saved."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import sha256
from sys import maxsize
from typing import Literal, NamedTuple, Protocol, TypeAlias

from ragauth.deadlines import WouldWait

MINUTE_MS = 60_000
DAY_MS = 86_400_000
#: The clocks of hosts may differ by this much. A window that ends later than now + its length +
#: this was begun under a wrong clock: it keeps its count, and ends at now + its length.
SKEW_MS = 10_000
#: How long a reservation is kept after its end, settled or not.
RESERVATION_KEPT_MS = DAY_MS
#: How long the event of a report counts only once.
EVENT_KEPT_MS = 2 * DAY_MS

_LONGEST_RAW_NAME = 64

OUT_OF_REACH = "out of reach"


class CountersUnavailable(Exception):
    """The store cannot answer now: it is unreachable, full or damaged.

    `state` says why in an operator's words, without a secret: `/readyz` shows it to everybody.
    """

    def __init__(self, cause: str, state: str = OUT_OF_REACH) -> None:
        super().__init__(cause)
        self.state = state


class NewerCounters(CountersUnavailable):
    """A newer version counts in this store, in another format; no fallback may be used."""


class Tally(NamedTuple):
    """A count against one limit, beside the account's minute and month of requests.

    `owner` is the 16 bytes of the account, or of the key whose counts a key goes on with. `name`
    is the limit's own within the owner, for example `tokens/month` or `requests/10s/burst`; live
    and test count apart. A window of `length_ms` opens with the first thing that is counted in it.
    With a length of 0 the count belongs to `period`: yyyymmdd, yyyymm, or 0 for a total that never
    ends. `amount` is what is counted; more than `size` is refused. An amount of 0 opens no window,
    and is refused only where more than `size` was counted already. A question has each tally once.
    """

    owner: bytes
    name: bytes
    meter: bytes
    length_ms: int
    period: int
    size: int
    amount: int


class Use(NamedTuple):
    """What is used of one meter; `requests` are counted by themselves."""

    meter: bytes
    amount: int


class Reserve(NamedTuple):
    """A reservation to make: its uses are part of those of the charge.

    `token` is 16 random bytes. `ends_at_ms` is exact: from then on it cannot be settled. Settling
    adjusts the tallies of its meters, except those whose `amount` is not what the charge uses of
    their meter: a price of their own is not given back.
    """

    token: bytes
    ends_at_ms: int
    uses: tuple[Use, ...]


class Charge(NamedTuple):
    """One request of `cost` units, and the limits of the account that it is charged to.

    Accounts and keys are 16 bytes, an environment is 0 (live) or 1 (test), a month is yyyymm, a day
    yyyymmdd (UTC). Cost, limits and amounts are not negative.
    """

    account: bytes
    key: bytes
    environment: int
    minute_limit: int
    month_limit: int
    cost: int
    month: int
    day: int
    now_ms: int
    tallies: tuple[Tally, ...] = ()
    uses: tuple[Use, ...] = ()
    reserve: Reserve | None = None


class Count(NamedTuple):
    """What a tally's window has counted, and the Unix milliseconds at which it is over.

    0 for a `period`, whose end the caller knows. A window that is not open would end a length from
    now.
    """

    used: int
    resets_at_ms: int


class Shift(NamedTuple):
    """A change of a count: `by` is added, which may be negative, then it is kept within bounds.

    The same bound twice sets the count.
    """

    by: int
    at_least: int
    at_most: int


class Shifted(NamedTuple):
    """A count before and after a shift."""

    before: int
    after: int


class Report(NamedTuple):
    """An amount that was used already: it is counted past every limit, once for each `event`.

    `event` is the reporter's own name for it, unique in the account. `at_ms` is the moment when it
    was used; `day` and the periods of `tallies` are those of that moment. Of windows with a length
    it counts in those that are open now and were then.
    """

    account: bytes
    key: bytes
    environment: int
    day: int
    event: bytes
    uses: tuple[Use, ...]
    tallies: tuple[Tally, ...]
    now_ms: int
    at_ms: int


class Reported(NamedTuple):
    """The outcome of a report; `counts` are those after it, in the order of the tallies.

    There are none where the event `was_known`: nothing was counted then.
    """

    was_known: bool
    counts: tuple[Count, ...]


class Settled(NamedTuple):
    """The outcome of settling a reservation.

    `settled`: now, or by the same call before; `used` is what it comes to and `released` what was
    given back, both by meter. Otherwise nothing has changed: `other_amount` was settled before,
    the reservation is `over`, is `unknown`, or has `no_meter` of some of these names: `used` has
    those.
    """

    outcome: Literal["settled", "other_amount", "over", "unknown", "no_meter"]
    used: tuple[Use, ...] = ()
    released: tuple[Use, ...] = ()


class Admission(NamedTuple):
    """The answer to a charge; the numbers are those after it.

    `counts` are those of the tallies, in their order. A refusal has changed none of the numbers, so
    they tell which tallies refused: `refused_by` is "tally" only if neither minute nor month did.
    If a reservation was made, `store` names the store that keeps it: `settle` needs it. `token` is
    the reservation's: of the same request that an impatient thread asked first, if it was counted.
    """

    refused_by: Literal["minute", "month", "tally"] | None
    minute_used: int
    minute_resets_at_ms: int
    month_used: int
    counts: tuple[Count, ...] = ()
    store: str = ""
    token: bytes = b""


#: What `admit` returns, or would have raised.
Admitted: TypeAlias = Admission | Exception | WouldWait | None


def only(answers: Sequence[Admitted]) -> Admission | None:
    """The answer to a single charge; raises the error in its place."""
    if isinstance(answer := answers[0], BaseException):
        raise answer
    return answer


class Peek(NamedTuple):
    """What an account has used so far; `counts` are those of the tallies, in their order."""

    minute_used: int
    minute_resets_at_ms: int
    month_used: int
    counts: tuple[Count, ...] = ()


@dataclass(frozen=True, slots=True)
class Window:
    """A fixed window: hits so far, and the Unix milliseconds at which it is over."""

    count: int
    resets_at_ms: int


class Taken(NamedTuple):
    """Whether an amount fitted into a window, and the window afterwards: a refusal changes none."""

    is_taken: bool
    window: Window


class UsageRow(NamedTuple):
    """What one store has counted for one key on one day: totals, never a difference.

    `source_id` names the lifetime of the store that these totals belong to. Totals of one source
    only grow, so `max(saved, row)` for each source is exact however often a row is saved.
    """

    account: bytes
    key: bytes
    environment: int
    day: int
    requests: int
    units: int
    last_used_ms: int
    source_id: str


class MeterRow(NamedTuple):
    """What one store has counted of one meter, as `UsageRow`.

    Both totals only grow: what was used is `amount` - `released`.
    """

    account: bytes
    key: bytes
    environment: int
    day: int
    meter: str
    amount: int
    released: int
    source_id: str


#: What waits to be saved.
ChangedRow = UsageRow | MeterRow


class Counters(Protocol):
    """A store that decides limits for all workers at once.

    Each `now_ms` is Unix milliseconds from the caller. Accounts, keys, environments and months are
    as in a `Charge`. Every method may raise `CountersUnavailable`.
    """

    @property
    def source_id(self) -> str:
        """The random hex name of this store's lifetime; a lost or emptied store gets a new one."""

    def admit(self, charge: Charge) -> Admission | None:
        """Count the request if all limits allow it; a refusal counts nothing.

        The minute starts at the first counted request and lasts 60,000 ms. If month and minute
        refuse, the answer is "month", since waiting for the minute would not help. None means that
        the month, or a tally with a period, is not known here: read each from the database, call
        `seed_month` and `seed_tally`, ask again.
        """

    def admit_all(self, charges: Sequence[Charge]) -> list[Admitted]:
        """`admit` for each of several charges; what it would raise stands in its place."""

    def seed_month(self, account: bytes, environment: int, month: int, base_units: int) -> None:
        """Start the account's month at `base_units`, unless the store knows it already."""

    def seed_tally(
        self, account: bytes, environment: int, tally: Tally, base: int, now_ms: int
    ) -> None:
        """Start a tally with a period at `base`, unless the store knows it already.

        `account` is the one whose charges have the tally; size and amount do not matter.
        """

    def shift_tally(
        self, account: bytes, environment: int, tally: Tally, shift: Shift, now_ms: int
    ) -> Shifted | None:
        """Change the count of a tally with a period in one step; None if it is not known here.

        `account` is the one whose charges have the tally; size and amount do not matter.
        """

    def forget_tallies(self, account: bytes, environment: int, tallies: Collection[Tally]) -> None:
        """Drop tallies: those with a period are read from the database again, windows not open.

        `account` is the one whose charges had them; size and amount do not matter.
        """

    def peek(
        self,
        account: bytes,
        environment: int,
        month: int,
        now_ms: int,
        tallies: tuple[Tally, ...] = (),
    ) -> Peek | None:
        """Read without counting; None as for `admit`."""

    def report(self, report: Report) -> Reported | None:
        """Count what was used already, past all limits, if its event is not known yet.

        The event is known for `EVENT_KEPT_MS`. None as for `admit`: nothing was counted.
        """

    def settle(
        self, account: bytes, token: bytes, uses: tuple[Use, ...], now_ms: int, store: str
    ) -> Settled:
        """Replace what was reserved by what was used, in usage and in the tallies.

        A meter that is left out was not used. Windows that are over by now are left as they are.
        `store` is what `admit` told.
        """

    def hit(self, bucket: bytes, window_ms: int, now_ms: int, amount: int = 1) -> Window:
        """Add to a window that starts at its first hit and lasts `window_ms`.

        A negative amount gives back what was added; no count falls below 0.
        """

    def take(self, bucket: bytes, window_ms: int, now_ms: int, amount: int, size: int) -> Taken:
        """Add to a window as `hit` does, unless more than `size` would be in it then.

        What is refused is not counted. An amount of 0 is refused only where more than `size` was
        counted already.
        """

    def read_window(self, bucket: bytes, window_ms: int, now_ms: int) -> Window:
        """Read a window without adding to it; an unused window ends `window_ms` from now."""

    def clear_window(self, bucket: bytes) -> None:
        """Forget a window, as after a successful login."""

    def changed_usage(self, limit: int) -> list[ChangedRow]:
        """Return up to `limit` rows that changed since they were last saved, in fair turns."""

    def changed_usage_of(self, account: bytes, limit: int = maxsize) -> list[ChangedRow]:
        """Return all rows of one account, or up to `limit`, that changed since they were saved."""

    def unsaved_use(self, account: bytes, environment: int, key: bytes) -> int | None:
        """Return when the key was used last, in Unix milliseconds, if that may not be saved yet.

        As quick as a check, however many keys the account has.
        """

    def usage_to_seed(self, account: bytes) -> list[ChangedRow]:
        """Return the account's rows that must be added to those in the database for a seed.

        Call it before the database is read: a row that is saved in between is then in both, and the
        larger total of each row counts.
        """

    def usage_saved(self, rows: Sequence[ChangedRow]) -> None:
        """Un-mark the rows that have not changed since they were read."""

    def acquire_lease(self, name: bytes, holder: bytes, ttl_ms: int, now_ms: int) -> bool:
        """Take or extend a lease for `ttl_ms`; False while another holder has it."""

    def forget_account(self, account: bytes) -> None:
        """Drop the limits of a deleted account; usage that was not saved yet stays.

        A store that cannot find its tallies and reservations lets them end by themselves.
        """

    def prune(self, now_ms: int, keep_days: int = 40) -> bool:
        """Drop a bounded number of stale records; True while the pass is unfinished."""

    def ping(self) -> None:
        """Raise `CountersUnavailable` unless the store answers."""

    def close(self) -> None:
        """Close files and connections; a later call opens them again."""


def bounded_name(name: bytes) -> bytes:
    """Return a short name for a bucket or lease of any length; different for each one."""
    # The prefixes r and h keep a raw name from being taken for the hash of another.
    return b"r" + name if len(name) <= _LONGEST_RAW_NAME else b"h" + sha256(name).digest()
