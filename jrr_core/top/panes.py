"""What is shown: panes of rows, made from two answers of a collector. Pure.

A value is kept beside its text, so that columns sort by what they mean.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define

from .client import NoAnswer

Stats = Mapping[str, Any]


@define(frozen=True)
class Column:
    """A column: its title, its width, and whether its cells stand at the right."""

    title: str
    width: int
    right: bool = False


@define(frozen=True)
class Row:
    """Texts to show and values to sort by, one a column; `bad` rows want attention."""

    texts: Sequence[str]
    values: Sequence[Any]
    bad: bool = False


@define(frozen=True)
class Pane:
    """A table under a name."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Row]

    def chosen(self, words: str, column: int, reverse: bool) -> list[Row]:
        """Return the rows that have all the words in them, in order of a column; nothing comes last."""
        wanted = words.lower().split()
        rows = [row for row in self.rows if all(word in " ".join(row.texts).lower() for word in wanted)]
        known = [row for row in rows if row.values[column] is not None]
        unknown = [row for row in rows if row.values[column] is None]
        return [*sorted(known, key=lambda row: _sortable(row.values[column]), reverse=reverse), *unknown]


@define(frozen=True)
class Reading:
    """What one answer shows: lines on how the whole collector does, and panes, the most wanted first."""

    stats: Stats
    head: Sequence[str]
    panes: Sequence[Pane]


@define(frozen=True)
class _Made:
    """One answer, and the one before it for what has happened in between; `now_s` is the time of this machine."""

    stats: Stats
    before: Stats | None
    now_s: float

    def head(self) -> list[str]:
        """Return the lines that say how the whole collector does."""
        stats = self.stats
        name = f" {stats.get('instance')}" if stats.get("instance") else ""
        parts = [
            f"jrr {stats.get('version', '')}{name}", f"up {age(stats['uptime_s'])}",
            f"{self._rate(_events(stats), None if self.before is None else _events(self.before)):,.0f} events/s",
            f"lag {stats.get('lag_s', 0):.2f} s",
            f"gaps {stats.get('gaps', 0):,}", f"alarms {len(stats['alarms'])}",
        ]  # fmt: skip
        troubles = [f"{name}: {each['trouble']}" for name, each in stats["exchanges"].items() if each.get("trouble")]
        return ["  ".join(parts), *troubles]

    def panes(self) -> list[Pane]:
        """Return all panes, the most wanted first."""
        return [self._streams(), self._exchanges(), self._sinks(), self._alarms()]

    def _rate(self, count: float, before: float | None) -> float:
        """Return how much a count has grown a second."""
        if self.before is None or before is None:
            return 0.0
        seconds = self.stats["uptime_s"] - self.before["uptime_s"]
        return max(count - before, 0) / seconds if seconds > 0 else 0.0

    def _was(self, kind: str, name: str) -> Mapping[str, Any]:
        """Return what an exchange or sink was like before."""
        found: Mapping[str, Any] = {} if self.before is None else self.before[kind].get(name, {})
        return found

    def _streams(self) -> Pane:
        columns = (Column("exchange", 12), Column("symbol", 15), Column("channel", 11), Column("state", 7),
                   Column("/s", 6, True), Column("age", 5, True), Column("last price", 11, True), Column("side", 4),
                   Column("amount", 12, True), Column("count", 11, True), Column("trouble", 14))  # fmt: skip
        counted = _counts(self.before) if self.before is not None else {}
        rows = []
        for exchange, each in self.stats["exchanges"].items():
            for stream in each.get("streams", ()):
                key = (exchange, stream["channel"], stream["symbol"])
                rows.append(self._stream(exchange, stream, self._rate(stream["count"], counted.get(key))))
        return Pane("streams", columns, rows)

    def _stream(self, exchange: str, stream: Mapping[str, Any], rate: float) -> Row:
        age_s = None if not stream["last_ns"] else max(self.now_s - stream["last_ns"] / 1e9, 0.0)
        last = stream.get("last") or {}
        trouble, state = stream.get("trouble") or "", stream.get("state", "")
        texts = (exchange, stream["symbol"], stream["channel"], state, f"{rate:,.1f}",
                 "-" if age_s is None else age(age_s), _trimmed(last.get("price")), last.get("side") or "",
                 _trimmed(last.get("amount")), f"{stream['count']:,}", trouble)  # fmt: skip
        values = (exchange, stream["symbol"], stream["channel"], state, rate, age_s, _number(last.get("price")),
                  last.get("side"), _number(last.get("amount")), stream["count"], trouble or None)  # fmt: skip
        return Row(texts, values, bad=state in ("silent", "away"))

    def _exchanges(self) -> Pane:
        columns = (Column("exchange", 14), Column("conns", 5, True), Column("frames/s", 9, True),
                   Column("events/s", 9, True), Column("lost", 5, True), Column("gaps", 6, True),
                   Column("missing", 8, True), Column("clock", 8, True), Column("REST", 5, True),
                   Column("streams", 8, True), Column("trouble", 30))  # fmt: skip
        rows = []
        for name, each in self.stats["exchanges"].items():
            was = self._was("exchanges", name)
            frames = self._rate(each["frames"], was.get("frames"))
            events = self._rate(sum(each["events"].values()), sum(was["events"].values()) if was else None)
            missing, offset_s = each["missing"] - each["backfilled"], each.get("clock_offset_s")
            used = max([pool["used"] / pool["limit"] for pool in each.get("rest", {}).values()], default=0.0)
            streams = len(each.get("streams", ()))
            values = (name, each["sessions"], frames, events, each["reconnects"], each["gaps"], missing, offset_s, used,
                      streams, each["trouble"])  # fmt: skip
            texts = (name, f"{each['sessions']}", f"{frames:,.0f}", f"{events:,.0f}", f"{each['reconnects']:,}",
                     f"{each['gaps']:,}", f"{missing:,}", "-" if offset_s is None else f"{offset_s:+.3f} s",
                     f"{used:.0%}", f"{streams:,}", each["trouble"] or "")  # fmt: skip
            rows.append(Row(texts, values, bad=bool(each["trouble"] or missing > 0)))
        return Pane("exchanges", columns, rows)

    def _sinks(self) -> Pane:
        columns = (Column("sink", 12), Column("state", 9), Column("rows/s", 9, True), Column("written", 13, True),
                   Column("pending", 9, True), Column("spooled", 9, True), Column("dropped", 8, True),
                   Column("p50 ms", 8, True), Column("p99 ms", 8, True))  # fmt: skip
        rows = []
        for name, each in self.stats["sinks"].items():
            rate = self._rate(each["written"], self._was("sinks", name).get("written"))
            p50, p99 = ((each[key] or 0) * 1e3 for key in ("latency_p50_s", "latency_p99_s"))
            counts = [each[key] for key in ("written", "pending", "spooled", "dropped")]
            texts = (name, each["state"], f"{rate:,.0f}", *[f"{count:,}" for count in counts], f"{p50:,.0f}",
                     f"{p99:,.0f}")  # fmt: skip
            rows.append(Row(texts, (name, each["state"], rate, *counts, p50, p99),
                            bad=each["state"] not in ("ok", "spooling") or each["dropped"] > 0))  # fmt: skip
        return Pane("sinks", columns, rows)

    def _alarms(self) -> Pane:
        columns = (Column("alarm", 18), Column("since", 6, True), Column("subject", 30), Column("what", 60),
                   Column("what to do", 80))  # fmt: skip
        rows = []
        for alarm in self.stats["alarms"]:
            since_s = max(self.now_s - alarm["since_ns"] / 1e9, 0.0)
            texts = (alarm["name"], age(since_s), alarm["subject"], alarm["text"], alarm["cure"])
            rows.append(Row(texts, (alarm["name"], since_s, *texts[2:]), bad=True))
        return Pane("alarms", columns, rows)


