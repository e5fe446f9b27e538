"""What subscriptions will cost: streams counted by class of symbol, times typical rates, times the store's row sizes.

Pure: the command line brings connectors, lists of instruments and row sizes.
Nothing here is a promise; `stocktake` says what really came.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from attrs import define, evolve

from .connector import Connector
from .errors import ConfigError
from .instrument import Instrument, Instruments
from .rates import KEYS, LARGE, MAJOR, TABLE, Class, Market, Typical, class_of, keys, read_symbol
from .setting import setting
from .sink import StreamKey
from .subscription import CHANNELS, Subscription
from .volume import RowBytes, family

DAY_S = 86_400
MONTH_DAYS = 30
_FAMILIES = tuple(dict.fromkeys([*CHANNELS, *map(family, CHANNELS)]))
_DERIVED = frozenset({"funding", "mark_price", "open_interest", "liquidation"})


def _known_keys(known: Sequence[str], texts: bool) -> Any:
    """Return a validator: keys are among `known`, or texts of subscriptions where `texts`; values not negative."""

    def check(_: object, attribute: Any, value: Mapping[str, float]) -> None:
        for key, number in value.items():
            if not (key in known or (texts and ":" in key)):
                near = get_close_matches(key, known, n=1, cutoff=0.5)
                hint = f"; did you mean {near[0]}?" if near else ";"
                raise ValueError(f"{attribute.alias}: unknown key {key!r}{hint} {_FORMS[attribute.alias]}", attribute)
            if number < 0:
                raise ValueError(f"{attribute.alias}.{key} = {number} is negative", attribute)

    return check


_FORMS = {
    "rates": "a key is a channel, with class or market before it (major.spot.trade), or the text of a subscription",
    "row_bytes": f"known: {', '.join(name for name in _FAMILIES if not name.startswith('candle_'))}",
    "symbols": "a key is the text of a subscription, exchange:channel:PATTERN",
}


@define(kw_only=True)
class PlanSettings:
    """The section `[plan]`: what `jrr plan` reckons with in place of its own table."""

    rates: Mapping[str, float] = setting(
        {}, 'Events per second of one symbol, by "channel", "class.channel", "market.channel", "class.market.channel" '
        "or the text of a subscription.", validator=_known_keys(KEYS, texts=True),
    )  # fmt: skip
    row_bytes: Mapping[str, float] = setting(
        {}, "Bytes of a row, price levels included, by channel.", validator=_known_keys(_FAMILIES, texts=False)
    )
    symbols: Mapping[str, int] = setting(
        {}, "How many symbols a subscription with a pattern stands for, by its text; for want of the exchange's list.",
        validator=_known_keys((), texts=True),
    )  # fmt: skip


@define(frozen=True)
class Stream:
    """One stream, or `count` alike of a pattern whose symbols are not known (`symbol` is the pattern then)."""

    subscription: Subscription
    channel: str
    symbol: str
    symbol_class: Class
    market: Market
    count: int = 1

    @property
    def key(self) -> StreamKey:
        """The stream as stores know it."""
        return StreamKey(self.subscription.exchange, self.channel, self.symbol)


@define(frozen=True)
class Cost:
    """What alike streams of one subscription bring: rows and bytes per day, as written and as kept.

    `rate_key` names the figure used and `rate` holds it. Bytes are None
    where the store says nothing of its rows.
    """

    stream: Stream
    symbols: int
    rate_key: str
    rate: Typical
    rows: float
    fresh: float | None
    kept: float | None


def streams_of(
    connector: Connector, listed: Instruments | None, wanted: Iterable[Subscription], settings: PlanSettings
) -> tuple[list[Stream], dict[Subscription, str]]:
    """Return the streams of the subscriptions of one exchange, and what cannot be counted, with the setting to add.

    `listed` None means the list cannot be had; symbols are then taken as
    written. A stream that two subscriptions ask for is counted with the
    first. Raises ConfigError naming what the exchange does not have.
    """
    found: dict[str, Stream] = {}
    uncounted = {}
    for subscription in wanted:
        count = settings.symbols.get(str(subscription))
        if count is not None:
            streams = _assumed(connector, subscription, count)
        elif listed is None and _is_pattern(subscription.symbol):
            streams = {}
        else:
            streams = _streams(connector, listed, subscription)
        strange = [s for s in streams.values() if s.channel.partition("@")[0] not in CHANNELS]
        if strange and str(subscription) not in settings.rates:
            uncounted[subscription] = f'plan.rates."{subscription}" = EVENTS_PER_SECOND'
        elif not streams:
            uncounted[subscription] = f'plan.symbols."{subscription}" = HOW_MANY'
        else:
            found |= {name: stream for name, stream in streams.items() if name not in found}
    return list(found.values()), uncounted


def stored_streams(connector: Connector, subscription: Subscription, keys: Iterable[StreamKey]) -> list[Stream]:
    """Return the streams of a pattern, or of a whole market, that a store holds; in place of the exchange's list."""
    filled = subscription if subscription.native is None else _filled(connector, subscription)[0]
    return [
        Stream(subscription, key.channel, key.symbol, *_read(connector, key.symbol))
        for key in keys
        if (key.exchange, key.channel) == (subscription.exchange, filled.channel)
        and fnmatchcase(key.symbol, filled.symbol)
    ]


