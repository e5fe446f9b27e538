"""What the parser keeps between frames: numbers of quotes, and symbols that were not asked for."""

from jrr_kraken.connector import KrakenConnector, KrakenSettings

from jrr_core.events import Quote, Trade
from jrr_core.frame import Frame
from jrr_core.subscription import Subscription


def ticker(amount: str, micros: int, symbol: str = "BTC/USD") -> Frame:
    row = (
        f'{{"symbol":"{symbol}","bid":1.0,"bid_qty":{amount},"ask":2.0,"ask_qty":1.0,'
        f'"timestamp":"2023-10-06T17:35:55.{micros:06d}Z"}}'
    )
    return Frame("kraken", f'{{"channel":"ticker","type":"update","data":[{row}]}}', 5)


def test_a_quote_once_more_is_told_once_and_two_of_one_instant_have_numbers_of_their_own() -> None:
    parser = KrakenConnector(KrakenSettings()).parser(None)
    frames = [ticker("1.0", 7), ticker("1.0", 7), ticker("2.0", 7), ticker("2.0", 8), ticker("1.0", 7, "ETH/USD")]
    quotes = [event for frame in frames for event in parser.receive(frame) if isinstance(event, Quote)]
    start = 1_696_613_755_000_007_000
    assert [(quote.symbol, quote.sequence) for quote in quotes] == [
        ("BTC/USD", start), ("BTC/USD", start + 1), ("BTC/USD", start + 1000), ("ETH/USD", start),
    ]  # fmt: skip


def test_symbols_and_channels_that_were_not_asked_for_are_passed_over() -> None:
    parser = KrakenConnector(KrakenSettings()).parser([Subscription("kraken", "quote", "BTC/USD")])
    assert list(parser.receive(ticker("1.0", 7, "ETH/USD"))) == []
    row = '{"symbol":"BTC/USD","side":"buy","price":1,"qty":1,"trade_id":7,"timestamp":"2023-10-06T17:35:55Z"}'
    events = parser.receive(Frame("kraken", f'{{"channel":"trade","type":"update","data":[{row}]}}', 5))
    assert not [event for event in events if isinstance(event, Trade)]


def test_streams_that_join_are_read_unless_their_topic_is_already() -> None:
    parser = KrakenConnector(KrakenSettings()).parser([Subscription("kraken", "quote", "BTC/USD")])
    assert list(parser.receive(ticker("1.0", 7, "ETH/USD"))) == []
    assert not parser.extend([Subscription("kraken", "quote", symbol) for symbol in ("ETH/USD", "BTC/USD")])
    assert list(parser.receive(ticker("1.0", 7, "ETH/USD"))) == []
    assert parser.extend([Subscription("kraken", "quote", "ETH/USD")])
    assert [event.symbol for event in parser.receive(ticker("1.0", 7, "ETH/USD"))] == ["ETH/USD"]
