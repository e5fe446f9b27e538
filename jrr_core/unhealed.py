"""What earlier runs left that `resume_points` do not tell: holes not filled since, candles that had not closed yet."""

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence

from attrs import evolve

from .candles import step_of
from .events import Backfilled, Gap
from .sink import StreamKey
from .store import Range, Selection, Store

# Exchanges give out trades of two days at least; older holes would be asked for at every start, in vain.
AGE_NS = 48 * 3600 * 10**9
# What is told by one clock may lie a little before what another one dated.
_SLACK_NS = 10 * 10**9
_MOST = 1000
Span = tuple[int, int]


async def unhealed(store: Store, now_ns: int) -> list[Gap]:
    """Return what coverage still calls a gap of known size, as the Gap events that told it, less what was found since.

    At most the latest thousand. Raises what the store raises.
    """
    standing: dict[tuple[str, str, str], list[Range]] = defaultdict(list)
    for item in await store.coverage():
        if item.state == "gap" and item.missing and item.ts_to > now_ns - AGE_NS:
            standing[item.exchange, item.channel, item.symbol].append(item)
    found: list[Gap] = []
    for (exchange, channel, symbol), ranges in standing.items():
        chosen = Selection(exchange, symbol, ts_from=min(item.ts_from for item in ranges) - _SLACK_NS)
        told = [event async for event in store.read(Gap, chosen) if event.what == channel and _counted(event)]
        filled = [event async for event in store.read(Backfilled, chosen) if event.what == channel]
        for gap in told:
            if any(item.ts_from <= _end(gap) and item.ts_to >= (gap.ts_from or item.ts_from) for item in ranges):
                found += _left(gap, filled)
    return found[-_MOST:]


async def candle_points(store: Store, known: Container[StreamKey], before_ns: int) -> Mapping[StreamKey, int]:
    """Return a resume point for each candle stream without a `known` one that an earlier run, before `before_ns`, had.

    No candle of it had closed yet, so the first one missing is that in which
    its coverage began. Raises what the store raises.
    """
    points: dict[StreamKey, int] = {}
    for item in await store.coverage():
        key = StreamKey(item.exchange, item.channel, item.symbol)
        # Where boundaries lie outside UTC is the exchange's to know.
        utc = item.channel.startswith("candle_") and "@" not in item.channel
        step = step_of(item.channel.removeprefix("candle_")) if utc else None
        if step is not None and key not in known and item.ts_from < before_ns:
            points.setdefault(key, step.begin(item.ts_from) - step.end(0))
    return points


def _counted(gap: Gap) -> bool:
    return gap.sequences is not None and bool(gap.count)


def _end(gap: Gap) -> int:
    return gap.ts_recv if gap.ts_to is None else gap.ts_to


def _left(gap: Gap, filled: Iterable[Backfilled]) -> Sequence[Gap]:
    """Return the parts of a gap that nothing has filled; none where what was found does not say which it was."""
    assert gap.sequences is not None
    assert gap.count
    first, last = gap.sequences
    step = (last - first) // (gap.count - 1) if gap.count > 1 else 1
    spans: list[Span] = [(first, last)]
    for event in filled:
        if event.sequences is None or event.sequences[0] > last or event.sequences[1] < first:
            continue
        low, high = event.sequences
        if event.count != (high - low) // step + 1:
            return []
        spans = [part for span in spans for part in _without(span, (low, high), step)]
    return [evolve(gap, sequences=span, count=(span[1] - span[0]) // step + 1) for span in spans]


def _without(span: Span, taken: Span, step: int) -> list[Span]:
    (first, last), (low, high) = span, taken
    if high < first or low > last:
        return [span]
    parts = [(first, low - step), (high + step, last)]
    return [part for part in parts if part[0] <= part[1]]
