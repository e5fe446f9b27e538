"""The store that commands read: the one the settings give, and what a user calls a stream in it."""

from collections.abc import Collection, Iterable
from difflib import get_close_matches

from attrs import evolve

from ..builder import ManagerBuilder
from ..config import Config
from ..errors import ConfigError
from ..instrument import Instrument
from ..store import QueryStore, Selection, Store
from .options import load_plugins

Stream = tuple[str, str, str]

_NAMED = 12


def store_of(config: Config) -> Store:
    """Return the one sink of the settings that can be read back; raises ConfigError where there is none, or several."""
    sinks = ManagerBuilder(plugins=load_plugins(config), config=evolve(config, exchanges={})).sinks()
    stores = {sink.name: sink for sink in sinks if isinstance(sink, Store)}
    if len(stores) > 1:
        raise ConfigError(f"several stores could be meant ({', '.join(stores)}); name one with --plugins")
    if not stores:
        raise ConfigError("no installed sink can be read back; `jrr plugins` lists the sinks there are")
    return next(iter(stores.values()))


def query_store_of(config: Config) -> QueryStore:
    """Return the store of the settings, which can be asked; raises ConfigError as `store_of` does."""
    store = store_of(config)
    if not isinstance(store, QueryStore):
        name = getattr(store, "name", "this store")
        raise ConfigError(f"{name} can be read back but not asked; `jrr coverage` reads it, `jrr query` cannot")
    return store


async def find(store: QueryStore, target: str) -> tuple[str, str]:
    """Return the exchange and the native symbol that EXCHANGE:SYMBOL means; the symbol may be canonical.

    Raises ConfigError, with what is stored, where it means nothing in the store.
    """
    known = await streams(store)
    exchange, colon, symbol = target.partition(":")
    if not colon or not symbol:
        example = ":".join(min(known)[::2]) if known else "EXCHANGE:BTC-USDT"
        raise ConfigError(f"{target!r} is not of the form EXCHANGE:SYMBOL, for example {example}")
    check_exchange(exchange, known)
    symbols = {name for where, _, name in known if where == exchange}
    if symbol in symbols:
        return exchange, symbol
    listed = [item async for item in store.read(Instrument, Selection(exchange=exchange))]
    canonical = {item.canonical: item.symbol for item in listed if item.symbol in symbols}
    wanted = symbol.upper()
    if wanted in canonical:
        return exchange, canonical[wanted]
    if wanted in symbols:
        return exchange, wanted
    near = _near(wanted, {*symbols, *canonical})
    raise ConfigError(f"nothing of {exchange}:{symbol} is stored{near} stored of {exchange}: {_names(symbols)}")


async def among(store: Store, known: Iterable[Stream], exchange: str | None, symbol: str | None) -> set[Stream]:
    """Return those streams that --exchange and --symbol choose; a symbol may be canonical, then on every exchange.

    Raises ConfigError, with what is stored, where they choose nothing.
    """
    there = {stream for stream in known if exchange in (None, stream[0])}
    if exchange is not None:
        check_exchange(exchange, known)
    if symbol is None:
        return there
    listed = [item async for item in store.read(Instrument, Selection(exchange=exchange))]
    native = {(item.exchange, item.symbol) for item in listed if symbol.upper() in (item.canonical, item.symbol)}
    chosen = {stream for stream in there if stream[2] == symbol or stream[::2] in native}
    if not chosen:
        symbols = {name for _, _, name in there} | {item.canonical for item in listed}
        raise ConfigError(f"nothing of {symbol} is stored{_near(symbol.upper(), symbols)} stored: {_names(symbols)}")
    return chosen


def check_exchange(exchange: str, known: Iterable[Stream]) -> None:
    """Raise ConfigError, with those there are, where nothing of the exchange is among the streams."""
    exchanges = {name for name, _, _ in known}
    if not exchanges:
        raise ConfigError("the store is empty; collect something first: `jrr run`")
    if exchange not in exchanges:
        near = _near(exchange, exchanges)
        raise ConfigError(f"nothing of exchange {exchange!r} is stored{near} stored: {_names(exchanges)}")


async def streams(store: QueryStore) -> set[Stream]:
    """Return (exchange, channel, symbol) of every stream that has events or coverage in the store."""
    ended = {(key.exchange, key.channel, key.symbol) for key in await store.last()}
    return ended | {(item.exchange, item.channel, item.symbol) for item in await store.coverage()}


def _near(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, known, n=3)
    return f"; did you mean {', '.join(near)}?" if near else ";"


def _names(known: Iterable[str]) -> str:
    names = sorted(known)
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
