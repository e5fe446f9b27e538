"""REST GETs within the exchange's limits: weights, Retry-After, retries.

Each in a daemon thread, so that none could hold up a stop.
"""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable

from .backoff import Backoff
from .frame import Frame, HttpGet
from .network import host_of
from .pace import Budget
from .rest import FetchFailed, Reply, http_get
from .route import SYSTEM, Network

__all__ = ["Fetch", "FetchFailed"]

# Too many requests, and banned for having gone on: they concern everyone who shares the budget.
_OVER_LIMIT = frozenset({418, 429})
# The wait after those where the server names none.
_OVER_LIMIT_S = 5.0
# Requests for the past under way at a time: an answer of a thousand rows takes the loop a millisecond or two.
_PATIENT_AT_ONCE = 4


class Fetch:
    """GETs for one exchange; budgets are shared between exchanges that name the same pool."""

    def __init__(
        self,
        exchange: str,
        budgets: dict[str, Budget],
        report: Callable[[str], None] = lambda text: None,
        network: Network = SYSTEM,
    ) -> None:
        """`report` is told of each failed attempt that will be repeated."""
        self._exchange = exchange
        self._budgets = budgets
        self._report = report
        self._network = network
        self._past = asyncio.Semaphore(_PATIENT_AT_ONCE)

    def spent(self) -> dict[str, dict[str, float]]:
        """Return of each pool the weight used in its window, the limit, and the window's seconds."""
        return {
            pool: {"used": budget.used, "limit": budget.rate.count, "per_s": budget.rate.per_s}
            for pool, budget in self._budgets.items()
        }

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

    async def timed_get(self, request: HttpGet) -> tuple[int, Frame]:
        """Do as `try_get`; return also when the request was sent (int ns), behind any wait for the budget."""
        budget = self._budgets.get(request.pool)
        if budget is not None:
            await budget.spend(request.weight)
        return time.time_ns(), await self._send(request, budget)

    async def _attempt(self, request: HttpGet) -> Frame:
        budget = self._budgets.get(request.pool)
        if budget is not None:
            await budget.spend(request.weight, request.patient)
        return await self._send(request, budget)

    async def _send(self, request: HttpGet, budget: Budget | None) -> Frame:
        reply = await _in_daemon_thread(lambda: http_get(request.url, request.headers, self._network))
        if reply.status in _OVER_LIMIT or reply.status >= 500:
            wait_s = reply.retry_after_s or (_OVER_LIMIT_S if reply.status in _OVER_LIMIT else 0.0)
            if budget is not None and reply.status in _OVER_LIMIT:
                budget.close_for(wait_s)
            asked = f", asking to wait {wait_s:g} s" if wait_s else ""
            raise FetchFailed(f"{host_of(request.url)} answered HTTP {reply.status}{asked}", wait_s)
        return Frame(self._exchange, reply.body, time.time_ns(), request.tag, reply.status)


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
