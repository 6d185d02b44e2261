"""The witness tells of every promise that is broken, and of none that a fault excuses."""

import json
from pathlib import Path

import pytest

from tests.cases import for_each
from tests.soak.asking import Answer
from tests.soak.checkers import judge_burst
from tests.soak.faults import FAULTS
from tests.soak.hosts import LogPipe
from tests.soak.known import Key, Uses
from tests.soak.oracle import Excuse, Oracle
from tests.soak.stage import KINDS

ENVELOPE = json.dumps({"error": {"code": "ANY", "message": "Some words"}}).encode()


def answer(
    status: int | None,
    *,
    began: float = 100.0,
    seconds: float = 0.01,
    path: str = "/api/v1/authorize",
    retry_after: str | None = "1",
    body: bytes = ENVELOPE,
) -> Answer:
    headers = {} if retry_after is None else {"retry-after": retry_after}
    return Answer("a", "GET", path, began, began + seconds, status, headers, body)


def broken(oracle: Oracle) -> set[str]:
    oracle.settle(all_of_them=True)
    return {promise for promise, _ in oracle.counts}


def suffering(*excuses: Excuse, ended: float | None = None) -> Oracle:
    """A witness of a fault that began at 90, and of the 10 seconds after it."""
    oracle = Oracle()
    window = oracle.begin("a fault", excuses, within_seconds=10)
    window.began, window.ended = 90.0, ended
    return oracle


def heard(oracle: Oracle, *answers: Answer) -> set[str]:
    for each in answers:
        oracle.hear(each)
    return broken(oracle)


class TestEveryAnswer:
    def test_what_is_as_it_should_be_breaks_nothing(self) -> None:
        assert heard(Oracle(), *map(answer, (200, 401, 403, 404, 429))) == set()

    @for_each(
        ("wrong", "promise"),
        [
            (answer(None), "every request is answered"),
            (answer(503), "no 503 without a fault that excuses it"),
            (answer(500), "never a 500"),
            (answer(502), "never a 500"),
            (answer(401, body=b"<html>"), "a refusal has the envelope"),
            (answer(401, body=b'{"error": "text"}'), "a refusal has the envelope"),
            (answer(200, seconds=3.5), "checks are answered within 3 s"),
            (answer(200, seconds=11, path="/api/auth/me"), "requests are answered within 10 s"),
        ],
    )
    def test_what_is_not_is_told(self, wrong: Answer, promise: str) -> None:
        assert heard(Oracle(), wrong) == {promise}

    @for_each(
        ("excuse", "excused"),
        [
            (Excuse.REFUSED, answer(503)),
            (Excuse.UNANSWERED, answer(None)),
            (Excuse.SLOW, answer(200, seconds=4)),
        ],
    )
    def test_a_fault_excuses_what_it_names_until_its_seconds_are_over(
        self, excuse: Excuse, excused: Answer
    ) -> None:
        others = set(Excuse) - {excuse}
        assert heard(suffering(excuse), excused) == set()
        assert heard(suffering(excuse, ended=91.0), excused) == set()
        assert heard(suffering(*others), excused) != set()
        assert heard(suffering(excuse, ended=89.0), excused) != set()

    def test_nothing_excuses_a_500_or_a_503_without_a_time_to_come_again(self) -> None:
        assert heard(suffering(*Excuse), answer(500)) == {"never a 500"}
        assert heard(suffering(*Excuse), answer(503, retry_after=None)) == {
            "a 503 says when to come again"
        }

    def test_a_machine_that_delays_the_bystander_too_excuses_what_is_late(self) -> None:
        late = answer(200, seconds=3.5)
        oracle = Oracle()
        oracle.delayed(101.0, 0.3)
        assert heard(oracle, late) == set()
        oracle = Oracle()
        oracle.delayed(50.0, 0.3)
        assert heard(oracle, late) == {"checks are answered within 3 s"}


class TestHealth:
    @for_each(
        ("wrong", "promise"),
        [
            (answer(None, path="/healthz"), "/healthz answers"),
            (answer(503, path="/healthz"), "/healthz answers 200 whatever is away"),
            (answer(200, path="/healthz", seconds=0.2), "/healthz answers within 100 ms"),
        ],
    )
    def test_refused_dependencies_excuse_nothing_of_it(self, wrong: Answer, promise: str) -> None:
        oracle = suffering(Excuse.REFUSED)
        oracle.hear_health(wrong)
        assert broken(oracle) == {promise}

    def test_a_process_that_is_away_excuses_that_nothing_answers(self) -> None:
        oracle = suffering(Excuse.UNANSWERED)
        oracle.hear_health(answer(None, path="/healthz"))
        oracle.hear_health(answer(200, path="/healthz", seconds=0.09))
        assert broken(oracle) == set()


