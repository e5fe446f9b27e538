from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from jrr_core.testing.market import Happening, Listing, Market

BTC = Listing("BTC", Decimal("60000.00"), Decimal("0.01"), Decimal("0.00001"))
CENT = Listing("CENT", Decimal("0.0003"), Decimal("0.0001"), Decimal("1"))
SECOND_NS = 1_000_000_000


def run(market: Market, steps: int, every_ns: int = 1_000_000, start_ns: int = 0) -> list[Happening]:
    return [market.step(start_ns + number * every_ns) for number in range(steps)]


def test_the_same_seed_makes_the_same_market() -> None:
    assert run(Market([BTC, CENT], 5), 500) == run(Market([BTC, CENT], 5), 500)
    assert run(Market([BTC, CENT], 5), 500) != run(Market([BTC, CENT], 6), 500)


@given(st.integers(0, 1 << 32), st.integers(0, 3000), st.integers(4, 40))
def test_books_are_never_empty_never_crossed_and_bounded(seed: int, steps: int, depth: int) -> None:
    market = Market([BTC, CENT], seed, depth)
    run(market, steps)
    for listing in market.listings:
        bids, asks = market.book(listing.symbol)
        assert depth // 3 <= len(bids) <= 2 * depth
        assert depth // 3 <= len(asks) <= 2 * depth
        assert bids[0][0] < asks[0][0]
        assert bids == sorted(bids, reverse=True)
        assert asks == sorted(asks)
        assert all(price > 0 and amount > 0 for price, amount in bids + asks)


@given(st.integers(0, 1 << 32))
def test_changes_rebuild_the_book(seed: int) -> None:
    market = Market([BTC, CENT], seed, 20)
    sides = {item.symbol: tuple(dict(side) for side in market.book(item.symbol)) for item in market.listings}
    for happening in run(market, 400):
        for side, changes in zip(sides[happening.symbol], (happening.bids, happening.asks), strict=True):
            for price, amount in changes:
                side[price] = amount
                if not amount:
                    del side[price]
    for symbol, (bids, asks) in sides.items():
        assert (sorted(bids.items(), reverse=True), sorted(asks.items())) == market.book(symbol)


def test_the_top_is_reported_whenever_it_changes() -> None:
    market = Market([BTC], 3)
    before = market.top("BTC", 1)
    for number in range(2000):
        happening = market.step(number)
        assert happening.top == (market.top("BTC", 1) != before)
        before = market.top("BTC", 1)


def test_trades_are_numbered_without_holes_and_lie_on_the_grid() -> None:
    market = Market([BTC], 1)
    trades = [happening.trade for happening in run(market, 3000) if happening.trade is not None]
    assert 0.25 < len(trades) / 3000 < 0.35
    assert [trade.trade_id for trade in trades] == list(range(trades[0].trade_id, trades[0].trade_id + len(trades)))
    assert all(trade.price % BTC.tick == 0 and trade.amount % BTC.lot == 0 and trade.amount > 0 for trade in trades)
    assert all(trade.price.as_tuple().exponent == -2 for trade in trades)


def test_trades_can_be_asked_for_from_an_id_on() -> None:
    market = Market([BTC], 1)
    run(market, 1000)
    latest = market.trades("BTC", limit=5)
    assert market.trades("BTC", latest[1].trade_id, 2) == latest[1:3]
    assert market.trades("BTC", latest[-1].trade_id + 1) == []


def test_candles_add_up_to_the_trades() -> None:
    market = Market([BTC], 1)
    market.candle("BTC", SECOND_NS, 0)
    trades = [happening.trade for happening in run(market, 5000) if happening.trade is not None]
    candles = market.closed_candles("BTC", SECOND_NS, -1, 5 * SECOND_NS)
    assert [candle.open_time for candle in candles] == [number * SECOND_NS for number in range(5)]
    for candle in candles:
        inside = [trade for trade in trades if candle.open_time <= trade.ts < candle.close_time]
        prices = [trade.price for trade in inside]
        assert (candle.open, candle.close) == (prices[0], prices[-1])
        assert (candle.high, candle.low) == (max(prices), min(prices))
        assert candle.volume == sum(trade.amount for trade in inside)
        assert candle.quote_volume == sum(trade.price * trade.amount for trade in inside)
        assert candle.buy_volume == sum(trade.amount for trade in inside if trade.side == "buy")
        assert (candle.first_id, candle.last_id) == (inside[0].trade_id, inside[-1].trade_id)


def test_a_candle_asked_for_late_has_the_trades_before() -> None:
    market = Market([BTC], 1)
    trades = [happening.trade for happening in run(market, 900) if happening.trade is not None]
    assert market.candle("BTC", SECOND_NS, 900_000_000).trade_count == len(trades)


def test_a_candle_without_trades_repeats_the_close() -> None:
    market = Market([BTC], 1)
    market.candle("BTC", SECOND_NS, 0)
    run(market, 100)
    close = market.candle("BTC", SECOND_NS, 500_000_000).close
    empty = market.closed_candles("BTC", SECOND_NS, 0, 3 * SECOND_NS)[-1]
    assert (empty.open, empty.high, empty.low, empty.close) == (close, close, close, close)
    assert not empty.volume
    assert not empty.trade_count
    assert empty.first_id is None


def test_boundaries_can_be_shifted() -> None:
    market = Market([BTC], 1)
    eight_h = 8 * 3600 * SECOND_NS
    candle = market.candle("BTC", 24 * 3600 * SECOND_NS, 20 * 3600 * SECOND_NS, -eight_h)
    assert candle.open_time == 16 * 3600 * SECOND_NS


def test_derivative_prices_stay_near_the_book() -> None:
    market = Market([BTC], 1)
    run(market, 5000)
    bids, asks = market.top("BTC", 1)
    assert bids[0][0] <= market.index_price("BTC") <= asks[0][0]
    assert abs(market.mark_price("BTC") - market.index_price("BTC")) <= BTC.tick
    assert abs(market.funding_rate("BTC")) < Decimal("0.001")
    assert market.open_interest("BTC") > 0
