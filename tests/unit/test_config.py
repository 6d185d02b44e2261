"""The settings: each fault is named, all at once; the secret is made once."""

import logging
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from ragauth.config import SettingsError, read_server_settings, read_settings
from ragauth.policy import DEFAULT_POLICY
from tests.cases import for_each
from tests.docs.settings import ENV_EXAMPLE
from tests.unit.environment import environment

__all__ = ["environment"]

STRONG = "x" * 32
POSTGRES = "postgresql://user:pass@db/ragauth"


def faults() -> list[str]:
    """The names of the settings that are at fault, one for each line."""
    with pytest.raises(SettingsError) as caught:
        read_settings()
    lines = str(caught.value).removeprefix("ragauth: ").split("\nragauth: ")
    return sorted(line.partition(":")[0] for line in lines)


class TestDefaults:
    def test_nothing_needs_to_be_set(self, tmp_path: Path) -> None:
        settings = read_settings()
        assert settings.instance_dir == tmp_path / "instance"
        assert settings.database_url == f"sqlite:///{tmp_path}/instance/ragauth.db"
        assert settings.uses_sqlite
        assert settings.redis_url is settings.mail_url is None
        assert settings.policy is DEFAULT_POLICY
        assert settings.key_brand == "rag"
        assert settings.bcrypt_cost == 12
        assert settings.access_token_seconds == 3600
        assert settings.refresh_token_seconds == 604_800
        assert settings.login_failures_per_account == 10
        assert settings.login_failures_per_address == 50
        assert settings.signups_per_address == 60
        assert not settings.require_https
        assert settings.trusted_proxies == 0
        assert settings.cors_origins == ()
        assert not settings.refresh_cookie

    def test_postgres_asks_for_https(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("RAGAUTH_SECRET_KEY", STRONG)
        environment.setenv("RAGAUTH_DATABASE_URL", POSTGRES)
        assert read_settings().require_https
        environment.setenv("RAGAUTH_REQUIRE_HTTPS", "false")
        assert not read_settings().require_https

    def test_a_pooler_is_a_poolers_word_and_with_postgres_alone(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        environment.setenv("RAGAUTH_DATABASE_POOLER", "transaction")
        assert faults() == ["RAGAUTH_DATABASE_POOLER"]  # with SQLite
        environment.setenv("RAGAUTH_SECRET_KEY", STRONG)
        environment.setenv("RAGAUTH_DATABASE_URL", POSTGRES)
        assert read_settings().is_pooled
        for other in ("session", "statement", "pgbouncer", "none", "true", "Transaction"):
            environment.setenv("RAGAUTH_DATABASE_POOLER", other)
            assert faults() == ["RAGAUTH_DATABASE_POOLER"]
        environment.setenv("RAGAUTH_DATABASE_POOLER", "")
        assert not read_settings().is_pooled

    def test_what_follows_a_leak_is_one_of_two(self, environment: pytest.MonkeyPatch) -> None:
        assert read_settings().leaked_keys == "notify"
        environment.setenv("RAGAUTH_LEAKED_KEYS", "revoke")
        assert read_settings().leaked_keys == "revoke"
        for other in ("Revoke", "delete", "true"):
            environment.setenv("RAGAUTH_LEAKED_KEYS", other)
            assert faults() == ["RAGAUTH_LEAKED_KEYS"]


class TestValues:
    @pytest.mark.parametrize(
        ("url", "place"),
        [
            (
                "postgres://u:hunter2@db:5432/ragauth?sslmode=require",
                "postgresql://db:5432/ragauth",
            ),
            ("postgresql://db/ragauth?password=hunter2", "postgresql://db/ragauth"),
            ("postgresql://u:hunter@2@db/ragauth", "postgresql://db/ragauth"),
            ("postgresql://u@db/ragauth?password=a@hunter2", "postgresql://db/ragauth"),
        ],
    )
    def test_the_place_of_a_database_has_no_secret(
        self, environment: pytest.MonkeyPatch, url: str, place: str
    ) -> None:
        """S27: no secret in the line that tells which database is used."""
        environment.setenv("RAGAUTH_SECRET_KEY", STRONG)
        environment.setenv("RAGAUTH_DATABASE_URL", url)
        assert read_settings().database_place == place

    def test_lists_and_paths_are_read(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        policy = tmp_path / "policy.toml"
        policy.write_text("open_scopes = true")
        environment.setenv("RAGAUTH_CORS_ORIGINS", "https://a.test,http://localhost:3000")
        environment.setenv("RAGAUTH_POLICY_FILE", str(policy))
        environment.setenv("RAGAUTH_SECRET_KEY", "ж" * 16)
        settings = read_settings()
        assert settings.cors_origins == ("https://a.test", "http://localhost:3000")
        assert settings.policy.open_scopes
        assert settings.secret_key == ("ж" * 16).encode()

    @pytest.mark.parametrize(
        "text",
        [
            "https://a.test,http://[::1]:3000",
            "HTTPS://A.test/ , http://[0:0::1]:3000,",
            " https://a.test:443\n\thttp://[::1]:3000  https://a.test",
            ",https://a.test,,http://[::1]:3000/,",
        ],
    )
    def test_origins_are_read_as_browsers_send_them(
        self, environment: pytest.MonkeyPatch, text: str
    ) -> None:
        environment.setenv("RAGAUTH_CORS_ORIGINS", text)
        assert read_settings().cors_origins == ("https://a.test", "http://[::1]:3000")

    @pytest.mark.parametrize("text", ["", " ", ",", " , ,"])
    def test_a_list_without_an_origin_is_none(
        self, environment: pytest.MonkeyPatch, text: str
    ) -> None:
        environment.setenv("RAGAUTH_CORS_ORIGINS", text)
        assert read_settings().cors_origins == ()

    def test_white_space_around_a_value_is_dropped_and_told(
        self, environment: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        padded = {
            "RAGAUTH_METRICS_TOKEN": (" s3cret+/=\n", "s3cret+/="),
            "RAGAUTH_BCRYPT_COST": ("\t11\r\n", 11),
            "RAGAUTH_REQUIRE_HTTPS": (" TRUE ", True),
            "RAGAUTH_INSTANCE_DIR": (f"{tmp_path}/instance\n", tmp_path / "instance"),
            "RAGAUTH_REDIS_URL": ("\u00a0redis://r:1/2\n", "redis://r:1/2"),
            "RAGAUTH_KEY_BRAND": ("acme\n", "acme"),
        }
        for name, (text, _) in padded.items():
            environment.setenv(name, text)
        with caplog.at_level("WARNING"):
            environment.setattr(logging.getLogger("ragauth"), "propagate", True)
            settings = read_settings()
        for name, (_, value) in padded.items():
            assert getattr(settings, name.removeprefix("RAGAUTH_").lower()) == value
            assert f"{name}: the white space around its value was dropped" in caplog.messages
        assert len(set(caplog.messages)) == len(padded)

    def test_what_the_untrimmed_form_of_a_secret_sealed_still_opens(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        """S5: the secret of a file with a newline at its end."""
        old, older = "o" * 32, "p" * 32
        environment.setenv("RAGAUTH_SECRET_KEY", f"{STRONG}\n")
        environment.setenv("RAGAUTH_OLD_SECRET_KEYS", f"{old}, {older}\n,")
        settings = read_settings()
        assert settings.secret_key == STRONG.encode()
        assert set(settings.old_secret_keys) == {
            *(old.encode(), older.encode()),
            *(f"{STRONG}\n".encode(), f" {older}\n".encode()),
        }
        environment.setenv("RAGAUTH_SECRET_KEY", STRONG)
        environment.delenv("RAGAUTH_OLD_SECRET_KEYS")
        assert read_settings().old_secret_keys == ()

    @pytest.mark.parametrize("empty", ["", " ", "\n", "\t \u00a0"])
    def test_an_empty_setting_is_as_if_unset(
        self, environment: pytest.MonkeyPatch, empty: str
    ) -> None:
        unset = read_settings()
        for name in ENV_EXAMPLE:
            if name != "RAGAUTH_INSTANCE_DIR":
                environment.setenv(name, empty)
        environment.setenv("RAGAUTH_NO_SUCH", empty)
        assert read_settings() == unset
        assert read_server_settings().bind == "127.0.0.1:8000"
        environment.setenv("RAGAUTH_DATABASE_URL", POSTGRES)
        assert faults() == ["RAGAUTH_SECRET_KEY"]

    def test_the_values_of_the_example_file_are_the_defaults(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        environment.delenv("RAGAUTH_INSTANCE_DIR")
        environment.setattr("ragauth.place._PROJECT", tmp_path)
        environment.chdir(tmp_path)
        unset, server = read_settings(), read_server_settings()
        for name, value in ENV_EXAMPLE.items():
            environment.setenv(name, value)
        assert (read_settings(), read_server_settings()) == (unset, server)

    def test_a_tilde_is_the_home_folder(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        environment.setenv("HOME", str(tmp_path))
        (tmp_path / "policy.toml").write_text("open_scopes = true")
        environment.setenv("RAGAUTH_POLICY_FILE", "~/policy.toml")
        environment.setenv("RAGAUTH_INSTANCE_DIR", "~/ragauth")
        environment.setenv("HOST", "unix:~/socket")
        settings = read_settings()
        assert settings.policy.open_scopes
        assert settings.instance_dir == tmp_path / "ragauth"
        assert stat.S_IMODE(settings.instance_dir.stat().st_mode) == 0o700
        assert read_server_settings().bind == f"unix:{tmp_path}/socket"

    def test_the_compat_faces_are_those_that_have_a_folder(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        assert read_settings().compat == ()
        environment.setenv("RAGAUTH_COMPAT", "ragchats, rst")
        environment.setenv("RAGAUTH_COMPAT_QUERY_UPSTREAM", "http://rag.internal:9000")
        settings = read_settings()
        assert settings.compat == ("ragchats", "rst")
        assert settings.compat_query_upstream == "http://rag.internal:9000"

    def test_a_relative_instance_folder_is_made_absolute(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        environment.chdir(tmp_path)
        environment.setenv("RAGAUTH_INSTANCE_DIR", "here")
        assert read_settings().instance_dir == tmp_path / "here"

    def test_a_dollar_in_a_value_is_a_dollar(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("RAGAUTH_SECRET_KEY", "${HOME}" + STRONG)
        assert read_settings().secret_key.startswith(b"${HOME}")


class TestFaults:
    @for_each(
        ("name", "value"),
        [
            *(("SECRET_KEY", value) for value in ("short", "x" * 31, "  " + "x" * 31 + "\n")),
            ("REDIS_URL", "http://redis"),
            ("DATABASE_URL", "mysql://db/x"),
            ("DASHBOARD_URL", "ftp://app.test"),
            ("REFRESH_TOKEN_SECONDS", "99999999999999"),
            ("POLICY_FILE", "/does/not/exist.toml"),
            ("MAIL_URL", "mailto:x"),
            *(("KEY_BRAND", value) for value in ("r", "R2", "a_b", "2a", "x" * 17, "r g")),
            *(("BCRYPT_COST", value) for value in ("9", "16", "x", "12.5", "+12", "1_2")),
            *(("BCRYPT_COST", value) for value in ("1e1", "12.0", "0xc", "\u0661\u0662")),
            ("SESSION_SECONDS", "9" * 5000),
            *(("ACCESS_TOKEN_SECONDS", value) for value in ("0", "-1", "1h")),
            *(("REFRESH_TOKEN_SECONDS", value) for value in ("0", "x")),
            ("LOGIN_FAILURES_PER_ACCOUNT", "-1"),
            ("LOGIN_FAILURES_PER_ADDRESS", "x"),
            ("SIGNUPS_PER_ADDRESS", "-1"),
            *(("REQUIRE_HTTPS", value) for value in ("perhaps", "2", "tru", "nein")),
            ("INSTANCE_DIR", "~nobody-of-this-name/x"),
            *((name, "\udcff" * 40) for name in ("SECRET_KEY", "OLD_SECRET_KEYS", "MAIL_FROM")),
            *(("COMPAT", value) for value in ("acme", "rst,acme", "RST", "../rst", "__pycache__")),
            *(("COMPAT_QUERY_UPSTREAM", value) for value in ("rag.example.com", "ftp://h")),
            *(("TRUSTED_PROXIES", value) for value in ("-1", "11", "all")),
            *(
                ("CORS_ORIGINS", value)
                for value in (
                    *("*", "a.test", "null", "https://*.a.test", "https://a.test,*"),
                    *("https://[::1", "https://u@a.test", "https://a.test/x", "file:///"),
                )
            ),
            ("REFRESH_COOKIE", "perhaps"),
            *(("METRICS_TOKEN", value) for value in ("two words", "gehe\u0131m", "a\nb", "a\x7f")),
        ],
    )
    def test_a_malformed_setting_is_named(
        self, environment: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        with environment.context() as changed:
            changed.setenv(f"RAGAUTH_{name}", value)
            assert f"RAGAUTH_{name}" in faults()

    def test_each_fault_of_the_policy_file_is_a_line_with_its_place(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        path = tmp_path / "policy.toml"
        path.write_text("open_scopes = 1\n[plans.trial]\nmax_keys = 5\nmax_agents = -1\n")
        environment.setenv("RAGAUTH_POLICY_FILE", str(path))
        environment.setenv("RAGAUTH_BCRYPT_COST", "9")
        with pytest.raises(SettingsError) as caught:
            read_settings()
        lines = str(caught.value).splitlines()
        assert [line.removeprefix("ragauth: ").rpartition(":")[0] for line in lines] == [
            "RAGAUTH_POLICY_FILE: open_scopes",
            "RAGAUTH_POLICY_FILE: plans.trial.max_agents",
            "RAGAUTH_BCRYPT_COST",
        ]

    def test_the_setting_before_the_policy_file_says_what_to_do_now(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        environment.setenv("RAGAUTH_PLANS_FILE", "/etc/ragauth/plans.toml")
        with pytest.raises(SettingsError) as caught:
            read_settings()
        (line,) = str(caught.value).splitlines()
        assert line.startswith("RAGAUTH_PLANS_FILE: is no longer read")
        assert "RAGAUTH_POLICY_FILE" in line

    def test_a_fault_is_one_line(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("RAGAUTH_BCRYPT_COST", "9")
        with pytest.raises(SettingsError) as caught:
            read_settings()
        assert str(caught.value).count("\n") == 0

    def test_an_origin_that_never_matches_is_named_with_the_reason(
        self, environment: pytest.MonkeyPatch
    ) -> None:
        environment.setenv("RAGAUTH_CORS_ORIGINS", "https://a.test https://*.example.com")
        with pytest.raises(SettingsError, match=r"'https://\*\.example\.com' .*wildcard"):
            read_settings()

    def test_all_faults_are_named_at_once(self, environment: pytest.MonkeyPatch) -> None:
        environment.setenv("RAGAUTH_DATABASE_URL", "mysql://db/x")
        environment.setenv("RAGAUTH_SECRET_KEY", "short")
        environment.setenv("RAGAUTH_BCRYPT_COST", "x")
        environment.setenv("RAGAUTH_TRUSTED_PROXIES", "-1")
        assert faults() == [
            *("RAGAUTH_BCRYPT_COST", "RAGAUTH_DATABASE_URL", "RAGAUTH_SECRET_KEY"),
            "RAGAUTH_TRUSTED_PROXIES",
        ]

    def test_postgres_needs_a_secret_of_its_own(self, environment: pytest.MonkeyPatch) -> None:
        """S5: no default secret."""
        environment.setenv("RAGAUTH_DATABASE_URL", POSTGRES)
        assert faults() == ["RAGAUTH_SECRET_KEY"]

    def test_no_value_of_a_secret_setting_is_told(self, environment: pytest.MonkeyPatch) -> None:
        """S27: no secret in an error."""
        environment.setenv("RAGAUTH_SECRET_KEY", "hunter2")
        environment.setenv("RAGAUTH_DATABASE_URL", "mysql://user:hunter2@db/x")
        environment.setenv("RAGAUTH_METRICS_TOKEN", "hunter2 hunter2")
        with pytest.raises(SettingsError) as caught:
            read_settings()
        assert "hunter2" not in str(caught.value)


class TestSecretKey:
    def test_it_is_made_once_and_only_its_owner_can_read_it(self, tmp_path: Path) -> None:
        """S5: no default secret."""
        first = read_settings().secret_key
        path = tmp_path / "instance" / "secret_key"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert len(first) >= 32
        assert read_settings().secret_key == first == path.read_bytes()

    def test_two_installations_have_different_ones(
        self, environment: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        """S5: no default secret."""
        first = read_settings().secret_key
        environment.setenv("RAGAUTH_INSTANCE_DIR", str(tmp_path / "other"))
        assert read_settings().secret_key != first

    def test_many_first_starts_at_once_agree_on_one(self, tmp_path: Path) -> None:
        """S36: two starts at once."""
        barrier = Barrier(16)

        def start() -> bytes:
            barrier.wait()
            return read_settings().secret_key

        with ThreadPoolExecutor(16) as pool:
            found = {start.result() for start in [pool.submit(start) for _ in range(16)]}
        assert len(found) == 1
        assert [path.name for path in (tmp_path / "instance").iterdir()] == ["secret_key"]

    def test_a_damaged_one_stops_the_start(self, tmp_path: Path) -> None:
        read_settings()
        (tmp_path / "instance" / "secret_key").write_text("short")
        assert faults() == ["RAGAUTH_SECRET_KEY"]

    def test_a_folder_that_cannot_be_used_stops_the_start(self, tmp_path: Path) -> None:
        (tmp_path / "instance").write_text("a file")
        assert faults() == ["RAGAUTH_INSTANCE_DIR"]
