"""The simulated exchange's payloads: each as Binance writes it, and as the jrr event it means.

Pure. Written from the payload examples of the exchange's documentation and
live captures, independently of the parser, so that the two check each other.
Times on the wire are ms.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

from attrs import define

from jrr_core.events import (
    BookDelta,
    BookSnapshot,
    Candle,
    FundingRate,
    Liquidation,
    MarkPrice,
    Quote,
    Trade,
)
from jrr_core.instrument import Instrument
from jrr_core.levels import Levels
from jrr_core.testing.market import Listing, MarketCandle, MarketTrade, Row

Family = Literal["spot", "usdm", "coinm"]
MS = 1_000_000
EIGHT = Decimal("0.00000001")
NEVER_MS = 4133404800000
_KINDS = {"MARKET": None, "INSURANCE_FUND": "insurance_fund", "ADL": "adl"}


@define(frozen=True)
class Contract:
    """What exchangeInfo says of a symbol beyond its price and amount steps; `expiry_ms` None for perpetual and spot."""

    base: str
    quote: str
    expiry_ms: int | None = None
    size: int | None = None


@define(weakref_slot=False)
class Aggregate:
    """Fills of one taker at one price, as an aggTrade reports them."""

    number: int
    first: MarketTrade
    first_id: int
    last_id: int
    amount: Decimal


class Payloads:
    """Writes one symbol's payloads; `digits` and `lots` are how many decimals the exchange prints."""

    def __init__(self, exchange: str, family: Family, listing: Listing, contract: Contract) -> None:
        """Fix what does not change from frame to frame."""
        self.exchange, self.family, self.listing, self.contract = exchange, family, listing, contract
        self.symbol = listing.symbol
        self.pair = f"{contract.base}{contract.quote}"
        # Spot pads every number to eight decimals; futures print the tick's and the step's own.
        self._pad_price = _padding(listing.tick) if family == "spot" else ""
        self._pad_amount = _padding(listing.lot) if family == "spot" else ""
        self._st = {"spot": "", "usdm": ',"st":1', "coinm": ',"st":2'}[family]
        self._ps = "" if family == "spot" else f',"ps":"{self.pair}"'

    def price(self, value: Decimal) -> str:
        """Return a price as printed."""
        return f"{value:f}{self._pad_price}"

    def amount(self, value: Decimal) -> str:
        """Return an amount as printed."""
        return f"{value:f}{self._pad_amount}"

    def rows(self, levels: Iterable[Row]) -> str:
        """Return price levels as JSON rows."""
        p, q = self._pad_price, self._pad_amount
        return "[" + ",".join([f'["{price:f}{p}","{amount:f}{q}"]' for price, amount in levels]) + "]"

    def trade(self, trade: MarketTrade, trade_id: int, mark: str) -> str:
        """`<s>@trade`; `mark` is the futures field X."""
        ms = trade.ts // MS
        maker = "true" if trade.side == "sell" else "false"
        p, q = self.price(trade.price), self.amount(trade.amount)
        if self.family == "spot":
            return (
                f'{{"e":"trade","E":{ms},"s":"{self.symbol}","t":{trade_id},"p":"{p}","q":"{q}",'
                f'"T":{ms},"m":{maker},"M":true}}'
            )
        # The COIN-M trade stream is the one futures stream without "st".
        st = self._st if self.family == "usdm" else ""
        return (
            f'{{"e":"trade","E":{ms},"T":{ms},"s":"{self.symbol}","t":{trade_id},"p":"{p}","q":"{q}",'
            f'"X":"{mark}","m":{maker}{st}}}'
        )

    def na_trade(self, trade_id: int, now_ns: int) -> str:
        """Return a futures row for a used-up trade id: no trade at all."""
        ms = now_ns // MS
        return (
            f'{{"e":"trade","E":{ms},"T":{ms - 1},"s":"{self.symbol}","t":{trade_id},"p":"0","q":"0",'
            f'"X":"NA","m":true{self._st if self.family == "usdm" else ""}}}'
        )

    def trade_event(self, trade: MarketTrade, trade_id: int, mark: str, now_ns: int) -> Trade:
        """Return what `trade` means."""
        ts = trade.ts // MS * MS
        return Trade(
            self.exchange,
            self.symbol,
            ts,
            now_ns,
            trade.price,
            trade.amount,
            trade.side,
            str(trade_id),
            1,
            _KINDS[mark],
        )

    def aggregate(self, row: Aggregate, now_ns: int) -> str:
        """`<s>@aggTrade`."""
        maker = "true" if row.first.side == "sell" else "false"
        p, q = self.price(row.first.price), self.amount(row.amount)
        head = f'{{"e":"aggTrade","E":{now_ns // MS},"s":"{self.symbol}","a":{row.number},"p":"{p}","q":"{q}"'
        nq = f',"nq":"{q}"' if self.family == "usdm" else ""
        tail = ',"M":true' if self.family == "spot" else self._st
        return f'{head}{nq},"f":{row.first_id},"l":{row.last_id},"T":{row.first.ts // MS},"m":{maker}{tail}}}'

    def aggregate_event(self, row: Aggregate, now_ns: int) -> Trade:
        """Return what `aggregate` means."""
        trade = row.first
        return Trade(
            self.exchange, self.symbol, trade.ts // MS * MS, now_ns, trade.price, row.amount, trade.side,
            str(row.number), row.last_id - row.first_id + 1, None, "agg",
        )  # fmt: skip

    def quote(self, update: int, bid: Row, ask: Row, now_ns: int) -> str:
        """`<s>@bookTicker`: spot sends neither a type nor a time."""
        ms = now_ns // MS
        sides = (
            f'"b":"{self.price(bid[0])}","B":"{self.amount(bid[1])}",'
            f'"a":"{self.price(ask[0])}","A":"{self.amount(ask[1])}"'
        )
        if self.family == "spot":
            return f'{{"u":{update},"s":"{self.symbol}",{sides}}}'
        return f'{{"e":"bookTicker","u":{update},"s":"{self.symbol}"{self._ps},{sides},"T":{ms},"E":{ms}{self._st}}}'

    def quote_event(self, update: int, bid: Row, ask: Row, now_ns: int) -> Quote:
        """Return what `quote` means."""
        ts = None if self.family == "spot" else now_ns // MS * MS
        return Quote(self.exchange, self.symbol, ts, now_ns, bid[0], bid[1], ask[0], ask[1], update)

    def delta(self, span: tuple[int, int, int], bids: str, asks: str, now_ns: int) -> str:
        """`<s>@depth`, and every futures partial book; `span` is (U, u, pu)."""
        first, last, previous = span
        ms = now_ns // MS
        if self.family == "spot":
            return f'{{"e":"depthUpdate","E":{ms},"s":"{self.symbol}","U":{first},"u":{last},"b":{bids},"a":{asks}}}'
        return (
            f'{{"e":"depthUpdate","E":{ms},"T":{ms},"s":"{self.symbol}"{self._ps},"U":{first},"u":{last},'
            f'"pu":{previous},"b":{bids},"a":{asks}{self._st}}}'
        )

    def delta_event(self, span: tuple[int, int, int], bids: str, asks: str, now_ns: int) -> BookDelta:
        """Return what a diff `delta` means."""
        previous = None if self.family == "spot" else span[2]
        return BookDelta(
            self.exchange, self.symbol, now_ns // MS * MS, now_ns,
            Levels.from_json(bids.encode()), Levels.from_json(asks.encode()), span[0], span[1], previous,
        )  # fmt: skip

    def partial(self, depth: int, span: tuple[int, int, int], bids: str, asks: str, now_ns: int) -> str:
        """`<s>@depth<5/10/20>`: spot names neither symbol nor time."""
        if self.family == "spot":
            return f'{{"lastUpdateId":{span[1]},"bids":{bids},"asks":{asks}}}'
        return self.delta(span, bids, asks, now_ns)

    def snapshot_event(
        self, depth: int | None, sequence: int, bids: str, asks: str, ts: int | None, now_ns: int
    ) -> BookSnapshot:
        """Return what a partial book (`depth` given) or a REST depth answer means."""
        return BookSnapshot(
            self.exchange, self.symbol, ts, now_ns,
            Levels.from_json(bids.encode()), Levels.from_json(asks.encode()), depth, sequence,
        )  # fmt: skip

    def aggregate_row(self, row: Aggregate) -> dict[str, object]:
        """Return an aggregate as REST lists it."""
        amount = self.amount(row.amount)
        listed: dict[str, object] = {"a": row.number, "p": self.price(row.first.price), "q": amount}
        if self.family == "usdm":
            listed["nq"] = amount
        listed |= {"f": row.first_id, "l": row.last_id, "T": row.first.ts // MS, "m": row.first.side == "sell"}
        return listed | ({"M": True} if self.family == "spot" else {})

    def candle_row(self, candle: MarketCandle) -> list[object]:
        """Return a candle as REST lists it."""
        form = ".8f" if self.family == "spot" else "f"
        return [
            candle.open_time // MS, self.price(candle.open), self.price(candle.high), self.price(candle.low),
            self.price(candle.close), f"{candle.volume:{form}}", candle.close_time // MS - 1,
            f"{self.quote_volume(candle, candle.volume, candle.quote_volume):{form}}", candle.trade_count,
            f"{candle.buy_volume:{form}}",
            f"{self.quote_volume(candle, candle.buy_volume, candle.buy_quote_volume):{form}}", "0",
        ]  # fmt: skip

    def base_amount(self, trade: MarketTrade) -> Decimal:
        """Return a COIN-M trade's worth in the base coin."""
        return trade.amount * (self.contract.size or 1) / trade.price

    def quote_volume(self, candle: MarketCandle, volume: Decimal, value: Decimal) -> Decimal:
        """Return what the exchange calls quote volume; COIN-M prints the base coin there."""
        if self.contract.size is None:
            return value
        return (volume * self.contract.size / candle.close).quantize(EIGHT)

    def candle(self, interval: str, candle: MarketCandle, closed: bool, now_ns: int) -> str:
        """`<s>@kline_<i>`."""
        first = -1 if candle.first_id is None else candle.first_id
        last = -1 if candle.last_id is None else candle.last_id
        # Volumes are sums whose zero has no digits of its own, so they are padded by the format.
        form = ".8f" if self.family == "spot" else "f"
        q = self.quote_volume(candle, candle.volume, candle.quote_volume)
        bought = self.quote_volume(candle, candle.buy_volume, candle.buy_quote_volume)
        price, plain_interval = self.price, interval.partition("@")[0]
        return (
            f'{{"e":"kline","E":{now_ns // MS},"s":"{self.symbol}","k":{{"t":{candle.open_time // MS},'
            f'"T":{candle.close_time // MS - 1},"s":"{self.symbol}","i":"{plain_interval}","f":{first},"L":{last},'
            f'"o":"{price(candle.open)}","c":"{price(candle.close)}","h":"{price(candle.high)}",'
            f'"l":"{price(candle.low)}","v":"{candle.volume:{form}}","n":{candle.trade_count},'
            f'"x":{"true" if closed else "false"},"q":"{q:{form}}",'
            f'"V":"{candle.buy_volume:{form}}","Q":"{bought:{form}}","B":"0"}}}}'
        )

    def candle_event(self, interval: str, candle: MarketCandle, closed: bool, ts: int | None, now_ns: int) -> Candle:
        """Return what `candle` (told at `ts`) or its row by REST means; `close_time` is the last ms inside."""
        return Candle(
            self.exchange, self.symbol, None if ts is None else ts // MS * MS, now_ns, interval, candle.open_time,
            candle.close_time - MS, candle.open, candle.high, candle.low, candle.close, candle.volume,
            self.quote_volume(candle, candle.volume, candle.quote_volume), candle.trade_count, closed,
        )  # fmt: skip

    def mark(self, mark: Decimal, index: Decimal, rate: Decimal, funding_ns: int, now_ns: int) -> str:
        """`<s>@markPrice`: a dated contract has no funding, which it says by an empty or zero rate and time 0."""
        if self.contract.expiry_ms is not None:
            r, next_ms = ("" if self.family == "coinm" else "0.00000000"), 0
        else:
            r, next_ms = f"{rate:.8f}", funding_ns // MS
        return (
            f'{{"e":"markPriceUpdate","E":{now_ns // MS},"s":"{self.symbol}","p":"{mark:.8f}","ap":"{mark:.8f}",'
            f'"P":"{index:.8f}","i":"{index:.8f}","r":"{r}","T":{next_ms}{self._st}}}'
        )

    def mark_events(
        self, mark: Decimal, index: Decimal, rate: Decimal, funding_ns: int, now_ns: int
    ) -> list[MarkPrice | FundingRate]:
        """Return what `mark` means: a mark price, and for perpetuals the predicted funding."""
        ts = now_ns // MS * MS
        events: list[MarkPrice | FundingRate] = [MarkPrice(self.exchange, self.symbol, ts, now_ns, mark, index)]
        if self.contract.expiry_ms is None:
            events.append(FundingRate(self.exchange, self.symbol, ts, now_ns, rate, funding_ns, True))
        return events

    def liquidation(self, trade: MarketTrade, now_ns: int) -> str:
        """`<s>@forceOrder`: `ap` is the fill price, `z` the filled amount, `p` the order's own price."""
        q = self.amount(trade.amount)
        return (
            f'{{"e":"forceOrder","E":{now_ns // MS},"o":{{"s":"{self.symbol}","S":"{trade.side.upper()}","o":"LIMIT",'
            f'"f":"IOC","q":"{q}","p":"{self.price(trade.price + self.listing.tick)}","ap":"{self.price(trade.price)}",'
            f'"X":"FILLED","l":"{q}","z":"{q}","T":{trade.ts // MS}{self._ps}{self._st}}}}}'
        )

    def liquidation_event(self, trade: MarketTrade, now_ns: int) -> Liquidation:
        """Return what `liquidation` means."""
        return Liquidation(
            self.exchange, self.symbol, trade.ts // MS * MS, now_ns, trade.price, trade.amount, trade.side, None
        )

    def instrument(self) -> Instrument:
        """Return what exchangeInfo means for this symbol."""
        base, quote, expiry_ms = self.contract.base, self.contract.quote, self.contract.expiry_ms
        settle = {"spot": None, "usdm": quote, "coinm": base}[self.family]
        tail = "" if self.family == "spot" else "-PERP" if expiry_ms is None else f"-{self.symbol.split('_')[1]}"
        return Instrument(
            self.exchange, self.symbol, base, quote, settle,
            "spot" if self.family == "spot" else "perpetual" if expiry_ms is None else "future",
            self.listing.tick, self.listing.lot,
            None if self.contract.size is None else Decimal(self.contract.size),
            None if self.contract.size is None else quote,
            f"{base}-{quote}{tail}", None if expiry_ms is None else expiry_ms * MS, "TRADING",
        )  # fmt: skip


def _exponent(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    return exponent if isinstance(exponent, int) else 0


def _padding(step: Decimal) -> str:
    """Return the zeros that bring a multiple of `step` to eight decimals."""
    digits = -_exponent(step)
    return "0" * (8 - digits) if digits else ".00000000"
