"""A database in small, and a caller: what the tests of lost servers share."""

from ragauth.counters import ChangedRow, Counters, MeterRow
from tests.counters.questions import ACCOUNT, ask, seed


class Saved:
    """What the database has: of each row of each source the highest total."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, bytes, bytes, int], int] = {}

    def save(self, store: Counters) -> list[ChangedRow]:
        rows = store.changed_usage(100)
        for row in rows:
            if isinstance(row, MeterRow):
                continue
            name = (row.source_id, row.account, row.key, row.day)
            self._rows[name] = max(self._rows.get(name, 0), row.requests)
        store.usage_saved(rows)
        return rows

    @property
    def requests(self) -> int:
        return sum(self._rows.values())


def admit(store: Counters, times: int, saved: int = 0, account: bytes = ACCOUNT) -> None:
    """Ask so often, all of which must be admitted; the database knows of `saved` units."""
    for _ in range(times):
        answer = ask(store, account=account)
        if answer is None:
            seed(store, saved, account)
            answer = ask(store, account=account)
        assert answer is not None
        assert answer.refused_by is None
