"""Wrong parsers: what they read, from numbers and times to what they do while they read."""

import time
import uuid
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote

import attrs
import msgspec

from jrr_core.errors import ParseError
from jrr_core.events import Candle, Message, Quote, Trade
from jrr_core.exact import decimal
from jrr_core.frame import Frame, Hole, HttpGet, Request
from tests.conformance.reference.parser import MS, Base, Book, HarbourParser, Shape


class FloatPrices(HarbourParser):
    """Prices are floats."""

    rule = "no-float"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        price: Any = float(row[1])
        return attrs.evolve(super().trade(base, row), price=price)


class ThroughFloat(HarbourParser):
    """Amounts are Decimals made of floats."""

    rule = "recorded-events"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        return attrs.evolve(super().trade(base, row), amount=Decimal(float(decimal(row[2]))))


class RoundsPrices(HarbourParser):
    """Prices are rounded to cents, which drops the digits the exchange wrote."""

    rule = "recorded-events"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        return attrs.evolve(super().trade(base, row), price=round(decimal(row[1]), 1))


class SideInverted(HarbourParser):
    """The maker's side is taken for the taker's."""

    rule = "recorded-events"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        return super().trade(base, [*row[:3], {"b": "s", "s": "b", "": ""}[row[3]]])


class SideOfTheExchange(HarbourParser):
    """The side is handed on in the exchange's letters."""

    rule = "event-fields"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        side: Any = row[3]
        return attrs.evolve(super().trade(base, row), side=side)


class NumericTradeId(HarbourParser):
    """Trade ids become numbers, so that "007" is "7"."""

    rule = "event-fields"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        number: Any = len(row[0])
        return attrs.evolve(super().trade(base, row), trade_id=number)


class MillisecondsForNanoseconds(HarbourParser):
    """Times stay in milliseconds."""

    rule = "both-times"

    def time(self, ms: int) -> int:
        return super().time(ms) // MS


class SecondsForNanoseconds(HarbourParser):
    """Times are in seconds."""

    rule = "both-times"

    def time(self, ms: int) -> int:
        return ms // 1000


class TimeThroughFloat(HarbourParser):
    """Times are divided as floats, which loses the last hundred nanoseconds."""

    rule = "recorded-events"

    def time(self, ms: int) -> int:
        return int(super().time(ms) / 1e9 * 1e9)


class OurClock(HarbourParser):
    """The time of an event is when it was parsed."""

    rule = "deterministic"

    def time(self, ms: int) -> int:
        super().time(ms)
        return time.time_ns()


class ReceiptAsEventTime(HarbourParser):
    """Our time of receipt is given out as the exchange's."""

    rule = "recorded-events"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        return attrs.evolve(super().trade(base, row), ts_event=base[3])


class OwnReceipt(HarbourParser):
    """The time of receipt is not the frame's."""

    rule = "both-times"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        return attrs.evolve(super().trade(base, row), ts_recv=base[3] + 1)


class CandleOpensInMilliseconds(HarbourParser):
    """A candle opens in milliseconds, while its event time is right."""

    rule = "both-times"

    def candle(self, base: Base, shape: Shape) -> Candle:
        return attrs.evolve(super().candle(base, shape), open_time=shape.open)


class EmptyIsZero(HarbourParser):
    """A side of the book that is empty has price 0."""

    rule = "recorded-events"

    def quote(self, base: Base, shape: Shape) -> Quote:
        quote = super().quote(base, shape)
        return attrs.evolve(quote, ask_price=quote.ask_price or Decimal(0))


class ZeroIsNothing(HarbourParser):
    """An amount of 0 is taken for none, and the trade left out."""

    rule = "recorded-events"

    def receive(self, frame: Frame) -> Sequence[Message]:
        return [event for event in super().receive(frame) if getattr(event, "amount", True)]


class OneTradeAFrame(HarbourParser):
    """Of several trades in a frame the first is read."""

    rule = "recorded-events"

    def receive(self, frame: Frame) -> Sequence[Message]:
        events = super().receive(frame)
        return events[:1] if all(isinstance(event, Trade) for event in events) else events


class RenamesSymbols(HarbourParser):
    """Symbols are written as other exchanges write them."""

    rule = "recorded-events"

    def symbol(self, shape: Shape) -> str:
        return super().symbol(shape).replace("-", "")


class ForgetsTheExchange(HarbourParser):
    """Events bear a name of the parser's own for the exchange."""

    rule = "event-fields"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        return attrs.evolve(super().trade(base, row), exchange="Harbour")


class AllCandlesClosed(HarbourParser):
    """Candles that may still change are given as closed."""

    rule = "recorded-events"

    def candle(self, base: Base, shape: Shape) -> Candle:
        return attrs.evolve(super().candle(base, shape), closed=True)


class HighIsLow(HarbourParser):
    """A candle's high and low change places."""

    rule = "event-fields"

    def candle(self, base: Base, shape: Shape) -> Candle:
        candle = super().candle(base, shape)
        return attrs.evolve(candle, high=candle.low, low=candle.high)


class SleepsWhileParsing(HarbourParser):
    """A frame waits for the clock."""

    rule = "waits-for-nothing"

    def receive(self, frame: Frame) -> Sequence[Message]:
        time.sleep(0)
        return super().receive(frame)


class ReadsAFile(HarbourParser):
    """A table is read from disk with each frame."""

    rule = "waits-for-nothing"

    def receive(self, frame: Frame) -> Sequence[Message]:
        Path(__file__).read_bytes()
        return super().receive(frame)


