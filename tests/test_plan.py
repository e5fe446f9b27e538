"""What subscriptions come to: symbols are counted once, the most particular rate holds, books weigh by their levels."""

from decimal import Decimal
from typing import Any

import pytest

from jrr_core.base_connector import BaseWebSocketConnector
from jrr_core.connector import ExchangeSettings
from jrr_core.errors import ConfigError
from jrr_core.instrument import Instrument, Instruments, Kind
from jrr_core.plan import PlanSettings, Stream, costs, rate_of, refuse_strangers, size_of, stored_streams, streams_of
from jrr_core.sink import StreamKey
from jrr_core.subscription import Subscription
from jrr_core.volume import RowBytes

DAY = 86_400


class Spot(BaseWebSocketConnector):
    """An exchange without mark prices, and without a list of its own."""

    exchange = "sim"
    channels = ("trade", "book", "candle_1m")


class Swaps(BaseWebSocketConnector):
    """An exchange that says BTCUSDT and means a perpetual."""

    exchange = "sim"


def wanted(*texts: str) -> list[Subscription]:
    return [Subscription.parse(f"sim:{text}") for text in texts]


def instrument(symbol: str, base: str, kind: Kind = "spot", active: bool = True) -> Instrument:
    return Instrument("sim", symbol, base, "USDT", None, kind, Decimal(1), None, None, None, f"{base}-USDT",
                      active=active)  # fmt: skip


LISTED = Instruments("sim", [
    instrument("BTCUSDT", "BTC"), instrument("SOLUSDT", "SOL"), instrument("NKNUSDT", "NKN"),
    instrument("OLDUSDT", "OLD", active=False), instrument("BTCUSDT-PERP", "BTC", "perpetual"),
    instrument("BTCUSDT-Z", "BTC", "future"),
])  # fmt: skip


def streams(listed: Instruments | None, *texts: str, of: Any = Spot, **settings: Any) -> tuple[list[Stream], Any]:
    return streams_of(of(ExchangeSettings()), listed, wanted(*texts), PlanSettings(**settings))


def kinds(found: list[Stream]) -> list[tuple[str, str, str]]:
    return [(stream.symbol, stream.symbol_class, stream.market) for stream in found]


def test_the_list_tells_class_and_market() -> None:
    found, uncounted = streams(LISTED, "trade:BTC*", "trade:SOL-USDT", "trade:NKNUSDT")
    assert kinds(found) == [
        ("BTCUSDT", "major", "spot"), ("BTCUSDT-PERP", "major", "perpetual"), ("BTCUSDT-Z", "other", "perpetual"),
        ("SOLUSDT", "large", "spot"), ("NKNUSDT", "other", "spot"),
    ]  # fmt: skip
    assert not uncounted


def test_without_a_list_the_symbol_and_the_exchange_tell() -> None:
    assert kinds(streams(None, "trade:BTCUSDT")[0]) == [("BTCUSDT", "major", "spot")]
    assert kinds(streams(None, "trade:BTCUSDT", of=Swaps)[0]) == [("BTCUSDT", "major", "perpetual")]
    assert kinds(streams(None, "trade:SOL-USDT-SWAP")[0]) == [("SOL-USDT-SWAP", "large", "perpetual")]


def test_a_stream_asked_for_twice_is_counted_with_the_first() -> None:
    found, _ = streams(LISTED, "trade:SOLUSDT", "trade:*", "trade:SOL-USDT")
    assert [str(stream.subscription) for stream in found if stream.symbol == "SOLUSDT"] == ["sim:trade:SOLUSDT"]
    assert {stream.symbol for stream in found} == {"BTCUSDT", "SOLUSDT", "NKNUSDT", "BTCUSDT-PERP", "BTCUSDT-Z"}


def test_a_symbol_not_listed_is_refused() -> None:
    with pytest.raises(ConfigError, match="did you mean BTCUSDT"):
        streams(LISTED, "trade:BTCUSDTT")


def test_a_pattern_without_a_list_is_named_with_its_cure() -> None:
    found, uncounted = streams(None, "trade:*USDT", "trade:BTCUSDT")
    assert len(found) == 1
    assert uncounted == {wanted("trade:*USDT")[0]: 'plan.symbols."sim:trade:*USDT" = HOW_MANY'}


def test_a_number_set_for_a_pattern_begins_with_the_busiest() -> None:
    found, uncounted = streams(None, "trade:*USDT", symbols={"sim:trade:*USDT": 100})
    assert [(stream.symbol_class, stream.count) for stream in found] == [("major", 2), ("large", 20), ("other", 78)]
    assert {stream.market for stream in found} == {"spot"}
    assert not uncounted
    found, _ = streams(None, "trade:*USDT", symbols={"sim:trade:*USDT": 1})
    assert [(stream.symbol_class, stream.count) for stream in found] == [("major", 1)]
    found, _ = streams(None, "trade:SOL*", symbols={"sim:trade:SOL*": 7}, of=Swaps)
    assert [(s.symbol_class, s.market, s.count) for s in found] == [("large", "perpetual", 7)]


def test_a_stream_of_unknown_meaning_needs_a_rate() -> None:
    found, uncounted = streams(LISTED, "ticker@btc")
    assert (found, list(uncounted.values())) == ([], ['plan.rates."sim:ticker@btc" = EVENTS_PER_SECOND'])
    settings = PlanSettings(rates={"sim:ticker@btc": 3.0})
    found, uncounted = streams_of(Spot(ExchangeSettings()), LISTED, wanted("ticker@btc"), settings)
    (cost,) = costs(found, settings, {}, {})
    assert (cost.rows, cost.fresh, uncounted) == (3 * DAY, None, {})