def costs(
    streams: Iterable[Stream],
    settings: PlanSettings,
    fixed: Mapping[str, Mapping[str, float]],
    row_bytes: Mapping[str, RowBytes],
) -> list[Cost]:
    """Return what the streams cost, those of one subscription that are alike added up.

    `fixed` are the rates each exchange fixes, by its name and channel;
    `row_bytes` the store's.
    """
    alike: dict[Stream, int] = {}
    for stream in streams:
        kind = evolve(stream, symbol=stream.subscription.symbol, count=1)
        alike[kind] = alike.get(kind, 0) + stream.count
    return [_cost(stream, count, settings, fixed, row_bytes) for stream, count in alike.items()]


def total(numbers: Iterable[float | None]) -> float | None:
    """Return the sum, None where a part of it is not known."""
    parts = list(numbers)
    return None if None in parts else sum(part for part in parts if part is not None)


def rate_of(stream: Stream, settings: PlanSettings, fixed: Mapping[str, Mapping[str, float]]) -> tuple[str, Typical]:
    """Return the key and the figure that hold for a stream: the user's, the exchange's, the table's."""
    own = keys(stream.symbol_class, stream.market, stream.channel)
    usual = next((key for key in own if key in TABLE), "")
    levels = TABLE[usual].levels if usual else 0.0
    for key in (str(stream.subscription), *own):
        if key in settings.rates:
            return key, Typical(settings.rates[key], "set: plan.rates", levels)
    exchange = stream.subscription.exchange
    for key in own:
        if key in fixed.get(exchange, {}):
            return f"{exchange}:{key}", Typical(fixed[exchange][key], f"fixed by {exchange}", levels)
    return usual, TABLE[usual]


