"""Feeds of simulated exchanges: everyone hears the same, and the truth knows what closed."""

from collections.abc import Sequence
from decimal import Decimal

from jrr_core.events import Candle, Trade
from jrr_core.testing.feed import CandleFeed, Feed, TradeFeed
from jrr_core.testing.market import Listing, Market, MarketCandle, MarketTrade
from jrr_core.testing.truth import Truth

S = 1_000_000_000
LISTING = Listing("X", Decimal(100), Decimal("0.1"), Decimal("0.01"))


class Ear:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def push(self, text: str) -> None:
        self.heard.append(text)


class Seconds(CandleFeed):
    """Candles of a second, told as their opening second and whether they closed; none without trades."""

    def event(self, candle: MarketCandle, now_ns: int) -> Candle | None:
        if not candle.trade_count:
            return None
        prices = candle.open, candle.high, candle.low, candle.close
        return Candle(
            "x", self.symbol, None, now_ns, "1s", candle.open_time, None, *prices, candle.volume, None, None, True
        )

    def text(self, candles: Sequence[tuple[MarketCandle, bool]], now_ns: int) -> str:
        return " ".join([f"{candle.open_time // S}{'!' if closed else '?'}" for candle, closed in candles])


def test_a_listener_is_greeted_with_the_present_and_hears_what_is_published_until_it_leaves() -> None:
    truth, first, second = Truth(), Ear(), Ear()
    feed = Feed("X", Market([LISTING], 1), truth)
    feed.join(first, 0)
    feed.publish("a", (), 1)
    feed.join(second, 2)
    feed.leave(first)
    feed.leave(first)
    feed.publish("b", (), 3)
    assert (first.heard, second.heard) == (["a"], ["a", "b"])


class Prints(TradeFeed):
    """Trades as `id` texts, each by itself."""

    def event(self, trade: MarketTrade) -> Trade:
        return Trade("x", self.symbol, trade.ts, trade.ts, trade.price, trade.amount, trade.side, str(trade.trade_id))

    def texts(self, trades: Sequence[MarketTrade], now_ns: int) -> list[str]:
        return [str(trade.trade_id) for trade in trades]


def test_trades_are_told_once_a_tick_and_noted_whether_or_not_anybody_listens() -> None:
    market, truth, ear = Market([LISTING], 1), Truth(), Ear()
    feed = Prints("X", market, truth)
    feed.join(ear, 0)
    for now in range(200):
        feed.happen(market.step(now))
    assert ear.heard == []
    feed.tick(200, False)
    heard = list(ear.heard)
    assert heard == [event.trade_id for event in truth.events if isinstance(event, Trade)]
    assert len(heard) > 20
    feed.leave(ear)
    for now in range(200, 400):
        feed.happen(market.step(now))
    feed.tick(400, False)
    assert ear.heard == heard
    assert len(truth.events) > len(heard)


def test_candles_that_close_are_true_whether_or_not_anybody_listens() -> None:
    market, truth, ear = Market([LISTING], 1), Truth(), Ear()
    feed = Seconds("X", market, truth, S, 0)
    feed.join(ear, 0)
    for now in range(0, 2 * S, S // 50):
        market.step(now)
        feed.tick(now, False)
    assert ear.heard == ["0?", "0! 1?"]
    feed.leave(ear)
    feed.tick(2 * S, False)
    closed = [event.open_time for event in truth.events if isinstance(event, Candle)]
    assert closed == [0, S]


def test_without_trades_there_may_be_no_candle() -> None:
    truth = Truth()
    feed = Seconds("X", Market([LISTING], 1), truth, S, 0)
    feed.tick(3 * S, False)
    assert truth.events == []


def test_once_the_market_rests_the_last_text_stands() -> None:
    feed, early, late = Seconds("X", Market([LISTING], 1), Truth(), S, 0), Ear(), Ear()
    feed.join(early, 0)
    feed.tick(S // 2, True)
    feed.join(late, 5 * S)
    assert late.heard == ["0?"]
