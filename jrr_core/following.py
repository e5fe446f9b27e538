"""Patterns follow what an exchange lists: what newly fits is subscribed, what is delisted or has expired ends.

The list is read now and then, and when a contract that is carried expires. A
list that cannot be read changes nothing.
"""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence

from .errors import JrrError, ParseError
from .exchange import Exchange
from .fetch import FetchFailed
from .journal import say, say_seldom
from .line import Line
from .subscription import Subscription

# A list that lacks something is asked for again so soon, as one that cannot be had is.
_AGAIN_S = 60.0
# Not all collectors are to ask an exchange in the second in which its contracts expire.
_EXPIRED_S = (1.0, 5.0)
# Symbols that one line of log names.
_NAMED = 5
_NEVER_NS = 1 << 63


async def follow(exchange: Exchange, run: Callable[[Line], None], end: Callable[[Line], None]) -> None:
    """Keep what is carried in step with the list, until cancelled; return at once where there is none to follow.

    `run` and `end` are given the lines to start and those that carry
    nothing any more.
    """
    every_s = exchange.around.settings.instruments_s
    soon = False
    while every_s and exchange.instruments is not None and len(exchange.instruments):
        await asyncio.sleep(_pause_s(exchange, min(every_s, _AGAIN_S) if soon else every_s))
        before = exchange.instruments
        try:
            listed = await exchange.load_instruments()
        except (FetchFailed, ParseError) as failure:
            say_seldom(logging.WARNING, "instruments_unreachable", exchange.name,
                       f"{exchange.name}: {failure}; its last list still counts", exchange=exchange.name,
                       reason=str(failure))  # fmt: skip
            soon = True
            continue
        if listed.by_symbol == before.by_symbol and not soon and not _expiries(exchange, until_ns=time.time_ns()):
            continue
        changes = exchange.wishes.changes(listed, time.time_ns())
        soon = bool(changes.doubtful)
        _end(exchange, changes.over, end)
        _begin(exchange, changes.fresh, run)


def _pause_s(exchange: Exchange, every_s: float) -> float:
    """Return how long to wait: about `every_s`, or until shortly after the next contract expires."""
    now_ns = time.time_ns()
    left_s = min([(expiry - now_ns) / 1e9 for expiry in _expiries(exchange, since_ns=now_ns)], default=float("inf"))
    return min(every_s * random.uniform(0.9, 1.1), left_s + random.uniform(*_EXPIRED_S))


def _expiries(exchange: Exchange, since_ns: int = 0, until_ns: int = _NEVER_NS) -> list[int]:
    """Return when (int ns) contracts that are carried expire, as far as that is between these times."""
    assert exchange.instruments is not None
    symbols = {stream.symbol for stream in exchange.wanted.values()}
    items = [exchange.instruments.by_symbol.get(symbol) for symbol in symbols]
    expiries = [item.expiry for item in items if item is not None and item.expiry is not None]
    return [expiry for expiry in expiries if since_ns < expiry <= until_ns]


def _end(exchange: Exchange, streams: Sequence[Subscription], end: Callable[[Line], None]) -> None:
    carried = exchange.carriage.known(streams)
    for line in exchange.carriage.drop(carried):
        end(line)
    if carried:
        _tell(exchange, "delisted", "no longer listed, or expired", carried, "ended")


def _begin(exchange: Exchange, streams: Sequence[Subscription], run: Callable[[Line], None]) -> None:
    """Carry what is new; a stream that the exchange's connector refuses stops no other."""
    before = set(exchange.wanted)
    try:
        lines = list(exchange.carriage.carry(streams))
    except JrrError:
        lines = [line for stream in streams for line in _carried(exchange, stream)]
    for line in lines:
        run(line)
    begun = [stream for name, stream in exchange.wanted.items() if name not in before]
    if begun:
        _tell(exchange, "listed", "newly listed", begun, "subscribed")


def _carried(exchange: Exchange, stream: Subscription) -> Sequence[Line]:
    try:
        return exchange.carriage.carry([stream])
    except JrrError as error:
        say(logging.ERROR, "subscription_refused", str(error), exchange=exchange.name, stream=str(stream))
        return ()


def _tell(exchange: Exchange, event: str, what: str, streams: Sequence[Subscription], done: str) -> None:
    symbols = sorted({stream.symbol for stream in streams})
    named = ", ".join(symbols[:_NAMED]) + (f" and {len(symbols) - _NAMED} more" if len(symbols) > _NAMED else "")
    say(logging.INFO, event, f"{exchange.name}: {named} {what}: {len(streams)} streams {done}",
        exchange=exchange.name, symbols=symbols, streams=len(streams))  # fmt: skip
