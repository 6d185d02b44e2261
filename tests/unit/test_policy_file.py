"""The policy file: what it may say, and all its faults at once, each with its place."""

import pytest

from ragauth.policy import (
    DEFAULT_POLICY,
    MINUTE,
    MONTH,
    FaultyPolicy,
    Limit,
    Meter,
    Plan,
    Policy,
    Scope,
    describe_policy,
    read_policy,
    read_window,
)
from tests.cases import for_each

TRIAL = "[plans.trial]\nmax_keys = 3\nmax_agents = 4\n"
SCOPE = '[scopes.read]\ndescription = "Read"\n'


def read(text: str) -> Policy:
    return read_policy(text.encode())


def faults(text: str | bytes) -> dict[str, str]:
    """The messages by place."""
    with pytest.raises(FaultyPolicy) as caught:
        read_policy(text.encode() if isinstance(text, str) else text)
    found = {fault.place: fault.message for fault in caught.value.faults}
    assert len(found) == len(caught.value.faults)
    return found


class TestWithoutAFile:
    def test_the_plans_are_the_contracts(self) -> None:
        told = {
            name: (
                plan.requests_per_minute,
                plan.requests_per_month,
                plan.max_keys,
                plan.max_agents,
            )
            for name, plan in DEFAULT_POLICY.plans.items()
        }
        assert told == {
            "trial": (60, 1_000, 5, 2),
            "starter": (300, 50_000, 10, 10),
            "pro": (1_200, 1_000_000, 50, 100),
            "scale": (6_000, 20_000_000, 500, 1_000),
        }

    def test_the_scopes_are_the_contracts(self) -> None:
        scopes = DEFAULT_POLICY.scopes
        assert DEFAULT_POLICY.usual_scopes == ("query", "ingest", "manage")
        assert [name for name in scopes if scopes[name].is_account_wide] == ["manage"]
        assert [name for name in scopes if scopes[name].is_publishable] == ["query"]
        assert set(DEFAULT_POLICY.meters) == {"requests"}
        assert not DEFAULT_POLICY.open_scopes

    def test_an_account_whose_plan_has_gone_has_the_first_plans_limits(self) -> None:
        assert DEFAULT_POLICY.plan("gone") is DEFAULT_POLICY.plans["trial"]
        assert DEFAULT_POLICY.plan(None) is DEFAULT_POLICY.plans["trial"]


class TestReads:
    def test_an_empty_file_changes_nothing(self) -> None:
        for text in ("", "# nothing\n", "\ufeff", "open_scopes = false\r\n"):
            assert describe_policy(read(text)) == describe_policy(DEFAULT_POLICY)

    def test_its_plans_replace_the_default_ones_and_nothing_else(self) -> None:
        policy = read(TRIAL + TRIAL.replace("trial", "gold-2"))
        assert policy.plans == {
            "trial": Plan("trial", 3, 4, ()),
            "gold-2": Plan("gold-2", 3, 4, ()),
        }
        assert policy.scopes == DEFAULT_POLICY.scopes

    def test_its_scopes_replace_the_default_ones_and_nothing_else(self) -> None:
        policy = read(
            SCOPE
            + '[scopes."docs.write:all"]\ndescription = "W"\naccount_wide = true\n'
            + '[scopes.train]\ndescription = "T"\ngrant = "operator"\npublishable = true\n'
            + '[scopes.own]\ndescription = "O"\ngrant = "owner"\n'
        )
        assert list(policy.scopes.values()) == [
            Scope("read", "Read"),
            Scope("docs.write:all", "W", is_account_wide=True),
            Scope("train", "T", is_publishable=True, for_operators=True),
            Scope("own", "O"),
        ]
        assert policy.usual_scopes == ("read", "docs.write:all", "own")
        assert policy.plans == DEFAULT_POLICY.plans

    def test_meters_come_beside_requests(self) -> None:
        text = '[meters.tokens]\ndescription = "In and out"\n[meters.pages]\n'
        assert list(read(text).meters.values()) == [
            DEFAULT_POLICY.meters["requests"],
            Meter("tokens", "In and out"),
            Meter("pages", "pages"),
        ]

    def test_requests_may_be_described_and_is_not_one_of_the_eight(self) -> None:
        text = '[meters.requests]\ndescription = "Calls"\n'
        text += "".join(f"[meters.m{number}]\n" for number in range(8))
        meters = read(text).meters
        assert meters["requests"] == Meter("requests", "Calls")
        assert len(meters) == 9

    def test_limits_are_read_by_meter_and_window(self) -> None:
        policy = read(
            "[meters.tokens]\n"
            + TRIAL
            + "limits.requests = { 60s = 60, month = 1_000 }\n"
            + "limits.tokens = { 250ms = 5, total = 0 }"
        )
        trial = policy.plans["trial"]
        assert trial.limits == (
            Limit("requests", MINUTE, 60),
            Limit("requests", MONTH, 1_000),
            Limit("tokens", read_window("250ms"), 5),
            Limit("tokens", read_window("total"), 0),
        )
        assert (trial.requests_per_minute, trial.requests_per_month) == (60, 1_000)

    def test_a_plan_may_lack_limits_and_test_keys_and_have_features(self) -> None:
        trial = read(TRIAL + 'test = false\nfeatures = ["rerank", "gpt-4o"]').plans["trial"]
        assert trial == Plan("trial", 3, 4, (), ("rerank", "gpt-4o"), has_test_keys=False)
        assert trial.requests_per_minute is trial.requests_per_month is None
        assert read(TRIAL + "test = true").plans["trial"].has_test_keys

    def test_the_bounds_are_within(self) -> None:
        text = TRIAL.replace("3", str(10**12)).replace("4", "0")
        scopes = "".join(SCOPE.replace("read", f"s{number}") for number in range(99))
        policy = read(text + scopes + SCOPE.replace("read", "a" * 50))
        assert len(policy.scopes) == 100
        windows = ", ".join(f"{number}s = {10**12}" for number in range(1, 11))
        assert len(read(f"{TRIAL}limits.requests = {{ {windows} }}").plans["trial"].limits) == 10


