"""A check's time begins when it comes, not when a thread takes it."""

import time

from ragauth.deadlines import CHECK_SECONDS, arrived_at, check_deadline


def test_the_time_spent_in_the_queue_counts() -> None:
    arrived = time.monotonic() - 60
    token = arrived_at.set(arrived)
    try:
        assert check_deadline(hands_over=False).at == arrived + CHECK_SECONDS
        assert check_deadline(hands_over=True).at > arrived + CHECK_SECONDS
    finally:
        arrived_at.reset(token)
