"""The load is what it claims to be: the parsers read every frame, and the numbers leave no hole."""

import json
from collections.abc import Iterator

import pytest
from jrr_binance.parser import Parser as BinanceParser
from jrr_okx.parser import OkxParser

from benchmarks.suite.answers import answer, book_start
from benchmarks.suite.feeds import EXCHANGES, Load, Stream, text_frame
from jrr_core.events import BookDelta, BookSnapshot, Candle, Gap, Message, Trade
from jrr_core.frame import Frame
from jrr_core.plugins import Plugins

_NOW_MS = 1_790_000_000_000
_KINDS = {"trade": Trade, "depth": BookDelta, "candle": Candle}


def payloads(load: Load, blocks: int) -> Iterator[bytes]:
    """Yield the payloads of some blocks, as a client unpacks them."""
    block = load.pick(set(load.streams))
    for number in range(blocks):
        block.render(number, _NOW_MS + number)
        data, at = bytes(block.bytes), 0
        while at < len(data):
            assert data[at] == 0x81
            size, at = data[at + 1], at + 2
            if size == 126:
                size, at = int.from_bytes(data[at : at + 2]), at + 2
            yield data[at : at + size]
            at += size


def events(load: Load, blocks: int) -> list[Message]:
    """Return what the exchange's parser makes of some blocks behind the start of every book."""
    parser = Plugins.load([load.exchange.name]).connector(load.exchange.name)
    reading = parser(parser.Settings()).parser(None)
    assert isinstance(reading, BinanceParser | OkxParser)
    starts = [
        book_start(load, stream, 0).encode()
        for stream in load.streams
        if stream.kind == "depth" and load.exchange.name == "okx"
    ]
    found: list[Message] = []
    for number, payload in enumerate([*starts, *payloads(load, blocks)]):
        found += reading.receive(Frame(load.exchange.name, payload, _NOW_MS * 10**6 + number))
    return found


@pytest.mark.parametrize("exchange", EXCHANGES)
@pytest.mark.parametrize("kind", ["trade", "depth", "mixed"])
def test_every_frame_is_the_event_it_claims_to_be(exchange: str, kind: str) -> None:
    load = Load(EXCHANGES[exchange], kind)
    found = [event for event in events(load, 2) if not isinstance(event, BookSnapshot)]
    assert not [event for event in found if isinstance(event, Gap)]
    expected = [_KINDS[load.streams[number % len(load.streams)].kind] for number in range(2 * load.block)]
    if exchange == "okx" or kind == "trade":
        assert [type(event) for event in found] == expected
    else:
        # A Binance book begins over REST, and what comes before is held back.
        assert sum(isinstance(event, Trade | Candle) for event in found) == sum(
            each is not BookDelta for each in expected
        )


@pytest.mark.parametrize("count", [1, 10, 500])
def test_numbers_of_a_stream_are_consecutive_over_blocks(count: int) -> None:
    load = Load(EXCHANGES["binance"], "trade", count)
    seen: dict[str, list[int]] = {}
    for payload in payloads(load, 3):
        data = json.loads(payload)["data"]
        seen.setdefault(data["s"], []).append(data["a"])
    assert len(seen) == count
    for ids in seen.values():
        assert ids == list(range(ids[0], ids[0] + 3 * load.block // count))


@pytest.mark.parametrize("issued", [0, 1, 999, 1000, 2500])
def test_a_book_joins_the_updates_behind_it(issued: int) -> None:
    for name in EXCHANGES:
        load = Load(EXCHANGES[name], "depth")
        following = json.loads(list(payloads(load, 3))[issued])
        if name == "okx":
            start = json.loads(book_start(load, Stream("depth", 0), issued))
            assert following["data"][0]["prevSeqId"] == start["data"][0]["seqId"]
            assert len(start["data"][0]["bids"]) == 400
        else:
            start = json.loads(answer(load, "/api/v3/depth?symbol=BTCUSDT&limit=1000", issued) or "")
            assert following["data"]["U"] == start["lastUpdateId"] + 1
            assert len(start["asks"]) == 1000


def test_sizes_are_those_of_the_issue() -> None:
    sizes = {kind: len(next(payloads(Load(EXCHANGES["binance"], kind), 1))) for kind in ("trade", "depth")}
    assert 180 <= sizes["trade"] <= 230
    assert 1200 <= sizes["depth"] <= 1500


def test_a_mixture_is_60_30_and_10_percent() -> None:
    kinds = [stream.kind for stream in Load(EXCHANGES["okx"], "mixed").streams]
    assert {kind: kinds.count(kind) for kind in kinds} == {"depth": 6, "trade": 3, "candle": 1}


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_bear_their_length(size: int) -> None:
    frame = text_frame(bytes(size))
    wide = {125: 0, 126: 2, 127: 8}.get(frame[1], 0)
    assert len(frame) == 2 + wide + size
    assert (int.from_bytes(frame[2 : 2 + wide]) if wide else frame[1]) == size