class TestFaults:
    @for_each(
        ("text", "place"),
        [
            ("", "plans.trial"),
            ("gold.max_keys = 1\ngold.max_agents = 1", "plans.trial"),
            ("trial = 5", "plans.trial"),
            *(
                (f"trial.max_agents = 1\ntrial.max_keys = {value}", "plans.trial.max_keys")
                for value in (-1, 10**12 + 1, "true", "1.0", "1e3", '"3"', "[]", "1979-05-27")
            ),
            ("trial.max_keys = 1", "plans.trial.max_agents"),
            ("trial = {max_keys = 1, max_agents = 1, surplus = 1}", "plans.trial.surplus"),
            ('trial = {max_keys = 1, max_agents = 1, "a b" = 1}', 'plans.trial."a b"'),
            *(
                (f"trial = {{max_keys = 1, max_agents = 1, test = {value}}}", "plans.trial.test")
                for value in (0, '"false"')
            ),
        ],
    )
    def test_of_plans(self, text: str, place: str) -> None:
        assert list(faults(f"[plans]\n{text}")) == [place]

    @for_each("name", ['"a b"', "Gold", "a_b", '""', "x" * 51, '"gold\\n"'])
    def test_of_plans_names(self, name: str) -> None:
        text = f"{TRIAL}[plans.{name}]\nmax_keys = 1\nmax_agents = 1"
        assert list(faults(text)) == [f"plans.{name}"]

    @for_each(
        ("limits", "place"),
        [
            ("5", "limits"),
            ("{ requests = 5 }", "limits.requests"),
            ("{ pages = { minute = 1 } }", "limits.pages"),
            ("{ requests = { week = 1 } }", "limits.requests.week"),
            ("{ requests = { 99ms = 1 } }", "limits.requests.99ms"),
            ("{ requests = { 0s = 1 } }", "limits.requests.0s"),
            ("{ requests = { 31d = 1 } }", "limits.requests.31d"),
            ("{ requests = { minute = 1, 60s = 1 } }", "limits.requests.60s"),
            ("{ requests = { 3600s = 1, hour = 1 } }", "limits.requests.hour"),
            ("{ requests = { 60000ms = 1, 60s = 1 } }", "limits.requests.60s"),
            ("{ requests = { minute = true } }", "limits.requests.minute"),
            ("{ requests = { minute = -1 } }", "limits.requests.minute"),
            ("{ tokens = { total = 1_000_000_000_001 } }", "limits.tokens.total"),
            ("{ tokens = { total = 1.5 } }", "limits.tokens.total"),
            (
                "{ tokens = { minute = 1 }, requests = {"
                + ", ".join(f"{number}s = 1" for number in range(1, 11))
                + "} }",
                "limits",
            ),
        ],
    )
    def test_of_limits(self, limits: str, place: str) -> None:
        text = f"[meters.tokens]\n{TRIAL}limits = {limits}"
        assert list(faults(text)) == [f"plans.trial.{place}"]

    @for_each(
        ("text", "place"),
        [
            ("[scopes]", "scopes"),
            ("scopes = 1", "scopes"),
            ("[scopes]\nread = 1", "scopes.read"),
            ("[scopes.read]", "scopes.read.description"),
            ('[scopes.read]\ndescription = ""', "scopes.read.description"),
            ('[scopes.read]\ndescription = "  "', "scopes.read.description"),
            ('[scopes.read]\ndescription = "a\\nb"', "scopes.read.description"),
            (f'[scopes.read]\ndescription = "{"x" * 501}"', "scopes.read.description"),
            ("[scopes.read]\ndescription = 1", "scopes.read.description"),
            (SCOPE + "wide = true", "scopes.read.wide"),
            (SCOPE + "account_wide = 1", "scopes.read.account_wide"),
            (SCOPE + 'publishable = "true"', "scopes.read.publishable"),
            (SCOPE + 'grant = "nobody"', "scopes.read.grant"),
            (SCOPE + "grant = true", "scopes.read.grant"),
            *(
                (SCOPE.replace("read", json), f"scopes.{json}")
                for json in ('"a b"', "Read", "1read", "x" * 51, '""', '"read\\n"', "-a")
            ),
            ("".join(SCOPE.replace("read", f"s{n}") for n in range(101)), "scopes"),
        ],
    )
    def test_of_scopes(self, text: str, place: str) -> None:
        assert list(faults(text)) == [place]

    @for_each(
        ("text", "place"),
        [
            ("meters = []", "meters"),
            ("[meters]\ntokens = 1", "meters.tokens"),
            ("[meters.tokens]\nunit = 1", "meters.tokens.unit"),
            ("[meters.tokens]\ndescription = false", "meters.tokens.description"),
            ("[meters.requests]\ndescription = 5", "meters.requests.description"),
            ("[meters.Tokens]", "meters.Tokens"),
            ("[meters.a-b]", "meters.a-b"),
            (f"[meters.{'x' * 32}]", f"meters.{'x' * 32}"),
            ("".join(f"[meters.m{number}]\n" for number in range(9)), "meters"),
            ("open_scopes = 1", "open_scopes"),
            ("surplus = 1", "surplus"),
        ],
    )
    def test_of_meters_and_the_rest(self, text: str, place: str) -> None:
        assert list(faults(text)) == [place]

    @for_each(
        ("features", "place"),
        [
            ('"rerank"', "features"),
            ("[1]", "features[0]"),
            ('["a", "two words"]', "features[1]"),
            ('["a", ""]', "features[1]"),
            ('["a\\r\\n"]', "features[0]"),
            ('["a", "b", "a"]', "features[2]"),
            (str([f"f{number}" for number in range(51)]), "features"),
        ],
    )
    def test_of_features(self, features: str, place: str) -> None:
        assert list(faults(f"{TRIAL}features = {features}")) == [f"plans.trial.{place}"]

    def test_all_are_told_at_once(self) -> None:
        text = """
open_scopes = "no"
[scopes.Query]
description = 5
[meters.tokens]
unit = "t"
[plans.gold]
max_keys = true
limits = { tokens = { minute = -1, 60s = 2 }, pages = { day = 1 } }
features = [1]
"""
        assert set(faults(text)) == {
            *("open_scopes", "scopes.Query", "scopes.Query.description", "meters.tokens.unit"),
            *("plans.trial", "plans.gold.max_keys", "plans.gold.max_agents"),
            *("plans.gold.limits.tokens.minute", "plans.gold.limits.tokens.60s"),
            *("plans.gold.limits.pages", "plans.gold.features[0]"),
        }

    @for_each(
        ("content", "line"),
        [
            (b"[plans.trial", 1),
            (b"a = 1\n\nb = ", 3),
            (b"a = 1\nb c\n", 2),
            (b"a = 1\na = 2", 2),
            (b"a = 1\n# \xff", 2),
            (b"a = 2026-02-30", 1),
        ],
    )
    def test_where_it_is_no_toml_its_line_is_the_place(self, content: bytes, line: int) -> None:
        assert list(faults(content)) == [f"line {line}"]

    @pytest.mark.parametrize("content", [b"a = " + b"[" * 100_000, b"a = " + b"9" * 5_000])
    def test_what_python_cannot_read_is_a_fault_too(self, content: bytes) -> None:
        assert len(faults(content)) == 1

    def test_a_plan_as_it_was_written_before_is_told_how_it_is_now(self) -> None:
        message = faults("[trial]\nrequests_per_minute = 60\nmax_keys = 5")["trial"]
        assert "[plans.trial]" in message
