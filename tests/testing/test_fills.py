from decimal import Decimal

from jrr_core.events import Trade
from jrr_core.testing.fills import merging, numbers


def trade(number: int | str, count: int = 1, space: str | None = None) -> Trade:
    return Trade("x", "BTC", 1, 1, Decimal(1), Decimal(1), "buy", str(number), count, None, space)


def test_a_trade_of_several_fills_covers_their_numbers() -> None:
    assert list(numbers(trade(9, 3))) == [7, 8, 9]
    assert list(numbers(trade(9))) == [9]


def test_fills_are_merged_where_trades_count_several_and_share_no_number() -> None:
    assert merging([trade(4, 3), trade(1), trade(9, 5)]) == {("x", "BTC", None)}
    assert merging([trade(4), trade(5)]) == set()
    assert merging([trade(4, 3, "agg"), trade(5, 3, "agg")]) == set()
    assert merging([trade("a-b", 3)]) == set()
    assert merging([trade(4, 3), trade(5, 2, "agg"), trade(6, 2, "agg")]) == {("x", "BTC", None)}
