"""Time-based one-time passwords (RFC 6238): six digits of HMAC-SHA-1, new every 30 seconds."""

import hmac
import io
from datetime import datetime
from urllib.parse import quote

import pyotp

STEP_SECONDS = 30
DIGITS = 6
# A phone's clock may be a step off, and typing takes time (RFC 6238 section 5.2).
_TOLERATED_STEPS = (-1, 0, 1)
#: The youngest step that can have been used is so far beyond the step of a code that is right now:
#: that code may be a step late, the used one a step early, by a host whose clock is one ahead.
FURTHEST_USED = 3
_LABEL_LENGTH = 200


def new_secret() -> str:
    """160 random bits as base32: what an authenticator app keeps."""
    return pyotp.random_base32()


def find_step(secret: str, code: str, *, now: datetime) -> int | None:
    """The time step that a code belongs to, if it is one of the present or of a neighbour.

    Every candidate is compared, in constant time, so that the time taken tells nothing.
    """
    present = int(now.timestamp()) // STEP_SECONDS
    generator = pyotp.HOTP(secret, digits=DIGITS)
    matching = [
        step
        for step in (present + offset for offset in _TOLERATED_STEPS)
        if hmac.compare_digest(generator.at(step).encode(), code.encode())
    ]
    return matching[0] if matching else None


def provisioning_uri(secret: str, *, account_name: str, issuer: str) -> str:
    """`otpauth://totp/Issuer:name?secret=…&issuer=…`, as Google's Key URI Format has it."""
    # A colon separates the issuer from the account's name.
    issuer = _label(" ".join(issuer.replace(":", " ").split()))
    return f"otpauth://totp/{issuer}:{_label(account_name)}?secret={secret}&issuer={issuer}"


def _label(text: str) -> str:
    """Percent-encoded, and cut to what a QR code that a phone can read has room for."""
    label = quote(text, safe="@")
    while len(label) > _LABEL_LENGTH:
        text = text[:-1]
        label = quote(f"{text}…", safe="@")
    return label


def qr_svg(text: str) -> str:
    """A QR code as an SVG document: two paths and no script, to stand in a page or an image.

    Its background is white, so that it can be read on a dark page too.
    """
    import segno  # noqa: PLC0415 - most processes draw none

    document = io.BytesIO()
    segno.make_qr(text, error="m").save(
        document, "svg", xmldecl=False, nl=False, omitsize=True, dark="#000", light="#fff", border=4
    )
    return document.getvalue().decode("ascii")
