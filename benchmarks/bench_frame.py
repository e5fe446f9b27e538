"""Where the CPU of one frame goes, without a socket: decode, parse, take in, buffer.

    .venv/bin/python benchmarks/bench_frame.py [--frames 20000] [--runs 9]

Each stage includes those before it; what a stage adds is the difference. The
frames are made beforehand, trades with consecutive ids and book updates with
20 levels a side, so that every check of a live stream is passed. Of prices and
amounts nine in ten have come before, as on a busy market.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from random import Random

from jrr_binance import messages as binance
from jrr_okx import messages as okx

from jrr_core.buffer import Buffer
from jrr_core.bus import Bus
from jrr_core.config import structure
from jrr_core.continuity import Continuity
from jrr_core.counters import ExchangeCounters, SinkCounters
from jrr_core.desk import Desk
from jrr_core.events import ALL_EVENTS
from jrr_core.frame import Frame
from jrr_core.intake import Intake
from jrr_core.plugins import Plugins
from jrr_core.sink import BatchPolicy
from jrr_core.stream import StreamBoard
from jrr_core.subscription import Subscription
from jrr_core.wire import encode

_MS = 1_786_183_200_055
_FIRST = 99_588_317_538
_MORE = ',"0","4"'
_BATCH = 1000
_random = Random(1)
Times = dict[str, list[float]]


def price(base: int) -> str:
    """Return a price near `base`."""
    return f"{base + _random.randrange(40)}.{_random.randrange(10)}0000000"


def amount() -> str:
    """Return an amount, one in ten of which is rare."""
    return f"0.{_random.randrange(100_000 if _random.random() < 0.1 else 400):05d}000"


def rows(base: int, more: str = "") -> str:
    """Return 20 levels as JSON."""
    return ",".join([f'["{price(base)}","{amount()}"{more}]' for _ in range(20)])


def binance_trades(count: int) -> list[bytes]:
    """Return so many trades of a combined stream."""
    return [
        f'{{"stream":"btcusdt@trade","data":{{"e":"trade","E":{_MS + number},"s":"BTCUSDT","t":{_FIRST + number},'
        f'"p":"{price(64_000)}","q":"{amount()}","T":{_MS + number},"m":true,"M":true}}}}'.encode()
        for number in range(count)
    ]


def binance_depth(count: int) -> list[bytes]:
    """Return so many updates of a book."""
    return [
        f'{{"stream":"btcusdt@depth@100ms","data":{{"e":"depthUpdate","E":{_MS + number},"s":"BTCUSDT",'
        f'"U":{_FIRST + 5 * number},"u":{_FIRST + 5 * number + 4},"b":[{rows(64_000)}],'
        f'"a":[{rows(64_100)}]}}}}'.encode()
        for number in range(count)
    ]


def okx_trades(count: int) -> list[bytes]:
    """Return so many pushes of one trade."""
    return [
        f'{{"arg":{{"channel":"trades","instId":"BTC-USDT"}},"data":[{{"instId":"BTC-USDT",'
        f'"tradeId":"{_FIRST + number}","px":"{price(64_000)}","sz":"{amount()}","side":"sell","ts":"{_MS + number}",'
        f'"count":"1","source":"0","seqId":{number}}}]}}'.encode()
        for number in range(count)
    ]


def okx_books(count: int) -> list[bytes]:
    """Return a book and its updates."""
    return [
        f'{{"arg":{{"channel":"books","instId":"BTC-USDT"}},"action":"{"update" if number else "snapshot"}","data":['
        f'{{"asks":[{rows(64_100, _MORE)}],"bids":[{rows(64_000, _MORE)}],"ts":"{_MS + number}","checksum":0,'
        f'"seqId":{_FIRST + number},"prevSeqId":{_FIRST + number - 1 if number else -1}}}]}}'.encode()
        for number in range(count)
    ]


CASES: dict[str, tuple[str, str, Callable[[int], list[bytes]], Callable[[bytes], object]]] = {
    "binance trade": ("binance", "btcusdt@trade", binance_trades, binance.read_push),
    "binance depth": ("binance", "btcusdt@depth@100ms", binance_depth, binance.read_push),
    "okx trade": ("okx", "trades:BTC-USDT", okx_trades, okx.trade_push),
    "okx depth": ("okx", "books:BTC-USDT", okx_books, okx.book_push),
}


def intake_of(exchange: str, native: str) -> tuple[Intake, Buffer]:
    """Return a connection's way in, to a buffer, as in a run with one store that takes all."""
    cls = Plugins.load([exchange]).connector(exchange)
    connector = cls(structure(cls.Settings, {}, "benchmark"))
    (plan,) = connector.sessions([Subscription.parse(f"{exchange}:{native}")])
    bus, buffer = Bus(), Buffer(BatchPolicy(), 100_000, SinkCounters())
    bus.route(ALL_EVENTS, buffer.put)
    continuity = Continuity(exchange, getattr(connector, "trade_numbering", {}), 1000)
    desk = Desk(exchange, StreamBoard(), continuity, ExchangeCounters(), bus.publish, _refused)
    intake = Intake("benchmark", connector.parser(plan.subscriptions), desk)
    intake.expect(plan.subscriptions, 0)
    return intake, buffer


def _refused(origin: str, reason: str, payload: object) -> None:
    raise AssertionError(f"{origin}: a frame was refused: {reason}")


def taken(case: str, frames: Sequence[bytes], whole: bool) -> tuple[float, float]:
    """Feed the frames; return the CPU in us a frame, of parsing alone unless `whole`, and the number of events."""
    exchange, native, _, _ = CASES[case]
    intake, buffer = intake_of(exchange, native)
    if case == "binance depth":
        intake.take(Frame(exchange, frames[0], 1))
        book = encode({"lastUpdateId": _FIRST + 4, "bids": [["1", "1"]], "asks": [["99999", "1"]]}).encode()
        intake.take(Frame(exchange, book, 1, "depth:BTCUSDT"))
        frames = frames[1:]
    take = intake.take if whole else intake.parser.receive
    events, began = 0, time.process_time()
    for at in range(0, len(frames), _BATCH):
        for payload in frames[at : at + _BATCH]:
            take(Frame(exchange, payload, 1))
        events += len(buffer.cut(_BATCH))
    return (time.process_time() - began) / len(frames) * 1e6, events


def decoded(case: str, frames: Sequence[bytes]) -> float:
    """Return the CPU in us a frame of the typed decode."""
    decode = CASES[case][3]
    began = time.process_time()
    for payload in frames:
        decode(payload)
    return (time.process_time() - began) / len(frames) * 1e6


def main() -> None:
    """Measure all cases in turn and print a table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--frames", type=int, default=20_000)
    options.add_argument("--runs", type=int, default=9)
    given = options.parse_args()
    frames = {case: make(given.frames) for case, (_, _, make, _) in CASES.items()}
    found: dict[str, Times] = {case: {"decode": [], "parse": [], "all": []} for case in CASES}
    for _ in range(given.runs):
        for case, times in found.items():
            times["decode"].append(decoded(case, frames[case]))
            times["parse"].append(taken(case, frames[case], whole=False)[0])
            cpu_us, events = taken(case, frames[case], whole=True)
            assert events >= given.frames - 1, f"{case}: {events} events"
            times["all"].append(cpu_us)
    print(f"{'CPU in µs a frame':20}{'decode':>10}{'parse':>10}{'all':>10}")
    for case, times in found.items():
        print(f"{case:20}" + "".join([f"{statistics.median(each):>10.2f}" for each in times.values()]))


if __name__ == "__main__":
    main()
