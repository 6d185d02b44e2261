"""The file that names settings which the environment does not name."""

from pathlib import Path

import pytest

from ragauth.config import SettingsError, read_server_settings, read_settings
from tests.unit.environment import environment

__all__ = ["environment"]


@pytest.fixture
def file(environment: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    path = tmp_path / "settings"
    environment.setenv("RAGAUTH_SETTINGS_FILE", str(path))
    return path


def test_it_says_what_the_environment_does_not(file: Path, environment: pytest.MonkeyPatch) -> None:
    file.write_text(
        "# a comment\n\nRAGAUTH_KEY_BRAND=otter\nexport RAGAUTH_EVENT_DAYS = 7 \n"
        "RAGAUTH_MAIL_FROM='Otter <a@example.com>'\nRAGAUTH_BCRYPT_COST=13\nPOSTGRES_PASSWORD=x=y\n"
        'PORT="9001"\nWEB_CONCURRENCY=3\nHOST=::1\n'
    )
    environment.setenv("RAGAUTH_BCRYPT_COST", "11")
    environment.setenv("WEB_CONCURRENCY", " ")
    environment.setenv("HOST", "127.0.0.1")
    settings, server = read_settings(), read_server_settings()
    assert (settings.key_brand, settings.event_days, settings.bcrypt_cost) == ("otter", 7, 11)
    assert settings.mail_from == "Otter <a@example.com>"
    assert (server.bind, server.workers) == ("127.0.0.1:9001", 3)


def test_it_is_read_each_time(file: Path) -> None:
    for brand in ("otter", "beaver"):
        file.write_text(f"RAGAUTH_KEY_BRAND={brand}\n")
        assert read_settings().key_brand == brand


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"RAGAUTH_EVENT_DAYS=0\n", r"RAGAUTH_EVENT_DAYS: Must be"),
        (b"RAGAUTH_EVENT_DAY=9\n", r"RAGAUTH_EVENT_DAY: there is no such setting; did you mean"),
        (b"\n# x\na secret\n", r"RAGAUTH_SETTINGS_FILE: line 3 of \S+ is not NAME=value\Z"),
        (b"RAGAUTH_KEY_BRAND=\xff\n", r"RAGAUTH_SETTINGS_FILE: \S+ is not UTF-8 text\Z"),
        (None, r"RAGAUTH_SETTINGS_FILE: cannot read \S+: No such file or directory\Z"),
    ],
)
def test_a_fault_is_told_in_a_line_without_what_is_in_it(
    file: Path, content: bytes | None, words: str
) -> None:
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=words) as caught:
        read_settings()
    assert "secret" not in str(caught.value)


def test_a_home_folder_that_is_not_there_is_told(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("RAGAUTH_SETTINGS_FILE", "~nobody-of-this-name/settings")
    with pytest.raises(SettingsError, match="RAGAUTH_SETTINGS_FILE: there is no home folder"):
        read_server_settings()
