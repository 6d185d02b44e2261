"""A request through nginx that asks ragauth first, against one that asks bare Flask."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import wrk
from bench.checks import AUTHORIZE
from bench.client import Caller
from bench.contenders import Contender, interleave, key_questions, rate_ratio
from bench.figures import Report
from bench.setting import Setting, serve, serve_bare
from tests.servers.gunicorn import GunicornServer
from tests.servers.processes import ServerProcess, free_port
from tests.waiting import wait_until

_BEHIND = "behind nginx, ragauth is asked"
_BARE = "behind nginx, bare Flask is asked"

# Nothing but the question differs; the answer is a file, so that nothing else takes time.
_CONFIGURATION = """
{user}
daemon off;
pid nginx.pid;
worker_processes 1;
events {{}}
http {{
    access_log access.log;
    {buffers}
    upstream asked {{
        server 127.0.0.1:{asked_port};
        keepalive 32;
        keepalive_timeout 1s;
    }}
    server {{
        listen 127.0.0.1:{port};
        keepalive_requests 1000000;
        root {folder}/root;
        location = /answer {{
            default_type application/json;
            auth_request /asked;
        }}
        location = /asked {{
            internal;
            proxy_pass http://asked{path};
            proxy_http_version 1.1;
            proxy_pass_request_body off;
            proxy_pass_request_headers off;
            proxy_set_header Connection "";
            proxy_set_header Content-Length "";
            proxy_set_header Authorization $http_authorization;
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
"""


def measure(setting: Setting, report: Report) -> None:
    """Compare the requests a second of both."""
    installation = setting.usual()
    with ExitStack() as servers:
        ours = servers.enter_context(serve(installation.environment))
        bare = servers.enter_context(serve_bare(setting))
        contenders: dict[str, Contender] = {}
        for name, server, path in (
            (_BARE, bare, "/bare"),
            (_BEHIND, ours, f"{AUTHORIZE}?on_limit=403&scope=query"),
        ):
            url = servers.enter_context(
                _nginx(setting.folder / f"nginx-{server.pid}", server, path)
            )
            asked = key_questions(server, installation, setting, path="/answer")
            contenders[name] = Contender(
                wrk.Questions(url, "GET", "/answer", asked.file),
                server.pid,
                installation if server is ours else None,
            )
        _require_refusal(contenders[_BEHIND].questions.url)
        report.notes += interleave(contenders, setting)
    report.figures.append(
        rate_ratio(
            "behind nginx `auth_request`, against bare Flask as the auth server",
            contenders[_BEHIND],
            contenders[_BARE],
            2.5,
        )
    )


@contextmanager
def _nginx(folder: Path, asked: GunicornServer, path: str) -> Iterator[str]:
    root = folder / "root"
    root.mkdir(parents=True)
    (root / "answer").write_text('{"answer": "of the service"}\n')
    port = free_port()
    names = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            # As root it would hand its workers to an account that may not read this folder.
            user="user root;" if os.geteuid() == 0 else "",
            buffers=" ".join(f"{name}_temp_path {name};" for name in names),
            asked_port=asked.url.rpartition(":")[2],
            port=port,
            folder=folder,
            path=path,
        )
    )
    process = ServerProcess(
        ["nginx", "-p", f"{folder}/", "-c", configuration, "-e", "stderr"],
        folder=folder,
        # Where Debian has it; an ordinary account's PATH may not lead there.
        environment={"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin"},
        cwd=folder,
        last_signal=signal.SIGTERM,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until(lambda: (folder / "nginx.pid").exists() or process.exit_code() is not None)
        if process.exit_code() is not None:
            raise RuntimeError(f"nginx did not start:\n{process.log()}")
        yield url
    finally:
        process.stop(signal.SIGTERM, 10)


def _require_refusal(url: str) -> None:
    """Raise unless nginx really asks: who has no key does not pass."""
    caller = Caller(url)
    status, _ = caller.ask("GET", "/answer")
    caller.close()
    if status != 401:
        raise RuntimeError(f"nginx answered {status} to a request without a key")