class MakesUpIds(HarbourParser):
    """Trades are given ids by chance."""

    rule = "deterministic"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        return attrs.evolve(super().trade(base, row), trade_id=uuid.uuid4().hex)


class TextOnly(HarbourParser):
    """Frames that come as bytes are taken for something else."""

    rule = "deterministic"

    def receive(self, frame: Frame) -> Sequence[Message]:
        return super().receive(frame) if isinstance(frame.payload, str) else ()


class YieldsEvents(HarbourParser):
    """`receive` is a generator: nothing is read until somebody asks."""

    rule = "event-fields"

    def receive(self, frame: Frame) -> Any:
        return self.read(frame)

    def read(self, frame: Frame) -> Iterator[Message]:
        yield from super().receive(frame)


class SharedBooks(HarbourParser):
    """All connections keep their books in one place."""

    rule = "deterministic"
    everywhere: ClassVar[dict[str, Book]] = {}

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.books = self.everywhere


class SharedRequests(HarbourParser):
    """All connections leave their requests in one list."""

    rule = "no-shared-state"
    everywhere: ClassVar[list[Request]] = []

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.requests = self.everywhere


class ReusesTheEvent(HarbourParser):
    """One Trade object is filled anew for each trade."""

    rule = "events-given-away"
    only: Trade | None = None

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        made = super().trade(base, row)
        if self.only is None:
            self.only = made
        for field in attrs.fields(Trade):
            setattr(self.only, field.name, getattr(made, field.name))
        return self.only


class CorrectsEvents(HarbourParser):
    """A trade that was given away is corrected by the next one."""

    rule = "events-given-away"
    last: Trade | None = None

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        if self.last is not None:
            self.last.count += 1
        self.last = super().trade(base, row)
        return self.last


class LeaksErrors(HarbourParser):
    """A price that is no number raises what Decimal raises."""

    rule = "damaged-frames"

    def trade(self, base: Base, row: Sequence[str]) -> Trade:
        return Trade(*base, Decimal(row[1]), decimal(row[2]), "buy", row[0])


class UnpacksBlindly(HarbourParser):
    """A candle with a number too few raises ValueError."""

    rule = "damaged-frames"

    def candle(self, base: Base, shape: Shape) -> Candle:
        o, h, low, c, v = map(decimal, shape.ohlcv)
        return Candle(*base, shape.ch[7:], self.time(shape.open), None, o, h, low, c, v, None, None, shape.done)


class LooksUpBlindly(HarbourParser):
    """An unknown channel raises KeyError."""

    rule = "damaged-frames"

    def receive(self, frame: Frame) -> Sequence[Message]:
        try:
            return super().receive(frame)
        except ParseError as error:
            raise KeyError(str(error)) from error


class HugeNumbers(HarbourParser):
    """Numbers of updates are not checked to fit what stores hold."""

    rule = "damaged-frames"

    def number(self, sequence: int) -> int:
        return sequence


class NotesBeforeItChecks(HarbourParser):
    """A book is begun anew before the frame that says so is read."""

    rule = "damaged-frames"

    def receive(self, frame: Frame) -> Sequence[Message]:
        if frame.tag is None and b'"book"' in (frame.payload if isinstance(frame.payload, bytes) else b'"book"'):
            self.books.pop("BTC-USD", None)
        return super().receive(frame) if frame.tag else self.checked(frame)

    def checked(self, frame: Frame) -> Sequence[Message]:
        kept = dict(self.books)
        events = super().receive(frame)
        self.books = kept | self.books
        return events


class ReadsRefusals(HarbourParser):
    """The body of a reply is read whatever its status says."""

    rule = "refused-replies"

    def receive(self, frame: Frame) -> Sequence[Message]:
        return super().receive(msgspec.structs.replace(frame, status=200))


class ImpatientRefill(HarbourParser):
    """What is missing is fetched before everything else."""

    rule = "refill"

    def refill(self, hole: Hole) -> bool:
        done = super().refill(hole)
        self.requests = [attrs.evolve(item, patient=False) for item in self.requests if isinstance(item, HttpGet)]
        return done


class PastesSymbols(HarbourParser):
    """A symbol stands in the address of what is missing as it is."""

    rule = "hostile-streams"

    def refill(self, hole: Hole) -> bool:
        done = super().refill(hole)
        self.requests = [
            attrs.evolve(item, url=unquote(item.url)) for item in self.requests if isinstance(item, HttpGet)
        ]
        return done


class EmptyPromise(HarbourParser):
    """`refill` says yes and asks for nothing."""

    rule = "refill"

    def refill(self, hole: Hole) -> bool:
        return True


class AsksOnce(HarbourParser):
    """The same hole is refused a second time."""

    rule = "refill"
    known: Hole | None = None

    def refill(self, hole: Hole) -> bool:
        again, self.known = self.known == hole, hole
        return not again and super().refill(hole)


class RefillRaises(HarbourParser):
    """A hole of a stream nobody knows raises KeyError."""

    rule = "refill"

    def refill(self, hole: Hole) -> bool:
        return {"trade": super().refill}[hole.channel](hole)


class SwallowsDamage(HarbourParser):
    """Frames that cannot be read are passed over in silence."""

    survives = (
        "a suite cannot tell a frame that means nothing from one that could not be read: exchanges send both, and "
        "`()` is the right answer to the first"
    )

    def receive(self, frame: Frame) -> Sequence[Message]:
        try:
            return super().receive(frame)
        except ParseError:
            return ()
