"""Frames OKX really sent, recorded in 2022 by the cryptofeed project: before books had seqId and trades count."""

import gzip
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jrr_okx.instruments import read_instruments
from jrr_okx.parser import OkxParser

from jrr_core.errors import ParseError
from jrr_core.events import Gap, Message
from jrr_core.frame import Acked, Frame, Send
from jrr_core.instrument import Instrument, Instruments
from jrr_core.subscription import Subscription
from jrr_core.wire import decode


def lines(path: Path, kind: str) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt") as file:
        for text in file:
            line = decode(text)
            if line["kind"] == kind:
                yield line


def frames(realdata: Path) -> list[Frame]:
    path = realdata / "cryptofeed" / "OKX.ws.1.0.jsonl.gz"
    return [Frame("okx", line["raw"], int(line["t"] * 1e9)) for line in lines(path, "recv")]


def test_every_trade_is_read_once_without_a_gap(realdata: Path) -> None:
    parser, events, refused = OkxParser(None), list[Message](), Counter[str]()
    for frame in frames(realdata):
        try:
            events += parser.receive(frame)
        except ParseError as error:
            refused[str(error)[:10]] += 1
    assert Counter(event.symbol for event in events) == {"BTC-USDT": 69, "BTC-USD-220527": 4, "UNI-USD-SWAP": 1}
    assert len({(event.symbol, event.key()) for event in events}) == 74
    assert not [event for event in events if isinstance(event, Gap)]
    assert refused == {"no seqId (": 290}
    assert not [request for request in parser.requests if isinstance(request, Send)]


def test_acknowledgements_of_the_time_are_understood(realdata: Path) -> None:
    parser = OkxParser([Subscription("okx", "trade", "BTC-USDT")])
    for frame in frames(realdata):
        try:
            parser.receive(frame)
        except ParseError as error:
            pytest.fail(f"{error}: a frame that was not asked for must be passed over")
    acked = [request for request in parser.requests if isinstance(request, Acked) and request.proves]
    assert {request.key for request in acked} == {"trades:BTC-USDT"}


def test_books_chain_once_their_frames_are_numbered(realdata: Path) -> None:
    """Number the recorded books as OKX does today: every snapshot and update is then read, and the sizes kept."""
    parser, last, count = OkxParser(None), dict[str, int](), Counter[str]()
    for frame in frames(realdata):
        text = str(frame.payload)
        if '"channel":"books"' not in text or '"action"' not in text:
            continue
        symbol = decode(text)["arg"]["instId"]
        previous = last.get(symbol, -1)
        last[symbol] = max(previous, 1000) + 7
        numbered = text[:-3] + f',"seqId":{last[symbol]},"prevSeqId":{previous}}}]}}'
        for event in parser.receive(Frame("okx", numbered, frame.ts_recv)):
            count[event.type] += 1
    assert count == {"book_snapshot": 3, "book_delta": 287}


def test_whole_instrument_lists_are_read(realdata: Path) -> None:
    found: list[Instrument] = []
    for line in lines(realdata / "cryptofeed" / "OKX.0.jsonl.gz", "http"):
        if line["t"] < 1652458997:
            found += read_instruments(Frame("okx", line["raw"], 0))
    assert Counter(item.kind for item in found) == {"spot": 513, "perpetual": 166, "future": 104}
    listed = Instruments("okx", found)
    assert len({item.canonical for item in found}) == len(found)
    assert listed.resolve("BTC-USDT-PERP") == ("BTC-USDT-SWAP",)
    assert listed.resolve("BTC-USD-220527") == ("BTC-USD-220527",)
    assert len(listed.resolve("*-USDT-SWAP")) > 50
