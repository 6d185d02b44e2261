"""Forks beside a thread that counts: python -m tests.counters.fork_beside ADDRESS.

Prints how often all sides of five forks were admitted.
"""

import os
import sys
import threading
import warnings

from tests.counters.questions import ACCOUNT, MONTH, NOW, ask, open_store, seed

_FORKS, _ASKS = 5, 40


def main(address: str) -> None:
    # Forking beside a thread is what Python 3.12 warns of; here it is the very point.
    warnings.filterwarnings("ignore", category=DeprecationWarning)
    store = open_store(address)
    seed(store)
    store.hit(b"w", 1000, NOW)
    is_over = threading.Event()

    def hit() -> None:
        while not is_over.is_set():
            store.hit(b"other", 1000, NOW)

    def count() -> None:
        for _ in range(_ASKS):
            answer = ask(store, minute_limit=999)
            if answer is None or answer.refused_by is not None:
                raise RuntimeError(f"not admitted: {answer}")

    thread = threading.Thread(target=hit, daemon=True)
    thread.start()
    children = []
    for _ in range(_FORKS):
        child = os.fork()
        if child == 0:
            try:
                count()
                os._exit(0)
            finally:
                os._exit(1)
        children.append(child)
        count()
    if any(os.waitpid(child, 0)[1] for child in children):
        raise RuntimeError("a child failed")
    is_over.set()
    thread.join()
    peek = store.peek(ACCOUNT, 0, MONTH, NOW)
    sys.stdout.write(f"{peek and peek.minute_used}\n")
    store.close()


if __name__ == "__main__":
    main(sys.argv[1])
