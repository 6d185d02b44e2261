"""The shared file: it grows, it may be lost, and it is never trusted after a reboot."""

import stat
import threading
from functools import partial
from pathlib import Path

import lmdb
import pytest

from ragauth.counters import CountersUnavailable, LmdbCounters
from ragauth.counters.lmdb_file import LmdbFile
from tests.counters.fill_file import TINY, fill
from tests.counters.questions import NOW, ask, seed
from tests.counters.test_processes import run_module

# From another process: within one, LMDB refuses a second opening.
fill_elsewhere = partial(run_module, "tests.counters.fill_file")


def test_only_the_owner_may_read_it(lmdb_counters: LmdbCounters, lmdb_path: Path) -> None:
    lmdb_counters.ping()
    for path in lmdb_path.parent.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(list(lmdb_path.parent.iterdir())) == 2


def test_a_missing_folder_makes_it_unavailable(tmp_path: Path) -> None:
    store = LmdbCounters(tmp_path / "missing" / "counters.mdb")
    with pytest.raises(CountersUnavailable, match="cannot open"):
        store.ping()
    with pytest.raises(CountersUnavailable, match="cannot open"):
        ask(store)


class TestGrows:
    def test_it_grows_when_it_is_full_and_loses_nothing(self, lmdb_path: Path) -> None:
        store = LmdbCounters(lmdb_path, map_bytes=TINY)
        seed(store)
        for n in range(2_000):
            answer = ask(store, key=n.to_bytes(16, "big"), minute_limit=9_999, month_limit=9_999)
            assert answer is not None
            assert answer.month_used == n + 1
        assert lmdb_path.stat().st_size > TINY
        rows = store.changed_usage(9_999)
        assert len(rows) == 2_000
        store.usage_saved(rows)
        assert store.changed_usage(1) == []
        store.close()

    def test_it_keeps_blocks_for_every_byte(self, lmdb_path: Path) -> None:
        store = LmdbCounters(lmdb_path, map_bytes=TINY)
        fill(store, 1_000)
        status = lmdb_path.stat()
        assert status.st_blocks * 512 >= status.st_size > TINY
        store.close()

    def test_another_opener_never_makes_it_smaller(self, lmdb_path: Path) -> None:
        grown = LmdbCounters(lmdb_path, map_bytes=TINY)
        fill(grown, 1_000)
        size = lmdb_path.stat().st_size
        fill_elsewhere(lmdb_path, 5)
        assert lmdb_path.stat().st_size == size
        fill(grown, 1_000, b"y")
        grown.close()

    def test_processes_follow_each_other_in_growing(self, lmdb_path: Path) -> None:
        store = LmdbCounters(lmdb_path, map_bytes=TINY)
        store.ping()
        fill_elsewhere(lmdb_path, 2_000)
        assert store.hit(b"x" * 40 + b"1999", 1_000, NOW).count == 2
        fill(store, 4_000, b"z")
        store.close()

    def test_threads_may_fill_it_together(self, lmdb_path: Path) -> None:
        store = LmdbCounters(lmdb_path, map_bytes=TINY)
        threads = [threading.Thread(target=fill, args=(store, 500, b"%d" % n)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        for n in range(8):
            assert store.read_window(b"%d" % n * 40 + b"499", 1_000, NOW).count == 1
        store.close()

    def test_it_has_a_largest_size(self, lmdb_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("ragauth.counters.lmdb_file.MAX_MAP_BYTES", TINY)
        store = LmdbCounters(lmdb_path, map_bytes=TINY)
        with pytest.raises(CountersUnavailable, match="larger"):
            fill(store, 1_000)
        store.ping()
        store.close()

    def test_a_full_disk_is_an_error_and_no_crash(
        self, lmdb_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = LmdbCounters(lmdb_path, map_bytes=TINY)
        store.ping()

        def full(file: LmdbFile, size: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(LmdbFile, "_reserve", full)
        with pytest.raises(CountersUnavailable, match="No space left"):
            fill(store, 1_000)
        monkeypatch.undo()
        fill(store, 1_000)
        store.close()


class TestIsLost:
    def test_a_file_taken_away_is_made_anew_within_a_second(
        self, lmdb_counters: LmdbCounters, lmdb_path: Path
    ) -> None:
        seed(lmdb_counters)
        ask(lmdb_counters)
        source = lmdb_counters.source_id
        lmdb_path.unlink()
        assert ask(lmdb_counters, now_ms=NOW + 999) is not None
        assert ask(lmdb_counters, now_ms=NOW + 1_000) is None
        assert lmdb_counters.source_id != source
        assert lmdb_counters.changed_usage(10) == []

    @pytest.mark.parametrize("name", ["counters.mdb", "counters.mdb-guard"])
    def test_a_part_taken_away_while_closed_begins_a_new_lifetime(
        self, lmdb_counters: LmdbCounters, lmdb_path: Path, name: str
    ) -> None:
        seed(lmdb_counters)
        source = lmdb_counters.source_id
        lmdb_counters.close()
        lmdb_path.with_name(name).unlink()
        assert ask(lmdb_counters) is None
        assert lmdb_counters.source_id != source

    def test_nothing_is_trusted_after_a_reboot(
        self, lmdb_counters: LmdbCounters, lmdb_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = lmdb_counters.source_id
        lmdb_counters.close()
        assert lmdb_counters.source_id == source
        lmdb_counters.close()
        next_boot = lmdb_path.with_name("boot_id")
        next_boot.write_bytes(b"another boot\n")
        monkeypatch.setattr("ragauth.counters.lmdb_file._BOOT_ID", next_boot)
        new_source = lmdb_counters.source_id
        assert new_source != source
        lmdb_counters.close()
        assert lmdb_counters.source_id == new_source

    def test_a_file_of_a_newer_layout_is_refused_and_left_as_it_is(
        self, lmdb_counters: LmdbCounters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A newer version counts in it: to begin anew would be to count twice."""
        path = lmdb_counters._file.path
        monkeypatch.setattr("ragauth.counters.lmdb_file.LAYOUT", b"ragauth counters 2\n")
        seed(lmdb_counters)
        lmdb_counters.close()
        before = path.read_bytes()
        monkeypatch.undo()
        with pytest.raises(CountersUnavailable, match="a newer version of ragauth counts in it"):
            ask(lmdb_counters)
        assert path.read_bytes() == before

    def test_a_file_of_an_older_layout_is_not_read(
        self, lmdb_counters: LmdbCounters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source = lmdb_counters.source_id
        lmdb_counters.close()
        monkeypatch.setattr("ragauth.counters.lmdb_file.LAYOUT", b"ragauth counters 2\n")
        assert lmdb_counters.source_id != source

    def test_a_damaged_file_is_made_anew(
        self, lmdb_counters: LmdbCounters, lmdb_path: Path
    ) -> None:
        source = lmdb_counters.source_id
        lmdb_counters.close()
        lmdb_path.write_bytes(b"no database" * 1_000)
        assert lmdb_counters.source_id != source

    def test_a_file_that_cannot_be_read_leaves_nothing_open(
        self, lmdb_counters: LmdbCounters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def damaged(file: LmdbFile, env: object) -> None:
            raise lmdb.PanicError("mdb_txn_begin")

        monkeypatch.setattr(LmdbFile, "_read_identity", damaged)
        with pytest.raises(CountersUnavailable, match="mdb_txn_begin"):
            lmdb_counters.ping()
        monkeypatch.undo()
        lmdb_counters.ping()

    def test_a_disk_that_is_full_at_the_start_leaves_nothing_open(
        self, lmdb_counters: LmdbCounters, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(file: LmdbFile, size: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(LmdbFile, "_reserve", full)
        with pytest.raises(CountersUnavailable, match="No space left"):
            ask(lmdb_counters)
        monkeypatch.undo()
        lmdb_counters.ping()

    def test_an_error_that_is_no_damage_keeps_what_was_counted(
        self, lmdb_counters: LmdbCounters
    ) -> None:
        seed(lmdb_counters)

        def refused(txn: object) -> None:
            raise lmdb.ReadersFullError("mdb_txn_begin")

        with pytest.raises(CountersUnavailable, match="mdb_txn_begin"):
            lmdb_counters._file.transact(refused)
        assert ask(lmdb_counters) is not None

    def test_damage_found_while_counting_is_an_error_once(
        self, lmdb_counters: LmdbCounters
    ) -> None:
        seed(lmdb_counters)

        def damaged(txn: object) -> None:
            raise lmdb.CorruptedError("mdb_get")

        with pytest.raises(CountersUnavailable, match="mdb_get"):
            lmdb_counters._file.transact(damaged)
        assert ask(lmdb_counters) is None
        seed(lmdb_counters)
        assert ask(lmdb_counters) is not None
