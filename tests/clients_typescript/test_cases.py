"""Each case under `cases/`, run by node against the service."""

import re
from collections.abc import Mapping

import pytest

from tests.clients_typescript.conftest import CASES

_NAME = re.compile(r'^test\("([^"]+)"', re.MULTILINE)
_NAMES = [name for path in sorted(CASES.glob("*.ts")) for name in _NAME.findall(path.read_text())]


@pytest.mark.parametrize("name", _NAMES)
def test_case(outcomes: Mapping[str, str], name: str) -> None:
    fault = outcomes.get(name, str(outcomes))
    if fault:
        pytest.fail(fault, pytrace=False)
