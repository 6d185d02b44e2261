"""What an answer may use is reserved before it begins, and settled by what it has used."""

import logging
import time
from dataclasses import dataclass

from service_api import CallFailed, Ragauth

METER = "tokens"
# Settling is repeated after these waits. A service that must not lose money keeps what it could
# not settle in a queue of its own, and goes on until the reservation has ended.
WAITS_SECONDS = (0.1, 0.5, 2.0)

log = logging.getLogger("rag_service")


@dataclass
class Reservation:
    """Tokens that ragauth counted ahead, and how many of them have been `used` by now."""

    ragauth: Ragauth
    id: str | None
    used: int
    is_closed: bool = False

    def settle(self) -> None:
        """Give back what was not used; once, whoever calls it first.

        It is repeated until ragauth has answered, always with the same amount: ragauth counts that
        once, however often it arrives.
        """
        if self.is_closed:
            return
        self.is_closed = True
        body = {"reservation_id": self.id, "use": {METER: self.used}}
        for wait_seconds in (*WAITS_SECONDS, None):
            try:
                self.ragauth.post("/usage/settle", body)
            except CallFailed as failure:
                if wait_seconds is None or not failure.may_succeed_later:
                    # What was reserved stays counted.
                    log.error("%s not settled: %s %s", body, failure.status, failure.error)
                    return
                time.sleep(wait_seconds)
            else:
                return
