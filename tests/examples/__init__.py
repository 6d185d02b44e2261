"""The examples do what they say, against real servers."""

import pytest

pytest.register_assert_rewrite("tests.examples.gateway_cases")
