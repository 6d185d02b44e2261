"""What the processes of the service consume."""

import os

from ragauth.metrics.processes import consumption


def test_a_worker_that_has_ended_hides_nothing() -> None:
    ended = os.fork()
    if not ended:
        os._exit(0)
    os.waitpid(ended, 0)
    taken = consumption([ended])
    assert taken is not None
    assert taken.memory_bytes > 0
