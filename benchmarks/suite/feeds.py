"""The frames of the load: what each exchange writes, encoded once, with marks where numbers and times change.

A block holds the same number of frames of every stream, a power of ten. The
number of an event is the block's, followed by the frame's place among those
of its stream, so that a few digits at known places make the next block of the
last one, and numbers are consecutive for ever.
"""

import re
from collections.abc import Sequence
from random import Random
from typing import ClassVar, Literal

from attrs import define

Kind = Literal["trade", "depth", "candle"]
MIXTURES: dict[str, tuple[Kind, ...]] = {
    "trade": ("trade",),
    "depth": ("depth",),
    # 60 % depth, 30 % trade, 10 % candle: six symbols, three and one.
    "mixed": ("depth", "trade", "depth", "trade", "depth", "depth", "trade", "depth", "candle", "depth"),
}
# The first block's number: seven digits that never begin with a zero, also those of the block before.
START = 1_000_001
NUMBER, BEFORE = b"@@@@@@@", b"~~~~~~~"
NOW, HOUR, HOUR_END = b"^^^^^^^^^^^^^", b"!!!!!!!!!!!!!", b"?????????????"
_HOUR_MS = 3_600_000
_BLOCK = 1000
_LEVELS = 20
# Levels beside the best ones that updates touch.
_REACH = 60


def text_frame(payload: bytes) -> bytes:
    """Return an unmasked text frame (RFC 6455, 5.2)."""
    if len(payload) < 126:
        return b"\x81" + bytes([len(payload)]) + payload
    if len(payload) < 65_536:
        return b"\x81\x7e" + len(payload).to_bytes(2) + payload
    return b"\x81\x7f" + len(payload).to_bytes(8) + payload


@define(frozen=True)
class Stream:
    """One stream: what it carries, of the symbol of this number."""

    kind: Kind
    symbol: int


def streams(load: str, count: int) -> list[Stream]:
    """Return the streams of a load: `count` symbols of one kind, or the ten of the mixture."""
    kinds = MIXTURES[load]
    if len(kinds) > 1:
        return [Stream(kind, number) for number, kind in enumerate(kinds)]
    return [Stream(kinds[0], number) for number in range(count)]


def base_of(symbol: int) -> str:
    """Return the base currency of a symbol."""
    return "BTC" if symbol == 0 else f"C{symbol:04d}"


def levels(random: Random, side: int, depth: int, changes: bool) -> list[tuple[int, str]]:
    """Return (price in cents, amount): the best `depth` levels, or `_LEVELS` changes, a fifth of them removals.

    Bids (side -1) and asks (side 1) never meet: prices are on either side of 60,000.
    """
    places = sorted(random.sample(range(_REACH), _LEVELS)) if changes else range(depth)
    return [
        (6_000_000 + side * (1 + 10 * place),
         "0.00000" if changes and random.random() < 0.2 else f"{random.randrange(1, 300_000) / 100_000:.5f}")
        for place in places
    ]  # fmt: skip


def price(random: Random, unit: float) -> float:
    """Return the price of a trade, some `unit` from 60,000: nine in ten came among the thousand before."""
    return 60_000 + round(random.gauss(0, 15)) * unit


def amount(random: Random) -> float:
    """Return the amount of a trade: six in ten came among the thousand before, as in recordings."""
    return random.randrange(1, 100 if random.random() < 0.6 else 99_999) / 100_000