class TestKeys:
    def judged(self, key: Key, status: int, *, began: float = 100.0) -> set[str]:
        oracle = suffering(*Excuse)
        key.judge(oracle, answer(status, began=began), status)
        return broken(oracle)

    def test_one_whose_end_was_acknowledged_before_the_question_is_never_accepted(self) -> None:
        assert self.judged(Key("raw", "key_1", Uses(), dead=99.0), 200) == {
            "a dead key is never accepted"
        }
        # The question may have been answered before the key's end.
        assert self.judged(Key("raw", "key_1", Uses(), dead=100.005), 200) == set()

    def test_one_that_was_refused_never_comes_back_even_if_its_end_is_uncertain(self) -> None:
        key = Key("raw", "key_1", Uses(), end_sent=99.0)
        assert self.judged(key, 200) == set()
        assert self.judged(key, 401) == set()
        assert self.judged(key, 200, began=100.5) == {"a dead key is never accepted"}

    def test_one_that_nobody_ended_is_never_refused(self) -> None:
        refused = "a live key is never refused as unknown or revoked"
        assert self.judged(Key("raw", "key_1", Uses()), 401) == {refused}
        assert self.judged(Key("raw", "key_1", Uses(), end_sent=101.0), 401) == {refused}

    def test_a_far_limit_refuses_nothing_and_a_near_one_does(self) -> None:
        far = Key("raw", "key_1", Uses())
        near = Key("raw", "key_2", Uses(), is_limited=True)
        assert self.judged(far, 429) == {"a limit that is far away refuses nothing"}
        assert self.judged(near, 429) == set()

    def test_what_is_counted_is_bounded_by_what_was_let_through_and_what_is_unknown(self) -> None:
        uses = Uses()
        for status in (200, 200, 401, 429, 503, None):
            uses.hear(answer(status), status)
        assert uses.bounds(Oracle()) == (2, 4)
        assert uses.bounds(suffering(Excuse.COUNTS_LOST)) == (0, 4)
        assert uses.bounds(suffering(Excuse.COUNTS_TWICE)) == (2, 6)


class TestLimits:
    def judged(self, oracle: Oracle, admitted: int, refused: int = 8) -> set[str]:
        answers = [answer(200)] * admitted + [answer(429)] * refused
        judge_burst(oracle, answers, limit=20, hosts=2)
        return broken(oracle)

    def test_without_a_fault_exactly_the_limit_is_let_through(self) -> None:
        assert self.judged(Oracle(), 20) == set()
        assert self.judged(Oracle(), 21) == {"no more is let through than the limit allows"}
        assert self.judged(Oracle(), 19) == {"what the limit allows is let through"}

    def test_while_hosts_count_alone_once_more_for_each_host(self) -> None:
        assert self.judged(suffering(Excuse.ALONE), 60) == set()
        assert self.judged(suffering(Excuse.ALONE), 61) != set()
        assert self.judged(suffering(Excuse.REFUSED), 21) != set()

    def test_a_host_that_says_that_it_counts_alone_excuses_it_too(self) -> None:
        oracle = Oracle()
        oracle.stood_alone(98.0, 99.5)
        assert self.judged(oracle, 60) == set()
        oracle = Oracle()
        oracle.stood_alone(90.0, 91.0)
        assert self.judged(oracle, 21) != set()


class TestLogs:
    @pytest.mark.parametrize(
        ("line", "promise"),
        [
            (f"key rag_live_{'a' * 36}", "no secret stands in the log"),
            ("token eyJhbGciOiJF.eyJzdWIiOiJh.c2ln", "no secret stands in the log"),
            ("password otters-in-the-reeds 1a", "no secret stands in the log"),
            ("Traceback (most recent call last):\\n ...", "no stack stands in the log"),
        ],
    )
    def test_a_secret_or_a_stack_in_a_line_is_told(
        self, tmp_path: Path, line: str, promise: str
    ) -> None:
        assert read(tmp_path, "a line before", line, "a line after") == [promise]

    def test_what_a_pipe_holds_that_was_not_read_for_a_while_is_read_later(
        self, tmp_path: Path
    ) -> None:
        assert read(tmp_path, "password otters-in-the-reeds 1a", held=True) == [
            "no secret stands in the log"
        ]

    def test_other_lines_are_kept_and_not_told(self, tmp_path: Path) -> None:
        assert read(tmp_path, "an otter", "rag_live_a1b2") == []
        assert (tmp_path / "kept.log").read_text() == "an otter\nrag_live_a1b2\n"


def read(folder: Path, *lines: str, held: bool = False) -> list[str]:
    """What a host's log pipe tells of these lines."""
    told: list[str] = []
    log = LogPipe(folder / "pipe", folder / "kept.log", lambda promise, _: told.append(promise))
    if held:
        log.hold()
    with (folder / "pipe").open("w") as pipe:
        pipe.write("".join(f"{line}\n" for line in lines))
    if held:
        assert told == []
    log.close()
    return told


def test_each_fault_has_a_name_of_its_own_and_a_stage() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    for fault in FAULTS:
        assert fault.kinds
        assert fault.kinds <= set(KINDS)
        least, most = fault.seconds
        assert 0 <= least <= most <= 15
        assert fault.within_seconds <= 15
        assert fault.__doc__
