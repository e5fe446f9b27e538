"""Somebody's own code is called, and what it raises goes no further."""

import asyncio
import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from jrr_core.buffer import Buffer
from jrr_core.counters import SinkCounters
from jrr_core.events import MARKET_EVENTS, BookDelta, BookSnapshot, Candle, Gap, Trade
from jrr_core.notify import CallbackSubscriber, Notified, Notifier, accepts
from jrr_core.sink import BatchPolicy
from jrr_core.subscription import CHANNELS
from tests.toy import balanced, trade, until

ONE = Decimal(1)


def notifier(subscriber: Notified, max_rows: int = 1000) -> Notifier:
    counters = SinkCounters()
    return Notifier(subscriber, Buffer(BatchPolicy(max_rows, 0.0), 100_000, counters), counters)


async def given_all(to: Notifier, *numbers: int) -> None:
    for number in numbers:
        to.buffer.put(trade(number))
    to.buffer.close()
    async with asyncio.timeout(5):
        await to.run()


def test_sync_and_async_callables_get_each_event_in_order() -> None:
    async def main() -> None:
        found: list[str] = []

        async def later(event: Any) -> None:
            await asyncio.sleep(0)
            found.append(event.trade_id)

        for callback in (lambda event: found.append(event.trade_id), later):
            found.clear()
            to = notifier(CallbackSubscriber("trade", callback))
            await given_all(to, 1, 2, 3)
            assert found == ["1", "2", "3"]
            assert to.counters.written == 3

    asyncio.run(main())


def test_what_a_callable_raises_is_counted_per_event_and_the_others_are_delivered() -> None:
    async def main() -> None:
        found: list[str] = []

        def picky(event: Any) -> None:
            if event.trade_id == "2":
                raise ZeroDivisionError
            if event.trade_id == "3":
                raise asyncio.CancelledError
            found.append(event.trade_id)

        to = notifier(CallbackSubscriber("trade", picky))
        await given_all(to, 1, 2, 3, 4)
        assert found == ["1", "4"]
        assert (to.counters.written, to.counters.quarantined) == (2, 2)
        assert balanced(to.counters)

    asyncio.run(main())


def test_a_subscriber_that_fails_is_told_of_later_batches_all_the_same() -> None:
    class Failing:
        name = "failing"
        accepts: tuple[type, ...] = (Trade,)

        def __init__(self) -> None:
            self.calls = 0

        async def notify(self, batch: Sequence[Any]) -> None:
            self.calls += 1
            raise asyncio.CancelledError if self.calls == 1 else RuntimeError

    async def main() -> None:
        to = notifier(Failing(), max_rows=1)
        await given_all(to, 1, 2, 3)
        assert to.counters.quarantined == 3
        assert balanced(to.counters)

    asyncio.run(main())


def test_a_cancelled_delivery_leaves_the_batch_pending() -> None:
    async def main() -> None:
        async def hang(event: Any) -> None:
            await asyncio.sleep(60)

        to = notifier(CallbackSubscriber("trade", hang))
        to.buffer.put(trade(1))
        running = asyncio.ensure_future(to.run())
        await until(lambda: not len(to.buffer))
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert running.cancelled()
        assert to.pending == 1
        assert balanced(to.counters, to.pending)

    asyncio.run(main())


def test_slow_callables_let_the_sockets_have_their_turn() -> None:
    async def main() -> None:
        to = notifier(CallbackSubscriber("trade", lambda event: time.sleep(0.001)))
        longest, running = 0.0, asyncio.ensure_future(given_all(to, *range(200)))
        while not running.done():
            began = time.monotonic()
            await asyncio.sleep(0)
            longest = max(longest, time.monotonic() - began)
        await running
        assert longest < 0.1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("channel", "classes"),
    [
        ("*", MARKET_EVENTS),
        ("book", (BookSnapshot, BookDelta)),
        ("book_snapshot", (BookSnapshot,)),
        ("book_snapshot_5", (BookSnapshot,)),
        ("candle", (Candle,)),
        ("candle_1m", (Candle,)),
        ("candle_1d@+08:00", (Candle,)),
        ("book_delta", (BookDelta,)),
        ("gap", (Gap,)),
    ],
)
def test_a_channel_name_stands_for_classes(channel: str, classes: tuple[type, ...]) -> None:
    assert accepts(channel) == classes


def test_every_channel_of_subscriptions_can_be_subscribed_to() -> None:
    for channel in CHANNELS:
        assert accepts(channel)


@pytest.mark.parametrize("channel", ["", "trades", "candlestick", "candle_7m", "book_snapshot_x", "message"])
def test_a_name_that_is_no_channel_is_refused(channel: str) -> None:
    with pytest.raises(KeyError):
        accepts(channel)


def test_one_channel_of_a_class_is_picked_out() -> None:
    async def main() -> None:
        found: list[str] = []
        to = notifier(CallbackSubscriber("candle_1m", lambda event: found.append(event.interval)))
        for interval in ("1m", "1s"):
            to.buffer.put(Candle("toy", "X", None, 1, interval, 0, None, ONE, ONE, ONE, ONE, ONE, None, None, True))
        await given_all(to)
        assert found == ["1m"]

    asyncio.run(main())
