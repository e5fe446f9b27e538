"""Tickertape for jrr: trades and quotes of an exchange that exists only here.

It speaks JSON lines. `{"op": "listen", "tapes": ["trade:BTC-USD"]}` subscribes,
`{"op": "ping"}` keeps an idle connection open, and every other line that comes
is a trade or a quote.
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, ClassVar, Literal

from attrs import define

from jrr_core.base_connector import BaseWebSocketConnector
from jrr_core.connector import Connector, ExchangeSettings
from jrr_core.events import Message, Quote, Trade
from jrr_core.exact import decimal
from jrr_core.hookspecs import hookimpl
from jrr_core.setting import setting
from jrr_core.wire import Meta, Struct, decoder, encode

Symbol = Annotated[str, Meta(min_length=1)]
Millis = Annotated[int, Meta(ge=0, le=9_000_000_000_000)]
Number = Annotated[int, Meta(ge=0, le=2**63 - 1)]  # what stores can hold
NS_PER_MS = 1_000_000


class Line(Struct):
    """What every line may have: `tape` is "trade", "quote", or missing in answers to what we sent."""

    tape: str = ""


class TradeLine(Struct):
    """One trade.

    `{"tape": "trade", "symbol": "BTC-USD", "n": 17, "at": 1704067200123,
    "price": "61837.63", "size": "0.0120", "taker": "b"}`
    """

    symbol: Symbol
    n: Number
    at: Millis
    price: str
    size: str
    taker: Literal["b", "s"]


class QuoteLine(Struct):
    """The best bid and ask.

    `{"tape": "quote", "symbol": "BTC-USD", "n": 18, "at": 1704067200124,
    "bid": ["61837.60", "3.7"], "ask": ["61837.63", "0.2"]}`
    """

    symbol: Symbol
    n: Number
    at: Millis
    bid: tuple[str, str]
    ask: tuple[str, str]


read_line, read_trade, read_quote = decoder(Line), decoder(TradeLine), decoder(QuoteLine)


@define(kw_only=True)
class TickertapeSettings(ExchangeSettings):
    """The section `[exchanges.tickertape]`: the common settings, with an address of our own."""

    ws_url: str = setting("ws://127.0.0.1:8765", "WebSocket address of Tickertape.")


class Tickertape(BaseWebSocketConnector):
    """Everything jrr needs to know about Tickertape."""

    exchange = "tickertape"
    Settings: ClassVar[type[ExchangeSettings]] = TickertapeSettings
    channels = ("trade", "quote")

    def get_ws_url(self) -> str:
        """One address serves everything."""
        return str(self.settings.ws_url)

    def subscribe(self, channels: Sequence[str]) -> str:
        """Tickertape takes any number of tapes in one message, written as jrr writes them."""
        return encode({"op": "listen", "tapes": list(channels)})

    def parse_message(self, raw: str | bytes) -> Message | None:
        """Return the trade or quote of a line; None for "listening" and "pong"."""
        tape = read_line(raw).tape
        if tape == "trade":
            return self._trade(read_trade(raw))
        if tape == "quote":
            return self._quote(read_quote(raw))
        return None

    def send_heartbeat(self) -> str:
        """Tickertape hangs up on clients it has not heard of for a minute."""
        return encode({"op": "ping"})

    def _trade(self, line: TradeLine) -> Trade:
        return Trade(
            exchange=self.exchange,
            symbol=line.symbol,
            ts_event=line.at * NS_PER_MS,
            ts_recv=0,
            price=decimal(line.price),
            amount=decimal(line.size),
            side="buy" if line.taker == "b" else "sell",
            trade_id=str(line.n),
        )

    def _quote(self, line: QuoteLine) -> Quote:
        (bid_price, bid_amount), (ask_price, ask_amount) = line.bid, line.ask
        return Quote(
            exchange=self.exchange,
            symbol=line.symbol,
            ts_event=line.at * NS_PER_MS,
            ts_recv=0,
            bid_price=decimal(bid_price),
            bid_amount=decimal(bid_amount),
            ask_price=decimal(ask_price),
            ask_amount=decimal(ask_amount),
            sequence=line.n,
        )


jrr_api = "1.0"


@hookimpl
def jrr_connectors() -> Iterable[type[Connector]]:
    """Hand the class over; jrr does the rest."""
    return [Tickertape]
