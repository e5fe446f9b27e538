"""`jrr query`: what a store holds, event by event, as a table, CSV or JSON lines."""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import wraps
from itertools import zip_longest
from operator import itemgetter
from typing import Any

import click
from attrs import asdict, define, fields

from ..book import BookState
from ..events import Candle, FundingRate, Message, Quote, Trade
from ..exact import plain
from ..store import QueryStore, Range, Selection
from ..wire import encode
from .moment import moment, moments, shown
from .options import config_options, settings
from .records import FORMS, Form, Record, columns_of, each, records_of, write
from .stored import check_exchange, find, query_store_of, streams
from .tell import tell

_NEWEST = 20
_RANGE = tuple(attribute.name for attribute in fields(Range))
_form = click.option("--format", "form", type=click.Choice(FORMS), default="table", show_default=True, help="Form.")
_target = click.argument("target", metavar="EXCHANGE:SYMBOL")
_scope = click.argument("scope", metavar="[EXCHANGE[:SYMBOL]]", required=False)


@define(frozen=True)
class Asked:
    """What a user asked for of one symbol's events."""

    target: str
    since: str | None
    until: str | None
    limit: int | None
    newest: bool
    form: Form


@click.group()
def query() -> None:
    """Ask a store: trades, candles, books, what is missing.

    TIME is ISO 8601 (UTC where no zone is given), int nanoseconds since 1970,
    or a span back from now: -15m, -1h30m, -2d. SYMBOL is the exchange's own
    or the canonical one: BTC-USDT.
    """


def _answer(ask: Callable[..., Awaitable[int]]) -> Callable[..., None]:
    """Make a command of a coroutine that takes the store and returns the exit code."""

    @wraps(ask)
    def command(config_file: Any, plugins: str | None, overrides: tuple[str, ...], **asked: Any) -> None:
        store = query_store_of(settings(config_file, plugins, overrides))
        sys.exit(asyncio.run(_code(ask(store, **asked))))

    return config_options(_form(command))


async def _code(answer: Awaitable[int]) -> int:
    return await answer


def _events(ask: Callable[..., Awaitable[int]]) -> Callable[..., None]:
    """Make a command of a coroutine that takes the store and an Asked."""

    @wraps(ask)
    def bundled(store: QueryStore, **asked: Any) -> Awaitable[int]:
        own = {attribute.name: asked.pop(attribute.name) for attribute in fields(Asked)}
        return ask(store, Asked(**own), **asked)

    command = _answer(bundled)
    for option in (
        click.option("--newest", is_flag=True, help=f"The last ones rather than the first; {_NEWEST} without --limit."),
        click.option("--limit", type=click.IntRange(1), metavar="N", help="At most so many."),
        click.option("--to", "until", metavar="TIME", help="Those before this time."),
        click.option("--from", "since", metavar="TIME", help="Those at this time and later."),
        _target,
    ):
        command = option(command)
    return command


@query.command()
@_events
async def trades(store: QueryStore, asked: Asked) -> int:
    """Show the trades of a symbol."""
    return await _show(store, Trade, asked)


@query.command()
@_events
async def quotes(store: QueryStore, asked: Asked) -> int:
    """Show the best bids and asks of a symbol."""
    return await _show(store, Quote, asked)


@query.command()
@click.option("--interval", required=True, help="1m, 1h, 1d; with --from-trades any, such as 7m.")
@click.option("--from-trades", is_flag=True, help="Make the candles from the stored trades.")
@_events
async def candles(store: QueryStore, asked: Asked, interval: str, from_trades: bool) -> int:
    """Show the candles of a symbol; times are those of their beginnings."""
    if from_trades:
        return await _show(store, Candle, asked, lambda chosen: _resampled(store, interval, chosen))
    return await _show(store, Candle, asked, interval=interval)


@query.command()
@_events
async def funding(store: QueryStore, asked: Asked) -> int:
    """Show the funding rates of a symbol."""
    return await _show(store, FundingRate, asked)


@query.command()
@_target
@click.option("--at", metavar="TIME", help="The moment; default: the last one stored.")
@click.option("--depth", type=click.IntRange(1), default=10, show_default=True, metavar="N", help="Levels a side.")
@_answer
async def book(store: QueryStore, target: str, at: str | None, depth: int, form: Form) -> int:
    """Show the order book of a symbol at a moment.

    Exit code 1 when there is none, or when it is not known to be whole.
    """
    exchange, symbol = await find(store, target)
    name = f"{exchange}:{symbol}"
    ts = moment(at, time.time_ns()) if at is not None else await _last_book(store, exchange, symbol)
    state = None if ts is None else await store.book_at(exchange, symbol, ts, depth)
    if state is None:
        when = "" if ts is None or at is None else f" at or before {shown(ts)} UTC"
        tell(f"no book of {name} is stored{when}; {await _stored_of(store, exchange, symbol)}", err=True)
        return 1
    await _show_book(state, form)
    if not state.intact:
        tell(f"the book of {name} is not intact: {state.reason}", err=True)
    return 0 if state.intact else 1


@query.command()
@_scope
@_answer
async def coverage(store: QueryStore, scope: str | None, form: Form) -> int:
    """Show which times of which streams are stored, and which are missing."""
    return await _show_ranges(store, scope, form, ("complete", "backfilled", "gap"))


