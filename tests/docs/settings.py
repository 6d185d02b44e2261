"""The settings: what config/ reads, and what the documents and container files say of them."""

import re
from dataclasses import fields
from pathlib import Path

from ragauth.config import Settings

ROOT = Path(__file__).parents[2]


def read_by_config() -> set[str]:
    """What config/ reads: the fields of Settings, and the server's settings."""
    server = (ROOT / "ragauth" / "config" / "server.py").read_text(encoding="utf-8")
    names = set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', server))
    assert names
    return {
        *names,
        *(
            f"RAGAUTH_{setting.name.upper()}"
            for setting in fields(Settings)
            if setting.name != "policy"
        ),
        # What it names is read with the settings.
        "RAGAUTH_POLICY_FILE",
        "RAGAUTH_SERVER",
        "RAGAUTH_SETTINGS_FILE",
    }


def _env_example() -> dict[str, str]:
    """The variables of .env.example and their values, those that are comments too."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))


ENV_EXAMPLE = _env_example()
