"""Coverage of a store's streams: changed by transactions that hold, and by no other."""

from jrr_core.events import Connected, Gap
from jrr_core.sink import StreamKey
from jrr_core.store import Range
from jrr_core.timelines import Timelines

S = 10**9
STREAM = StreamKey("sim", "trade", "A")
CONNECTED = Connected("sim", "A", None, 10 * S, "trade", "s1", ts_from=10 * S)


class Stored:
    """A store of ranges that writes what the Timelines tell."""

    def __init__(self) -> None:
        self.ranges: list[Range] = []
        self.lines = Timelines(lambda stream: [item for item in self.ranges if item.symbol == stream.symbol])

    def commit(self) -> list[tuple[str, int, int]]:
        for stream, after, ranges in self.lines.changes():
            assert stream == STREAM
            self.ranges = [item for item in self.ranges if after is not None and item.ts_from <= after] + ranges
        self.lines.commit()
        return [(item.state, item.ts_from // S, item.ts_to // S) for item in self.ranges]


def test_live_ranges_grow_by_heartbeats_of_a_second() -> None:
    stored = Stored()
    stored.lines.apply([CONNECTED])
    assert stored.commit() == [("complete", 10, 10)]
    stored.lines.heartbeat(15 * S)
    assert stored.commit() == [("complete", 10, 15)]
    stored.lines.heartbeat(16 * S - 1)
    assert not [*stored.lines.changes()]
    stored.lines.heartbeat(16 * S)
    assert stored.commit() == [("complete", 10, 16)]


def test_a_transaction_that_failed_leaves_sessions_as_they_were() -> None:
    stored = Stored()
    stored.lines.apply([CONNECTED])
    stored.lines.rollback()
    stored.lines.heartbeat(20 * S)
    assert stored.commit() == []
    stored.lines.apply([CONNECTED])
    stored.commit()
    stored.lines.end(22 * S)
    stored.lines.rollback()
    stored.lines.heartbeat(24 * S)
    assert stored.commit() == [("complete", 10, 24)]


def test_ranges_stored_before_are_gone_on_from() -> None:
    stored = Stored()
    stored.ranges = [Range("sim", "trade", "A", 1 * S, 5 * S, "complete", "stopped")]
    stored.lines.apply([CONNECTED])
    assert stored.commit() == [("complete", 1, 5), ("gap", 5, 10), ("complete", 10, 10)]
    stored.lines.apply([Gap("sim", "A", None, 30 * S, "trade", "s1", "sequence", 2, 20 * S, 25 * S)])
    stored.commit()
    stored.lines.end(40 * S)
    assert stored.commit()[2:] == [("complete", 10, 20), ("gap", 20, 25), ("complete", 25, 40)]
