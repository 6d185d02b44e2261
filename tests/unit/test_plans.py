"""Plans from a TOML file, checked at the start."""

from pathlib import Path

import pytest

from ragauth.config import SettingsError
from ragauth.services.limits.plans import DEFAULT_PLANS, Plan, load_plans, plan_of

TRIAL = """
[trial]
requests_per_minute = 1
requests_per_month = 2
max_keys = 3
max_agents = 4
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "plans.toml"
    path.write_text(text)
    return path


def test_without_a_file_the_plans_are_the_contracts() -> None:
    plans = load_plans(None)
    assert plans["trial"] == Plan("trial", 60, 1_000, 5, 2)
    assert plans["starter"] == Plan("starter", 300, 50_000, 10, 10)
    assert plans["pro"] == Plan("pro", 1_200, 1_000_000, 50, 100)
    assert plans["scale"] == Plan("scale", 6_000, 20_000_000, 500, 1_000)


def test_a_file_replaces_them_all(tmp_path: Path) -> None:
    plans = load_plans(write(tmp_path, TRIAL + TRIAL.replace("trial", "gold-2")))
    assert plans == {"trial": Plan("trial", 1, 2, 3, 4), "gold-2": Plan("gold-2", 1, 2, 3, 4)}


def test_a_plan_may_have_no_test_keys(tmp_path: Path) -> None:
    plan = load_plans(write(tmp_path, TRIAL + "test = false"))["trial"]
    assert plan == Plan("trial", 1, 2, 3, 4, test=False)
    assert plan.in_environment("live") is plan
    assert plan.in_environment("test") == Plan("trial", 0, 0, 3, 4, test=False)
    assert load_plans(write(tmp_path, TRIAL + "test = true"))["trial"] == Plan("trial", 1, 2, 3, 4)


def test_an_account_whose_plan_has_gone_has_the_first_plans_limits() -> None:
    assert plan_of("gone", DEFAULT_PLANS) is DEFAULT_PLANS["trial"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "there is no plan trial"),
        ("trial = 5", "plan trial: must be a table"),
        ("[trial", "cannot read"),
        (TRIAL.replace("max_keys = 3", ""), "plan trial: max_keys must be a whole number"),
        (TRIAL.replace("max_keys = 3", "max_keys = -1"), "max_keys must be a whole number"),
        (TRIAL.replace("max_keys = 3", 'max_keys = "3"'), "max_keys must be a whole number"),
        (TRIAL.replace("max_keys = 3", "max_keys = true"), "max_keys must be a whole number"),
        (TRIAL + "surplus = 1", "plan trial: unknown setting surplus"),
        (TRIAL + "test = 0", "plan trial: test must be true or false"),
        (TRIAL + 'test = "false"', "plan trial: test must be true or false"),
        (TRIAL + '["a b"]', "plan a b: its name must be letters"),
    ],
)
def test_a_file_that_does_not_fit_stops_the_start_and_says_why(
    tmp_path: Path, text: str, fault: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_plans(write(tmp_path, text))
    assert str(caught.value).startswith("RAGAUTH_PLANS_FILE: ")
    assert fault in str(caught.value)
