"""The two clients: they carry out, over httpx, the steps that a call consists of."""

import asyncio
import functools
import inspect
import re
import ssl
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from typing import Any, Concatenate, ParamSpec, Self, TypeVar, Unpack

import httpx

from ragauth_client import calls, gate
from ragauth_client.exchange import (
    Answer,
    NoAnswer,
    OnUnavailable,
    Outcome,
    Pause,
    Plan,
    Send,
    Settings,
)
from ragauth_client.fields import Amounts, Question
from ragauth_client.models import Verdict
from ragauth_client.reservations import AsyncReservation, Reservation
from ragauth_client.version import VERSION

P = ParamSpec("P")
T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])
# Shorter than the 5 s for which ragauth keeps one: a call on a connection that is being closed has
# no answer, and a check cannot be repeated then.
_KEEPALIVE_SECONDS = 3.0
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
# httpx tells what the end of its time has met.
_LAST_WORD_SECONDS = 0.1
# The call has certainly not been sent.
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)


def _calls(describe: Callable[P, Plan[T]]) -> "Callable[Concatenate[Client, P], T]":
    """A method of `Client` that carries out what a function describes."""

    def call(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._carry_out(describe(*args, **kwargs))

    return _documented(call, describe)


def _awaits(
    describe: Callable[P, Plan[T]],
) -> "Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]":
    """A method of `AsyncClient` that carries out what a function describes."""

    async def call(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._carry_out(describe(*args, **kwargs))

    return _documented(call, describe)


def _documented(method: Method, describe: Callable[..., Any]) -> Method:
    """The method with name, text and parameters of what describes it, for `help()`."""
    functools.update_wrapper(method, describe)
    signature = inspect.signature(describe)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [itself, *signature.parameters.values()]
    told = signature.replace(parameters=parameters, return_annotation=signature.empty)
    method.__signature__ = told  # type: ignore[attr-defined]
    return method


class _Left(dict[str, float]):
    """The time-outs of httpx, each of them what is left of one time for all."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._ends = time.monotonic() + seconds

    def get(self, _phase: str, _default: Any = None) -> float:
        return max(self._ends - time.monotonic(), 0.001)

    def is_over(self) -> bool:
        return time.monotonic() > self._ends


class _Base:
    """ragauth, asked with a service key.

    `url` is ragauth's, `service_key` one with the scopes that are needed. Times are in seconds:
    `timeout` for each try of a call, `verify_timeout` for a check in all. A call that may be
    repeated is, after each of `waits`. `on_unavailable` decides what a check says while ragauth is
    out of reach: "refuse" (503), or "allow", which lets everybody in, unchecked and uncounted.
    Proxies of the environment are not used; `proxy` names one. One client is meant to live as long
    as the program; it may be shared by threads (`Client`), or by the tasks of one event loop
    (`AsyncClient`; each other loop gets connections of its own), and is made before a fork if
    nothing has been asked yet.
    """

    def __init__(
        self,
        url: str,
        service_key: str,
        *,
        timeout: float = 10.0,
        verify_timeout: float = 2.0,
        on_unavailable: OnUnavailable = "refuse",
        waits: Sequence[float] = (0.1, 0.5, 2.0),
        max_connections: int = 100,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
    ) -> None:
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError(f"ragauth's URL must be http:// or https:// and a host, not {url!r}")
        if parsed.userinfo or parsed.query or parsed.fragment:
            raise ValueError("ragauth's URL has no user, no query and no fragment")
        if not _PRINTABLE.fullmatch(service_key):
            raise ValueError("the service key is empty, or has characters that no key has")
        if on_unavailable not in ("refuse", "allow"):
            raise ValueError('on_unavailable is "refuse" or "allow"')
        if not all(0 < seconds < float("inf") for seconds in (timeout, verify_timeout)):
            raise ValueError("a time-out is more than 0 seconds, and not endless")
        self._settings = Settings(timeout, verify_timeout, on_unavailable, tuple(waits))
        self._url = url.rstrip("/")
        options: dict[str, Any] = {
            "headers": {
                "X-API-Key": service_key,
                "User-Agent": f"ragauth-client-python/{VERSION}",
                "Accept": "application/json",
            },
            "limits": httpx.Limits(
                max_connections=max_connections,
                max_keepalive_connections=max_connections,
                keepalive_expiry=_KEEPALIVE_SECONDS,
            ),
            "proxy": proxy,
            "trust_env": False,
            "verify": ssl_context or _tls(is_needed=parsed.scheme == "https" or bool(proxy)),
        }
        self._open(options)

    def _open(self, options: dict[str, Any]) -> None:
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._url!r})"

    def _request(self, client: httpx.Client | httpx.AsyncClient, step: Send) -> httpx.Request:
        return client.build_request(
            step.method,
            self._url + step.path,
            params=dict(step.query) or None,
            content=step.content,
            headers=dict(step.headers),
            extensions={"timeout": _Left(step.timeout)},
        )


class Client(_Base):
    __doc__ = _Base.__doc__

    verify = _calls(calls.verify)
    check = _calls(gate.check)
    settle = _calls(calls.settle)
    report = _calls(calls.report)
    create_account = _calls(calls.create_account)
    get_account = _calls(calls.get_account)
    list_accounts = _calls(calls.list_accounts)
    change_account = _calls(calls.change_account)
    delete_account = _calls(calls.delete_account)
    create_key = _calls(calls.create_key)
    list_keys = _calls(calls.list_keys)
    get_key = _calls(calls.get_key)
    change_key = _calls(calls.change_key)
    rotate_key = _calls(calls.rotate_key)
    revoke_key = _calls(calls.revoke_key)

    def _open(self, options: dict[str, Any]) -> None:
        self._http = httpx.Client(**options)

    @contextmanager
    def reserve(
        self,
        key: str,
        amounts: Amounts,
        *,
        client_ip: str | None = None,
        origin: str | None = None,
        **question: Unpack[Question],
    ) -> Iterator[Reservation]:
        """Check a key, reserve amounts by meter, and settle in the end by what was used.

        Raises Refused where the key may not do it.
        """
        question["reserve"] = amounts
        verdict = self.verify(key, client_ip=client_ip, origin=origin, **question)
        with self.settling(verdict) as reservation:
            yield reservation

    def settling(self, verdict: Verdict) -> Reservation:
        """What a verdict has reserved: leaving its `with` settles it.

        Raises Refused for a refusal.
        """
        return Reservation(verdict, self.settle)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _carry_out(self, plan: Plan[T]) -> T:
        steps, outcome = plan.steps(self._settings), None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = self._do(step)

    def _do(self, step: Send | Pause) -> Outcome:
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        request = self._request(self._http, step)
        left = request.extensions["timeout"]
        try:
            with closing(self._http.send(request, stream=True)) as response:
                content = b""
                for chunk in response.iter_bytes():
                    content += chunk
                    if left.is_over():
                        raise httpx.ReadTimeout("the answer is too slow")
                return Answer(response.status_code, response.headers, content)
        except httpx.RequestError as error:
            return _no_answer(error)


class AsyncClient(_Base):
    __doc__ = _Base.__doc__

    verify = _awaits(calls.verify)
    check = _awaits(gate.check)
    settle = _awaits(calls.settle)
    report = _awaits(calls.report)
    create_account = _awaits(calls.create_account)
    get_account = _awaits(calls.get_account)
    list_accounts = _awaits(calls.list_accounts)
    change_account = _awaits(calls.change_account)
    delete_account = _awaits(calls.delete_account)
    create_key = _awaits(calls.create_key)
    list_keys = _awaits(calls.list_keys)
    get_key = _awaits(calls.get_key)
    change_key = _awaits(calls.change_key)
    rotate_key = _awaits(calls.rotate_key)
    revoke_key = _awaits(calls.revoke_key)

    def _open(self, options: dict[str, Any]) -> None:
        self._options = options
        self._by_loop: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}
        self._lock = threading.Lock()
        # What settles beside a task that was cancelled.
        self._beside: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def reserve(
        self,
        key: str,
        amounts: Amounts,
        *,
        client_ip: str | None = None,
        origin: str | None = None,
        **question: Unpack[Question],
    ) -> AsyncIterator[AsyncReservation]:
        """Check a key, reserve amounts by meter, and settle in the end by what was used.

        Raises Refused where the key may not do it.
        """
        question["reserve"] = amounts
        verdict = await self.verify(key, client_ip=client_ip, origin=origin, **question)
        async with self.settling(verdict) as reservation:
            yield reservation

    def settling(self, verdict: Verdict) -> AsyncReservation:
        """What a verdict has reserved: leaving its `async with` settles it.

        Raises Refused for a refusal.
        """
        return AsyncReservation(verdict, self.settle, _beside=self._beside)

    @property
    def _http(self) -> httpx.AsyncClient:
        """The connections of the running event loop: those of another one cannot be used here."""
        loop = asyncio.get_running_loop()
        with self._lock:
            if loop not in self._by_loop:
                open_ones = [each for each in self._by_loop.items() if not each[0].is_closed()]
                self._by_loop = {**dict(open_ones), loop: httpx.AsyncClient(**self._options)}
            return self._by_loop[loop]

    async def aclose(self) -> None:
        loop = asyncio.get_running_loop()
        beside = [task for task in self._beside if task.get_loop() is loop]
        await asyncio.gather(*beside, return_exceptions=True)
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _carry_out(self, plan: Plan[T]) -> T:
        steps, outcome = plan.steps(self._settings), None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            outcome = await self._do(step)

    async def _do(self, step: Send | Pause) -> Outcome:
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
            return None
        http = self._http
        try:
            # httpx ends by itself what does not go on; this ends what goes on slowly.
            async with asyncio.timeout(step.timeout + _LAST_WORD_SECONDS):
                response = await http.send(self._request(http, step))
            return Answer(response.status_code, response.headers, response.content)
        except (httpx.RequestError, TimeoutError) as error:
            return _no_answer(error)


def _tls(*, is_needed: bool) -> ssl.SSLContext:
    """The list of authorities takes long to read, and plain HTTP needs none."""
    if is_needed:
        return httpx.create_ssl_context(trust_env=False)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _no_answer(error: Exception) -> NoAnswer:
    reason = f"{type(error).__name__} {error}".strip()
    return NoAnswer(reason, may_have_arrived=not isinstance(error, _NOT_SENT))
