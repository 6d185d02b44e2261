"""The URLs among the settings: understood or refused, and no message shows a password."""

from pathlib import Path

import pytest
from marshmallow import ValidationError

from ragauth.config.urls import (
    database_url,
    github_keys_url,
    mail_url,
    page_url,
    upstream_url,
)
from ragauth.database import connection_parameters, engine_url
from tests.cases import for_each

#: A password's part, which no message may hold.
SECRET = "hunter2"
INSTANCE = Path("/")


def parameters(url: str) -> dict[str, object]:
    """What libpq is told of a URL, without what we add to each."""
    told = connection_parameters(database_url(url, INSTANCE), pooled=False)
    added = ("client_encoding", "options", "tcp_user_timeout")
    return {name: value for name, value in told.items() if name not in added}


def refusal(read: object, url: str) -> str:
    with pytest.raises(ValidationError) as caught:
        read(url)  # type: ignore[operator]
    (message,) = caught.value.messages
    assert "\n" not in str(message)
    assert SECRET not in str(message)
    return str(message)


_SERVICES = """
[one]
host=h
[two]
host=h,i
port=1,2
[told]
host=h,i
target_session_attrs=primary
[spare]
host=h
target_session_attrs=standby
"""


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Servers that the URL names by a word (libpq's connection service file)."""
    (tmp_path / "services").write_text(_SERVICES)
    monkeypatch.setenv("PGSERVICEFILE", str(tmp_path / "services"))


class TestPostgres:
    @for_each("scheme", ["postgres", "postgresql", "postgresql+psycopg", "POSTGRES", "PostgreSQL"])
    def test_every_spelling_is_one(self, scheme: str) -> None:
        url = database_url(f"{scheme}://user:p%40ss@db:5432/ragauth", INSTANCE)
        assert url == "postgresql://user:p%40ss@db:5432/ragauth?target_session_attrs=primary"
        assert engine_url(url).render_as_string() == "postgresql+ragauth://"

    @for_each(
        ("written", "password"),
        [
            ("a@b", "a@b"),
            ("a/b", "a/b"),
            ("a#b", "a#b"),
            ("a?b", "a?b"),
            ("[a]", "[a]"),
            ("a:b", "a:b"),
            ("a+b", "a+b"),
            ("@/#?[]:x", "@/#?[]:x"),
            ("12/34", "12/34"),
            ("12#34", "12#34"),
            ("a%40%2F%23%3F%5B%5D%25b", "a@/#?[]%b"),
            ("ж", "ж"),
        ],
    )
    @for_each("tail", ["h/db", "h:1/db?sslmode=require", "a:1,b:2/db", "[::1]:1/db"])
    def test_a_password_is_what_it_is(self, written: str, password: str, tail: str) -> None:
        told = parameters(f"postgresql://user:{written}@{tail}")
        assert (told["user"], told["password"], told["dbname"]) == ("user", password, "db")

    @for_each(
        ("url", "told"),
        [
            (
                "//u:p@a:5432,b:5433/db?target_session_attrs=read-write",
                {"host": "a,b", "port": "5432,5433", "target_session_attrs": "read-write"},
            ),
            ("//u@[fe80::1]:5432/db", {"host": "fe80::1", "port": "5432"}),
            ("///db?host=/var/run/postgresql", {"host": "/var/run/postgresql"}),
            ("//%2Fvar%2Frun%2Fpostgresql/db", {"host": "/var/run/postgresql"}),
            ("///db?host=a,b&port=1,2", {"host": "a,b", "port": "1,2"}),
            ("//h/db?ssl=true", {"sslmode": "require"}),
            ("//h/db?connect_timeout=9", {"connect_timeout": "9"}),
            ("//h/db?keepalives_idle=30&keepalives=1", {"keepalives_idle": "30"}),
            ("//h/db?application_name=a%40b%20c", {"application_name": "a@b c"}),
            ("//h/db?sslmode=verify-full&sslrootcert=system", {"sslrootcert": "system"}),
            ("//h/a%20name", {"dbname": "a name"}),
        ],
    )
    def test_what_libpq_knows_is_handed_on(self, url: str, told: dict[str, str]) -> None:
        assert parameters(f"postgresql:{url}").items() >= told.items()

    @for_each(
        ("url", "target"),
        [
            ("//h/db", "primary"),
            ("//h,i/db", "read-write"),
            ("///db?host=h,i&port=1,2", "read-write"),
            ("///db?hostaddr=192.0.2.1,192.0.2.2", "read-write"),
            ("//h,i/db?target_session_attrs=primary", "primary"),
            ("//h/db?target_session_attrs=any", "any"),
            ("///db?service=one", "primary"),
            ("///db?service=two", "read-write"),
            ("///db?service=two&target_session_attrs=any", "any"),
            ("///db?service=told", "primary"),
        ],
    )
    def test_a_standby_is_asked_only_where_the_url_says_so(
        self, services: None, url: str, target: str
    ) -> None:
        assert parameters(f"postgresql:{url}")["target_session_attrs"] == target

    def test_psycopg_is_told_of_each_host_of_a_service(self, services: None) -> None:
        told = parameters("postgresql://u@/db?service=two")
        assert (told["host"], told["port"], told["user"]) == ("h,i", "1,2", "u")
        told = parameters("postgresql://k:3/db?service=two")
        assert (told["host"], told["port"]) == ("k", "3")

    @for_each("service", ["one", "spare"])
    @for_each("target", ["standby", "prefer-standby", "read-only"])
    def test_one_that_cannot_write_is_not_to_be_asked_for(
        self, services: None, service: str, target: str
    ) -> None:
        url = f"postgresql:///db?service={service}"
        if service == "one":
            url += f"&target_session_attrs={target}"
        message = refusal(lambda text: database_url(text, INSTANCE), url)
        assert message == "target_session_attrs must be read-write, primary, any"

    def test_options_are_added_to_ours_and_win(self) -> None:
        url = "postgresql://h/db?options=-c%20search_path%3Dragauth%20-c%20lock_timeout%3D9"
        told = connection_parameters(database_url(url, INSTANCE), pooled=False)["options"]
        assert told.index("lock_timeout=5000") < told.index("lock_timeout=9")
        assert "search_path=ragauth" in told

    def test_behind_a_pooler_nothing_rests_on_the_session(self) -> None:
        plain = database_url("postgresql://h/db", INSTANCE)
        told = connection_parameters(plain, pooled=True)
        assert "options" not in told
        assert told["autocommit"] is True
        assert told["prepare_threshold"] is None
        # Those of the URL may be meant for the pooler itself.
        routed = database_url("postgresql://h/db?options=reference%3Dx", INSTANCE)
        assert connection_parameters(routed, pooled=True)["options"] == "reference=x"

    @for_each(
        ("url", "words"),
        [
            ("//h/db?schema=x", "know the parameter schema"),
            ("//h/db?pgbouncer=true", "know the parameter pgbouncer"),
            ("//h/db?prepare_threshold=0", "know the parameter prepare_threshold"),
            ("//h/db?sslmode=perhaps", "sslmode"),
            ("//h/db?target_session_attrs=x", "target_session_attrs"),
            ("//h/db?service=nowhere", "nowhere"),
            ("//h/db?connect_timeout=x", "connect_timeout"),
            ("//h/db?hostaddr=h", "hostaddr"),
            ("//h/db?sslrootcert=/nowhere", "sslrootcert"),
            ("//h/db?client_encoding=latin1", "client_encoding"),
            ("//h/db?sslmode", "parameters like"),
            ("//h/db?sslmode=require&sslmode=disable", "each once"),
            ("//a:1,b:2/db?host=c", "libpq refuses"),
            ("//h:99999/db", "port"),
            ("//h:abc/db", "port"),
            ("//[::1/db", "host"),
            ("//h/db#x", "#"),
            ("//", "must be postgresql://"),
            (f"//u:{SECRET}%zz@h/db", "percent-encoded"),
            (f"//u:1?{SECRET}=b@h/db", "more than one way"),
            (f"//u:{SECRET}@h/db?application_name=a@b", "more than one way"),
            (f"//u:{SECRET} x@h/db", "no space"),
            (f"//u:{SECRET}@h h/db", "no space"),
            (f"//u:{SECRET}@:x/db", "percent-encoded"),
            (f"/u:{SECRET}@h/db", "must be postgresql://"),
        ],
    )
    def test_what_it_does_not_know_is_refused(self, url: str, words: str) -> None:
        assert words in refusal(lambda text: database_url(text, INSTANCE), f"postgresql:{url}")


class TestSqlite:
    def test_a_path_is_absolute_or_starts_in_the_instance_folder(self, tmp_path: Path) -> None:
        assert database_url("sqlite:///x.db", tmp_path) == f"sqlite:///{tmp_path}/x.db"
        assert database_url(f"SQLITE:///{tmp_path}/x.db", INSTANCE) == f"sqlite:///{tmp_path}/x.db"

    @for_each("name", ["a b.db", "50%.db", "a?b#c.db", "a@b:c.db", "ж.db"])
    def test_any_name_of_a_file_can_be_said(self, tmp_path: Path, name: str) -> None:
        folder = tmp_path / name
        folder.mkdir()
        url = database_url("sqlite:///ragauth.db", folder)
        assert engine_url(url).database == str(folder / "ragauth.db")
        encoded = name.replace("%", "%25").replace("?", "%3F")
        again = database_url(f"sqlite:///{tmp_path}/{encoded}/x.db", INSTANCE)
        assert engine_url(again).database == str(folder / "x.db")

    @for_each(
        ("url", "words"),
        [
            ("sqlite://", "in memory"),
            ("sqlite:///", "in memory"),
            ("sqlite:///:memory:", "in memory"),
            ("sqlite://host/x.db", "in memory"),
            ("sqlite:////tmp/x.db?mode=ro", "no parameters"),
            ("sqlite:////tmp/50%.db", "percent-encoded"),
            ("sqlite:////nowhere/x.db", "no folder /nowhere"),
            ("sqlite:////tmp", "is a folder"),
            ("mysql://db/x", "must be postgresql://"),
            ("x", "must be postgresql://"),
        ],
    )
    def test_what_cannot_be_shared_or_written_is_refused(self, url: str, words: str) -> None:
        assert words in refusal(lambda text: database_url(text, INSTANCE), url)

    def test_a_folder_that_cannot_be_written_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # The permissions themselves would say nothing to root.
        monkeypatch.setattr("os.access", lambda *_arguments: False)
        message = refusal(lambda text: database_url(text, INSTANCE), f"sqlite:///{tmp_path}/x.db")
        assert message == f"cannot write in {tmp_path}"


class TestMailAndWeb:
    def test_one_form_of_each(self) -> None:
        assert mail_url("SMTP://u:p@ss/w#d@h:25/") == "smtp://u:p%40ss%2Fw%23d@h:25"
        assert mail_url("smtps://[::1]:465") == "smtps://[::1]:465"
        assert page_url("HTTPS://app.test/a/") == "https://app.test/a"
        assert upstream_url("http://rag:s%40ses@h:9000/") == "http://rag:s%40ses@h:9000"

    @for_each(
        "url",
        [
            *("mailto:x", "smtp://[x", "smtp://", "smtp://host/path", "smtp://host?x=y"),
            *("smtp://user@host", f"smtps://:{SECRET}@host", "smtp://a,b", "smtp://host:99999"),
            *(f"smtp://user:{SECRET}%C3%A4@host", f"smtp://jürgen:{SECRET}@host"),
        ],
    )
    def test_what_is_no_mail_server_is_refused(self, url: str) -> None:
        refusal(mail_url, url)

    @for_each(
        "url",
        [
            *("app.test", "ftp://app.test", "https://", "https:///x", "https://app.test:0"),
            *("https://app.test/?x=1", "https://app.test/#x", f"https://u:{SECRET}@app.test"),
        ],
    )
    def test_what_is_no_page_is_refused(self, url: str) -> None:
        refusal(page_url, url)
        refusal(github_keys_url, url)

    def test_a_list_of_keys_that_are_believed_comes_over_tls(self) -> None:
        documented = "https://api.github.com/meta/public_keys/secret_scanning"
        assert github_keys_url(documented) == documented
        for own in ("http://127.0.0.1:8080/keys", "http://[::1]/keys", "http://localhost/keys"):
            assert github_keys_url(own) == own
        for host in ("api.github.com", "10.0.0.1", "localhost.evil.test", "127.0.0.1.evil.test"):
            assert refusal(github_keys_url, f"http://{host}/keys") == "must start with https://"
