"""The service of `apps`, under the server that each framework is run with, in a thread."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import uvicorn
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings
from ragauth_client import AsyncClient, Client
from werkzeug.serving import make_server

from tests.clients_python.apps import django_app, flask_app
from tests.waiting import wait_until

STACKS = ("flask", "fastapi", "starlette", "django", "django-asgi")


@contextmanager
def serve(stack: str, url: str, service_key: str, **options: Any) -> Iterator[str]:
    """The URL of the service, in a framework, that asks a ragauth."""
    with ExitStack() as running:
        if stack.startswith("django"):
            settings = {"URL": url, "SERVICE_KEY": service_key, "OPTIONS": options}
            running.enter_context(override_settings(RAGAUTH=settings))
            client, async_client = django_app.client(), django_app.async_client()
        else:
            client = Client(url, service_key, **options)
            async_client = AsyncClient(url, service_key, **options)
        running.enter_context(client)
        match stack:
            case "flask":
                server = run_wsgi(flask_app.make_app(client))
            case "django":
                server = run_wsgi(WSGIHandler())
            case "django-asgi":
                server = run_asgi(ASGIHandler(), async_client)
            # What they are made with takes as long to load as all other tests, and few need it.
            case "fastapi":
                from tests.clients_python.apps import fastapi_app  # noqa: PLC0415

                server = run_asgi(fastapi_app.make_app(async_client), async_client)
            case _:
                from tests.clients_python.apps import starlette_app  # noqa: PLC0415

                server = run_asgi(starlette_app.make_app(async_client), async_client)
        yield running.enter_context(server)


@contextmanager
def run_wsgi(app: Any) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    with _running(lambda: server.serve_forever(poll_interval=0.02), server.shutdown):
        yield f"http://127.0.0.1:{server.server_port}"
    server.server_close()


@contextmanager
def run_asgi(app: Any, client: AsyncClient) -> Iterator[str]:
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off")
    server = uvicorn.Server(config)

    async def serve() -> None:
        async with client:
            await server.serve()

    def end() -> None:
        server.should_exit = True

    with _running(lambda: asyncio.run(serve()), end):
        wait_until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"


@contextmanager
def _running(serve: Callable[[], None], end: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=serve)
    with ExitStack() as last:
        last.callback(thread.join)
        last.callback(end)
        thread.start()
        yield
