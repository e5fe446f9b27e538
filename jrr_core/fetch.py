"""REST GETs within the exchange's limits: weights, Retry-After, retries.

The standard library's client in daemon threads: few requests, no connection to
keep, and nothing that could hold up a stop.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from attrs import define

from .backoff import Backoff
from .errors import ConfigError, JrrError
from .frame import Frame, HttpGet
from .network import host_of, reason_of
from .pace import Budget

_TIMEOUT_S = 10.0
_MAX_BODY_BYTES = 64 * 2**20
# Too many requests, and banned for having gone on: they concern everyone who shares the budget.
_OVER_LIMIT = frozenset({418, 429})
# The wait after those where the server names none.
_OVER_LIMIT_S = 5.0
# Requests for the past under way at a time: an answer of a thousand rows takes the loop a millisecond or two.
_PATIENT_AT_ONCE = 4
# What may stand in an address as it is; all else (symbols in other scripts) is percent-encoded.
_URL_SAFE = ":/?#[]@!$&'()*+,;=%~"


class FetchFailed(JrrError):  # noqa: N818 - says what happened, not whose fault
    """A GET came to nothing; the text names the host and the reason. It may be tried again after `wait_s`."""

    def __init__(self, text: str, wait_s: float = 0.0) -> None:
        """`wait_s` is how long the server asked to be left alone."""
        super().__init__(text)
        self.wait_s = wait_s


@define(frozen=True)
class Reply:
    """An HTTP answer: status, body, seconds the server asked us to wait, its Date header."""

    status: int
    body: bytes
    retry_after_s: float | None
    date: str | None


class Fetch:
    """GETs for one exchange; budgets are shared between exchanges that name the same pool."""

    def __init__(
        self, exchange: str, budgets: dict[str, Budget], report: Callable[[str], None] = lambda text: None
    ) -> None:
        """`report` is told of each failed attempt that will be repeated."""
        self._exchange = exchange
        self._budgets = budgets
        self._report = report
        self._past = asyncio.Semaphore(_PATIENT_AT_ONCE)

    async def get(self, request: HttpGet) -> Frame:
        """Return the reply, trying as long as it takes; any status but 418, 429 and 5xx is a reply."""
        backoff = Backoff(base_s=1.0)
        if request.after_s:
            await asyncio.sleep(request.after_s)
        while True:
            try:
                return await self.try_get(request)
            except FetchFailed as failure:
                self._report(str(failure))
                await asyncio.sleep(failure.wait_s + backoff.next_s())

    async def try_get(self, request: HttpGet) -> Frame:
        """Make one attempt within the budget; raises FetchFailed, and closes the budget as Retry-After says.

        Raises ConfigError for an address that is none.
        """
        if request.patient:
            async with self._past:
                return await self._attempt(request)
        return await self._attempt(request)

    async def _attempt(self, request: HttpGet) -> Frame:
        budget = self._budgets.get(request.pool)
        if budget is not None:
            await budget.spend(request.weight, request.patient)
        host = host_of(request.url)
        try:
            reply = await _in_daemon_thread(lambda: http_get(request.url, headers=request.headers))
        except (OSError, HTTPException, EOFError) as error:
            raise FetchFailed(f"cannot reach {host}: {reason_of(error)}") from None
        except ValueError as error:
            raise ConfigError(f"rest_url {request.url!r} is not an http:// or https:// address: {error}") from None
        if reply.status in _OVER_LIMIT or reply.status >= 500:
            wait_s = reply.retry_after_s or (_OVER_LIMIT_S if reply.status in _OVER_LIMIT else 0.0)
            if budget is not None and reply.status in _OVER_LIMIT:
                budget.close_for(wait_s)
            asked = f", asking to wait {wait_s:g} s" if wait_s else ""
            raise FetchFailed(f"{host} answered HTTP {reply.status}{asked}", wait_s)
        return Frame(self._exchange, reply.body, time.time_ns(), request.tag, reply.status)


def http_get(url: str, timeout_s: float = _TIMEOUT_S, headers: Mapping[str, str] | None = None) -> Reply:
    """GET `url`, blocking; every HTTP status is a Reply. Raises OSError and HTTPException for the rest."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ConfigError(f"rest_url {url!r} is not an http:// or https:// address")
    sent = {"User-Agent": "jrr", "Accept": "application/json", **(headers or {})}
    request = Request(quote(url, safe=_URL_SAFE), headers=sent)
    try:
        with urlopen(request, timeout=timeout_s) as answer:
            return Reply(answer.status, answer.read(_MAX_BODY_BYTES), None, answer.headers.get("Date"))
    except HTTPError as error:
        with error:
            return Reply(error.code, error.read(_MAX_BODY_BYTES), _retry_after(error), error.headers.get("Date"))


def _retry_after(error: HTTPError) -> float | None:
    text = (error.headers.get("Retry-After") or "").strip()
    return min(float(text), 3 * 86_400.0) if text.isdecimal() else None


async def _in_daemon_thread(work: Callable[[], Reply]) -> Reply:
    """Run `work` in a thread that neither a cancelled caller nor the end of the process waits for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Reply] = loop.create_future()

    def settle(set_outcome: Callable[[], None]) -> None:
        if not done.done():
            set_outcome()

    def run() -> None:
        try:
            reply = work()
        except BaseException as error:
            failure = error
            outcome: Callable[[], None] = lambda: done.set_exception(failure)  # noqa: E731
        else:
            outcome = lambda: done.set_result(reply)  # noqa: E731
        # The loop may be gone by now: the run ended without waiting for this reply.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, outcome)

    threading.Thread(target=run, name="jrr-http", daemon=True).start()
    return await done