def reading(stats: Stats, before: Stats | None) -> Reading:
    """Return what is to be shown of stats now; of a collector that has begun anew nothing before counts.

    Raises NoAnswer for stats that lack what is shown: of another version.
    """
    if before is not None and before.get("started_ns") != stats.get("started_ns"):
        before = None
    made = _Made(stats, before, time.time())
    try:
        return Reading(stats, made.head(), made.panes())
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        version = stats.get("version", "an unknown version")
        raise NoAnswer(
            f"the collector is of jrr {version} and tells other stats than this one reads ({error!r}); "
            "use the same version for both"
        ) from None


def age(seconds: float) -> str:
    """Return a span in at most five characters: 4.2s, 38s, 12m, 5.3h, 12d."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 100:
        return f"{seconds:.0f}s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f}m"
    if seconds < 100 * 3600:
        return f"{seconds / 3600:.1f}h"
    return f"{seconds / 86_400:.0f}d"


def _events(stats: Stats) -> float:
    return sum(sum(each.get("events", {}).values()) for each in stats["exchanges"].values())


def _counts(stats: Stats) -> dict[tuple[str, str, str], int]:
    return {
        (exchange, stream["channel"], stream["symbol"]): stream["count"]
        for exchange, each in stats["exchanges"].items()
        for stream in each.get("streams", ())
    }


def _trimmed(number: str | None) -> str:
    """Return a number's text without the zeros behind its point."""
    if not number:
        return ""
    return number.rstrip("0").rstrip(".") if "." in number else number


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


def _sortable(value: Any) -> tuple[str, Any]:
    return ("", value) if isinstance(value, (int, float)) else (str(value).lower(), 0)