@query.command()
@_scope
@_answer
async def gaps(store: QueryStore, scope: str | None, form: Form) -> int:
    """Show what is missing, and why."""
    return await _show_ranges(store, scope, form, ("gap",))


@query.command()
@_scope
@_answer
async def last(store: QueryStore, scope: str | None, form: Form) -> int:
    """Show the time of each stream's last event, and its age."""
    exchange, symbol = await _scope_of(store, scope)
    now = time.time_ns()
    rows = [
        {**asdict(key), "ts": ts, "age_s": round((now - ts) / 1e9, 3)}
        for key, ts in (await store.last()).items()
        if exchange in (None, key.exchange) and symbol in (None, key.symbol)
    ]
    rows.sort(key=itemgetter("exchange", "channel", "symbol"))
    await _write(rows, ("exchange", "channel", "symbol", "ts", "age_s"), form)
    return 0


async def _show(
    store: QueryStore,
    kind: type[Message],
    asked: Asked,
    made: Callable[[Selection], AsyncIterator[Message]] | None = None,
    interval: str | None = None,
) -> int:
    """Write the events asked for: the stored ones of a class, or those that `made` gives."""
    exchange, symbol = await find(store, asked.target)
    chosen = _selection(asked, exchange, symbol, interval)
    events = store.read(kind, chosen) if made is None else made(chosen)
    columns = columns_of(kind)
    count = await write(records_of(events, columns), columns, asked.form, sys.stdout, hidden=("exchange", "symbol"))
    if not count:
        tell(f"nothing found; {await _stored_of(store, exchange, symbol)}", err=True)
    elif chosen.newest and asked.limit is None and not asked.newest:
        tell(f"the newest {count} of {exchange}:{symbol}; --from, --to and --limit choose others", err=True)
    return 0


def _resampled(store: QueryStore, interval: str, chosen: Selection) -> AsyncIterator[Candle]:
    return store.resample(chosen.exchange or "", chosen.symbol or "", interval, chosen)


def _selection(asked: Asked, exchange: str, symbol: str, interval: str | None) -> Selection:
    """Return what to read; a table without any choice is of the newest, for it is read by people."""
    since, until = moments(asked.since, asked.until, time.time_ns())
    unchosen = since is None and until is None and asked.limit is None
    newest = asked.newest or (unchosen and asked.form == "table")
    limit = _NEWEST if newest and asked.limit is None else asked.limit
    return Selection(exchange, symbol, since, until, interval, limit, newest)


async def _stored_of(store: QueryStore, exchange: str, symbol: str) -> str:
    channels = sorted({channel for where, channel, name in await streams(store) if (where, name) == (exchange, symbol)})
    return f"stored of {exchange}:{symbol}: {', '.join(channels)}"


async def _last_book(store: QueryStore, exchange: str, symbol: str) -> int | None:
    """Return the time of the last book event of a symbol."""
    times = [
        ts
        for key, ts in (await store.last()).items()
        if (key.exchange, key.symbol) == (exchange, symbol) and key.channel.split("_snapshot")[0] == "book"
    ]
    return max(times, default=None)


async def _show_book(state: BookState, form: Form) -> None:
    """Write the book: side by side as a table, one level a row as CSV, one object as JSON."""
    if form == "json":
        bids, asks = [[[plain(price), plain(amount)] for price, amount in side] for side in (state.bids, state.asks)]
        tell(encode({**asdict(state, recurse=False), "bids": bids, "asks": asks}))
    elif form == "csv":
        sides = [("bid", level) for level in state.bids] + [("ask", level) for level in state.asks]
        rows = [dict(zip(("side", "price", "amount"), (side, *level), strict=True)) for side, level in sides]
        await _write(rows, ("side", "price", "amount"), form)
    else:
        mark = "" if state.intact else "  NOT INTACT"
        tell(f"{state.exchange}:{state.symbol} at {shown(state.ts)} UTC, update {state.sequence}{mark}")
        names = ("bid_amount", "bid", "ask", "ask_amount")
        pairs = zip_longest(state.bids, state.asks, fillvalue=(None, None))
        await _write([dict(zip(names, (*bid[::-1], *ask), strict=True)) for bid, ask in pairs], names, form)


async def _show_ranges(store: QueryStore, scope: str | None, form: Form, states: Sequence[str]) -> int:
    exchange, symbol = await _scope_of(store, scope)
    rows = [
        asdict(item)
        for item in await store.coverage()
        if item.state in states and exchange in (None, item.exchange) and symbol in (None, item.symbol)
    ]
    await _write(rows, _RANGE, form, "no coverage" if "complete" in states else "no gaps")
    return 0


async def _scope_of(store: QueryStore, scope: str | None) -> tuple[str | None, str | None]:
    """Return the exchange and native symbol that [EXCHANGE[:SYMBOL]] limits an answer to."""
    if scope is None:
        return None, None
    if ":" in scope:
        return await find(store, scope)
    check_exchange(scope, await streams(store))
    return scope, None


async def _write(rows: Iterable[Record], columns: tuple[str, ...], form: Form, nothing: str = "nothing stored") -> None:
    if not await write(each(rows), columns, form, sys.stdout):
        tell(nothing, err=True)
