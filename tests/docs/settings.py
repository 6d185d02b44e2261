"""The settings: what config/ reads, and what the documents and container files say of them."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def read_by_config() -> set[str]:
    """What config/ reads, in settings.py with its prefix."""
    config = ROOT / "ragauth" / "config"
    names = {
        prefix + name
        for file, prefix in (("settings.py", "RAGAUTH_"), ("server.py", ""))
        for name in re.findall(
            r'env\.\w+\(\s*"([A-Z_]+)"', (config / file).read_text(encoding="utf-8")
        )
    }
    assert len(names) > 20
    return names | {"RAGAUTH_SERVER", "RAGAUTH_SETTINGS_FILE"}


def _env_example() -> dict[str, str]:
    """The variables of .env.example and their values, those that are comments too."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    return dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))


ENV_EXAMPLE = _env_example()
