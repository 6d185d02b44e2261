"""Authenticator apps: their codes are computed by hand, without the library under test."""

import base64
import hmac
import struct
import threading
import time
from dataclasses import dataclass
from unittest.mock import patch

from ragauth.security import totp as totp_of_the_service
from tests.clients import Client, Member, ok

PATH = "/api/auth/second-factor"
STEP_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Authenticator:
    """A phone with the secret, and a sheet of paper with the recovery codes."""

    secret: str
    recovery_codes: list[str]

    def code(self, steps: int = 0) -> str:
        """The code of the present step, or of one that is so many steps away."""
        return totp(self.secret, int(time.time()) // STEP_SECONDS + steps)


def totp(secret: str, step: int) -> str:
    """RFC 4226 section 5.3, over a time step as in RFC 6238."""
    digest = hmac.digest(base64.b32decode(secret), struct.pack(">Q", step), "sha1")
    offset = digest[-1] & 0xF
    (number,) = struct.unpack(">I", digest[offset : offset + 4])
    return f"{(number & 0x7FFFFFFF) % 1_000_000:06d}"


_substituting = threading.Lock()


def begin_enrolment(member: Member) -> Authenticator:
    """A factor that is not confirmed."""
    # To draw what nobody looks at would take longer than all else. Two threads at once would take
    # the other's substitute for the function, and leave it.
    with _substituting, patch.object(totp_of_the_service, "qr_svg", return_value=""):
        data = ok(member.client.post(PATH, {"password": member.password}), 201)
    return Authenticator(data["secret"], [])


def enrol(member: Member) -> Authenticator:
    """A confirmed factor; the code of the step before this one confirmed it."""
    pending = begin_enrolment(member)
    data = ok(member.client.post(f"{PATH}/confirm", {"code": pending.code(-1)}))
    return Authenticator(pending.secret, data["recovery_codes"])


def first_step(client: Client, member: Member) -> str:
    """The token that the right password gets."""
    body = {"email": member.email, "password": member.password}
    token: str = ok(client.post("/api/auth/login", body))["mfa_token"]
    return token


def wrong_code(authenticator: Authenticator) -> str:
    """Six digits that are no code of this or a neighbouring step."""
    right = {authenticator.code(steps) for steps in (-2, -1, 0, 1, 2)}
    return next(
        code
        for code in ("000000", "111111", "222222", "333333", "444444", "555555")
        if code not in right
    )