def test_a_store_knows_the_symbols_of_a_pattern() -> None:
    keys = [StreamKey("sim", "trade", s) for s in ("BTCUSDT", "SOLUSDT", "BTCEUR")] + [
        StreamKey("sim", "book", "XUSDT")
    ]
    found = stored_streams(Spot(ExchangeSettings()), wanted("trade:*USDT")[0], keys)
    assert kinds(found) == [("BTCUSDT", "major", "spot"), ("SOLUSDT", "large", "spot")]


@pytest.mark.parametrize(
    ("rates", "key", "per_s"),
    [
        ({}, "major.spot.trade", 45),
        ({"trade": 1.0}, "trade", 1),
        ({"trade": 1.0, "spot.trade": 2.0}, "spot.trade", 2),
        ({"spot.trade": 2.0, "major.trade": 3.0}, "major.trade", 3),
        ({"major.trade": 3.0, "major.spot.trade": 4.0}, "major.spot.trade", 4),
        ({"major.spot.trade": 4.0, "sim:trade:BTCUSDT": 5.0}, "sim:trade:BTCUSDT", 5),
        ({"large.trade": 9.0, "perpetual.trade": 9.0}, "major.spot.trade", 45),
    ],
)
def test_the_most_particular_rate_holds(rates: dict[str, float], key: str, per_s: float) -> None:
    (stream,), _ = streams(None, "trade:BTCUSDT")
    chosen, rate = rate_of(stream, PlanSettings(rates=rates), {})
    assert (chosen, rate.per_s) == (key, per_s)
    assert (rate.source == "set: plan.rates") == bool(rates and key in rates)


def test_what_the_exchange_fixes_holds_before_the_table_and_after_the_user() -> None:
    (stream,), _ = streams(None, "candle_1m:BTCUSDT")
    fixed = {"sim": {"candle": 0.5}, "other": {"candle_1m": 9.0}}
    assert rate_of(stream, PlanSettings(), fixed)[0] == "sim:candle"
    assert rate_of(stream, PlanSettings(), fixed)[1].source == "fixed by sim"
    assert rate_of(stream, PlanSettings(rates={"candle": 2.0}), fixed)[1].per_s == 2


def test_alike_streams_add_up_and_books_weigh_by_their_levels() -> None:
    found, _ = streams(LISTED, "book:*USDT")
    spot = [stream for stream in found if stream.market == "spot"]
    sizes = {"book": RowBytes(80, 20, 17, 4)}
    by_class = {cost.stream.symbol_class: cost for cost in costs(spot, PlanSettings(), {}, sizes)}
    major = by_class["major"]
    assert (major.symbols, major.rows) == (1, 10 * DAY)
    assert (major.fresh, major.kept) == (10 * DAY * (80 + 17 * 36), 10 * DAY * (20 + 4 * 36))
    (twice,) = costs([*spot[:1], *spot[:1]], PlanSettings(), {}, sizes)
    assert (twice.symbols, twice.rows) == (2, 2 * costs(spot[:1], PlanSettings(), {}, sizes)[0].rows)


def test_a_size_that_was_set_is_that_of_whole_rows() -> None:
    settings = PlanSettings(row_bytes={"book": 500.0, "candle_1m": 10.0, "candle": 20.0})
    assert size_of("book", settings, {"book": RowBytes(1, 1, 1, 1)}) == RowBytes(500, 500)
    assert size_of("candle_1m", settings, {}) == RowBytes(10, 10)
    assert size_of("candle_5m", settings, {}) == RowBytes(20, 20)
    assert size_of("quote", settings, {"quote": RowBytes(68, 60)}) == RowBytes(68, 60)
    assert size_of("trade", settings, {}) is None


def test_a_setting_for_what_is_not_subscribed_is_refused() -> None:
    refuse_strangers(PlanSettings(rates={"trade": 1.0}, symbols={"sim:trade:*USDT": 3}), wanted("trade:*USDT"))
    with pytest.raises(
        ConfigError, match=r"plan.rates: 'sim:trade:BTCUSD' is not subscribed; did you mean sim:trade:BTCU"
    ):
        refuse_strangers(PlanSettings(rates={"sim:trade:BTCUSD": 1.0}), wanted("trade:BTCUSDT"))
    with pytest.raises(ConfigError, match=r"plan.symbols: 'x:y' is not subscribed; subscribed: sim:trade:A"):
        refuse_strangers(PlanSettings(symbols={"x:y": 1}), wanted("trade:A"))


@pytest.mark.parametrize(
    ("table", "key", "hint"),
    [
        ("rates", "major.trde", "did you mean major.trade?"),
        ("rates", "spot.major.trade", "a key is a channel"),
        ("row_bytes", "trades", "did you mean trade?"),
        ("symbols", "trade", "exchange:channel:PATTERN"),
    ],
)
def test_unknown_keys_are_refused(table: str, key: str, hint: str) -> None:
    with pytest.raises(ValueError, match=f"{table}: unknown key '{key}'") as failure:
        PlanSettings(**{table: {key: 1}})
    assert hint in str(failure.value)


def test_negative_figures_are_refused() -> None:
    with pytest.raises(ValueError, match=r"rates\.trade = -1\.0 is negative"):
        PlanSettings(rates={"trade": -1.0})