def refuse_strangers(settings: PlanSettings, subscriptions: Iterable[Subscription]) -> None:
    """Raise ConfigError for a setting of a subscription that is none of those configured."""
    known = [str(subscription) for subscription in subscriptions]
    for name, table in (("rates", settings.rates), ("symbols", settings.symbols)):
        for key in table:
            if ":" in key and key not in known:
                near = get_close_matches(key, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"subscribed: {', '.join(known)}"
                raise ConfigError(f"plan.{name}: {key!r} is not subscribed; {hint}")


def _cost(
    stream: Stream,
    count: int,
    settings: PlanSettings,
    fixed: Mapping[str, Mapping[str, float]],
    row_bytes: Mapping[str, RowBytes],
) -> Cost:
    key, rate = rate_of(stream, settings, fixed)
    rows = rate.per_s * DAY_S * count
    size = size_of(stream.channel, settings, row_bytes)
    if size is None:
        return Cost(stream, count, key, rate, rows, None, None)
    fresh = rows * (size.fresh + size.per_level_fresh * rate.levels)
    kept = rows * (size.kept + size.per_level_kept * rate.levels)
    return Cost(stream, count, key, rate, rows, fresh, kept)


def size_of(channel: str, settings: PlanSettings, row_bytes: Mapping[str, RowBytes]) -> RowBytes | None:
    """Return the size of a channel's rows: the user's, else the store's, None where neither says it."""
    for name in (channel.partition("@")[0], family(channel)):
        if name in settings.row_bytes:
            return RowBytes(settings.row_bytes[name], settings.row_bytes[name])
    return row_bytes.get(family(channel))


def _streams(connector: Connector, listed: Instruments | None, subscription: Subscription) -> dict[str, Stream]:
    """Return the streams of a subscription by their names; none where a whole market has an unknown number."""
    wanted = [subscription]
    if subscription.native is None and listed is not None:
        wanted = [evolve(subscription, symbol=symbol) for symbol in listed.resolve(subscription.symbol)]
    streams = {}
    for filled in [stream for one in wanted for stream in _filled(connector, one)]:
        for symbol in _symbols(filled, listed):
            if listed is None or symbol == "*":
                symbol_class, market = _read(connector, symbol)
            else:
                symbol_class, market = _kind(listed.by_symbol[listed.resolve(symbol)[0]])
            name = str(evolve(filled, symbol=symbol, native=None))
            streams[name] = Stream(subscription, filled.channel, symbol, symbol_class, market)
    return streams


def _filled(connector: Connector, subscription: Subscription) -> list[Subscription]:
    """Return the subscription as the connector plans it, channel and symbol filled in."""
    plans = connector.sessions([subscription])
    return list(dict.fromkeys(stream for plan in plans for stream in plan.subscriptions))


def _symbols(filled: Subscription, listed: Instruments | None) -> list[str]:
    """Return the symbols a stream speaks of; of a whole market's those that can have its channel."""
    if filled.symbol != "*":
        return [filled.symbol]
    if filled.channel not in CHANNELS:
        return ["*"]
    items = [] if listed is None else [item for item in listed.by_symbol.values() if item.active]
    return [item.symbol for item in items if filled.channel not in _DERIVED or item.kind != "spot"]


def _kind(item: Instrument) -> tuple[Class, Market]:
    if item.kind == "spot":
        return class_of(item.base), "spot"
    return class_of(item.base) if item.kind == "perpetual" else "other", "perpetual"


def _read(connector: Connector, symbol: str) -> tuple[Class, Market]:
    """Read the symbol; where it does not tell the market, see whether the exchange has mark prices of it."""
    symbol_class, market = read_symbol(symbol)
    if market is None:
        try:
            connector.sessions([Subscription(connector.exchange, "mark_price", symbol)])
            market = "perpetual"
        except ConfigError:
            market = "spot"
    return symbol_class, market


def _assumed(connector: Connector, subscription: Subscription, count: int) -> dict[str, Stream]:
    """Return `count` streams of a pattern: all of one base, or the busiest there are and the rest `other`."""
    filled = subscription if subscription.native is None else _filled(connector, subscription)[0]
    begin, star, rest = filled.symbol.partition("*")
    symbol_class, market = _read(connector, f"{begin or 'BTC'}{rest or 'USDT'}" if star else filled.symbol)
    shares: dict[Class, int] = {symbol_class: count}
    if star and not begin:
        major = min(count, len(MAJOR - {"XBT"}))
        large = min(count - major, len(LARGE))
        shares = {"major": major, "large": large, "other": count - major - large}
    return {
        f"{subscription} {share}": Stream(subscription, filled.channel, filled.symbol, share, market, number)
        for share, number in shares.items()
        if number
    }


def _is_pattern(symbol: str) -> bool:
    return "*" in symbol or "?" in symbol