class Binance:
    """Spot, on combined streams."""

    name: ClassVar[str] = "binance"
    rest_depth: ClassVar[int] = 1000

    def symbol(self, number: int) -> str:
        """Return the exchange's name of a symbol."""
        return f"{base_of(number)}USDT"

    def topic(self, stream: Stream) -> str:
        """Return the name of a stream, as clients subscribe to it."""
        name = {"trade": "aggTrade", "depth": "depth@100ms", "candle": "kline_1h"}[stream.kind]
        return f"{self.symbol(stream.symbol).lower()}@{name}"

    def payload(self, stream: Stream, place: str, before: str, random: Random) -> bytes:
        """Return one message, marks in it; `place` is the number's end, `before` is all of the number before it."""
        symbol, now = self.symbol(stream.symbol), NOW.decode()
        number = NUMBER.decode() + place
        head = f'{{"stream":"{self.topic(stream)}","data":{{"e":'
        match stream.kind:
            case "trade":
                return (
                    f'{head}"aggTrade","E":{now},"s":"{symbol}","a":{number},"p":"{price(random, 0.01):.2f}000000",'
                    f'"q":"{amount(random):.5f}000","f":{number},"l":{number},"T":{now},'
                    f'"m":{"true" if random.random() < 0.5 else "false"},"M":true}}}}'
                ).encode()
            case "depth":
                bids, asks = (self.rows(levels(random, side, 0, True)) for side in (-1, 1))
                return (
                    f'{head}"depthUpdate","E":{now},"s":"{symbol}","U":{number}0,"u":{number}9,"b":{bids},"a":{asks}}}}}'
                ).encode()
            case "candle":
                return (
                    f'{head}"kline","E":{now},"s":"{symbol}","k":{{"t":{HOUR.decode()},"T":{HOUR_END.decode()},'
                    f'"s":"{symbol}","i":"1h","f":100,"L":{number},"o":"60000.00000000","c":"60001.20000000",'
                    f'"h":"60010.00000000","l":"59990.00000000","v":"{random.randrange(100, 999)}.51260000",'
                    f'"n":{number},"x":false,"q":"35712000.40310000","V":"100.20310000","Q":"6012345.60310000","B":"0"}}}}}}'
                ).encode()

    def rows(self, side: Sequence[tuple[int, str]]) -> str:
        """Return levels as the exchange writes them."""
        return "[" + ",".join(f'["{p // 100}.{p % 100:02d}000000","{amount}000"]' for p, amount in side) + "]"

    def snapshot(self, symbol: int, last: int, now_ms: int) -> str:
        """Return the answer to GET /api/v3/depth; `last` is the number of the last update that is in it."""
        random = Random(symbol)
        bids, asks = (self.rows(levels(random, side, self.rest_depth, False)) for side in (-1, 1))
        return f'{{"lastUpdateId":{last * 10 + 9},"bids":{bids},"asks":{asks}}}'


class Okx:
    """Spot: trades, books with their links, candles."""

    name: ClassVar[str] = "okx"
    rest_depth: ClassVar[int] = 400

    def symbol(self, number: int) -> str:
        """Return the exchange's name of a symbol."""
        return f"{base_of(number)}-USDT"

    def topic(self, stream: Stream) -> str:
        """Return channel and symbol of a stream, as clients subscribe to it."""
        channel = {"trade": "trades", "depth": "books", "candle": "candle1H"}[stream.kind]
        return f"{channel}:{self.symbol(stream.symbol)}"

    def payload(self, stream: Stream, place: str, before: str, random: Random) -> bytes:
        """Return one message, marks in it; `place` is the number's end, `before` is all of the number before it."""
        symbol, now = self.symbol(stream.symbol), NOW.decode()
        number = NUMBER.decode() + place
        head = self._head(stream)
        match stream.kind:
            case "trade":
                return (
                    f'{head},"data":[{{"instId":"{symbol}","tradeId":"{number}",'
                    f'"px":"{price(random, 0.1):.1f}","sz":"{amount(random):.8f}",'
                    f'"side":"{random.choice(("buy", "sell"))}","ts":"{now}","count":"1","source":"0",'
                    f'"seqId":{number}}}]}}'
                ).encode()
            case "depth":
                bids, asks = (self.rows(levels(random, side, 0, True)) for side in (-1, 1))
                return (
                    f'{head},"action":"update","data":[{{"asks":{asks},"bids":{bids},"ts":"{now}","checksum":0,'
                    f'"seqId":{number},"prevSeqId":{before}}}]}}'
                ).encode()
            case "candle":
                row = f'["{HOUR.decode()}","60000","60010","59990","60001.2","{random.randrange(100, 999)}.5",'
                return f'{head},"data":[{row}"35712000.4","35712000.4","0"]]}}'.encode()

    def rows(self, side: Sequence[tuple[int, str]]) -> str:
        """Return levels as the exchange writes them."""
        return "[" + ",".join(
            f'["{p // 100}.{p % 100:02d}","{amount}","0","{0 if amount == "0.00000" else 3}"]' for p, amount in side
        ) + "]"  # fmt: skip

    def snapshot(self, symbol: int, last: int, now_ms: int) -> str:
        """Return the push that begins a book; `last` is the number of the last update that is in it."""
        random = Random(symbol)
        bids, asks = (self.rows(levels(random, side, self.rest_depth, False)) for side in (-1, 1))
        return (
            f'{self._head(Stream("depth", symbol))},"action":"snapshot","data":[{{"asks":{asks},"bids":{bids},'
            f'"ts":"{now_ms}","checksum":0,"seqId":{last},"prevSeqId":-1}}]}}'
        )

    def _head(self, stream: Stream) -> str:
        channel, _, symbol = self.topic(stream).partition(":")
        return f'{{"arg":{{"channel":"{channel}","instId":"{symbol}"}}'


Exchange = Binance | Okx
EXCHANGES: dict[str, Exchange] = {"binance": Binance(), "okx": Okx()}


class Load:
    """The frames of some streams, block after block.

    `width` is how many digits of a number are the frame's place; a block has
    `block` frames, in which the streams take turns.
    """

    def __init__(self, exchange: Exchange, load: str, count: int = 1) -> None:
        """Encode one block of every stream."""
        self.exchange = exchange
        self.streams = streams(load, count)
        self.width = 0
        while len(self.streams) * 10**self.width < _BLOCK:
            self.width += 1
        self.block = len(self.streams) * 10**self.width
        self.by_topic = {exchange.topic(stream): stream for stream in self.streams}
        self._numbers = {stream: number for number, stream in enumerate(self.streams)}
        random = Random(7)
        self._frames = [self._frame(stream, turn, random) for turn in range(10**self.width) for stream in self.streams]

    def _frame(self, stream: Stream, turn: int, random: Random) -> bytes:
        place = f"{turn:0{self.width}d}" if self.width else ""
        last = f"{BEFORE.decode()}{'9' * self.width}"
        before = f"{NUMBER.decode()}{turn - 1:0{self.width}d}" if turn else last
        return text_frame(self.exchange.payload(stream, place, before, random))

    def pick(self, chosen: set[Stream]) -> "Block":
        """Return the block of these streams alone."""
        parts, ends, end = [], [0], 0
        for number, frame in enumerate(self._frames):
            if self.streams[number % len(self.streams)] in chosen:
                parts.append(frame)
                end += len(frame)
            ends.append(end)
        return Block(b"".join(parts), ends)

    def number(self, stream: Stream, issued: int) -> int:
        """Return the number of the last event of a stream when `issued` frames of all are out."""
        turns = (issued - self._numbers[stream] + len(self.streams) - 1) // len(self.streams)
        return int(START * 10**self.width) + turns - 1


class Block:
    """One block's bytes, rendered in place; `ends` says where each frame of all streams ends in it, or would."""

    def __init__(self, frames: bytes, ends: list[int]) -> None:
        """Find the marks."""
        self.bytes = bytearray(frames)
        self.ends = ends
        self._marks = {
            mark: [found.start() for found in re.finditer(re.escape(mark), frames)]
            for mark in (NUMBER, BEFORE, NOW, HOUR, HOUR_END)
        }
        self.number = -1

    def render(self, number: int, now_ms: int) -> None:
        """Become the block of this number, counted from 0, as it is sent now."""
        hour = now_ms // _HOUR_MS * _HOUR_MS
        self.number = number
        self._put(NUMBER, b"%07d" % (START + number))
        self._put(BEFORE, b"%07d" % (START + number - 1))
        self._put(NOW, b"%013d" % now_ms)
        self._put(HOUR, b"%013d" % hour)
        self._put(HOUR_END, b"%013d" % (hour + _HOUR_MS - 1))

    def _put(self, mark: bytes, digits: bytes) -> None:
        target, size = self.bytes, len(digits)
        for at in self._marks[mark]:
            target[at : at + size] = digits
