"""Stats as Prometheus metrics: base units, counters ending in _total, no symbol but those that were asked for.

The one table of what there is is `METRICS`; docs/metrics.md is held to it.
"""

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from attrs import define
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder

Sample = tuple[tuple[str, ...], Any]
Stats = Mapping[str, Any]


@define(frozen=True)
class Family:
    """A metric: its name (without `_total`), type, labels, meaning, and where its samples come from."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    samples: Callable[[Stats], Iterable[Sample]]

    def metric(self, stats: Stats) -> Metric:
        """Return it with the samples of these stats."""
        if self.kind == "histogram":
            histogram = HistogramMetricFamily(self.name, self.help, labels=self.labels)
            for labels, value in self.samples(stats):
                buckets = [(f"{edge:g}", float(count)) for edge, count in value["buckets"]]
                histogram.add_metric(labels, [*buckets, ("+Inf", float(value["count"]))], value["sum_s"])
            return histogram
        family = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        found: Metric = family(self.name, self.help, labels=self.labels)
        for labels, value in self.samples(stats):
            if value is not None:
                found.add_metric(labels, value)  # type: ignore[attr-defined]
        return found


def _exchanges(key: str) -> Callable[[Stats], Iterator[Sample]]:
    return lambda stats: (((name,), each[key]) for name, each in stats["exchanges"].items())


def _sinks(key: str) -> Callable[[Stats], Iterator[Sample]]:
    return lambda stats: (((name,), each[key]) for name, each in stats["sinks"].items())


def _parts(keys: Sequence[str]) -> Callable[[Stats], Iterator[Sample]]:
    return lambda stats: (((name, key), each[key]) for name, each in stats["exchanges"].items() for key in keys)


def _by(key: str, value: Callable[[Any], Any] = lambda found: found) -> Callable[[Stats], Iterator[Sample]]:
    """Return the samples of a mapping that each exchange has under `key`."""
    return lambda stats: (
        ((name, part), value(found)) for name, each in stats["exchanges"].items() for part, found in each[key].items()
    )


def _streams(stats: Stats) -> Iterator[Sample]:
    for name, exchange in stats["exchanges"].items():
        states = dict.fromkeys(("live", "waiting", "quiet", "silent", "away"), 0)
        for stream in exchange["streams"]:
            states[stream["state"]] += 1
        yield from (((name, state), count) for state, count in states.items())


def _last(choose: Callable[[Iterable[int]], int]) -> Callable[[Stats], Iterator[Sample]]:
    def samples(stats: Stats) -> Iterator[Sample]:
        for name, exchange in stats["exchanges"].items():
            times: dict[str, list[int]] = {}
            for stream in exchange["streams"]:
                if stream["last_ns"]:
                    times.setdefault(stream["channel"], []).append(stream["last_ns"])
            yield from (((name, channel), choose(found) / 1e9) for channel, found in times.items())

    return samples


def _capture(key: str) -> Callable[[Stats], Iterator[Sample]]:
    return lambda stats: iter([] if stats["capture"] is None else [((), stats["capture"][key])])


def _alarms(stats: Stats) -> Iterator[Sample]:
    counts: dict[tuple[str, str], int] = {}
    for alarm in stats["alarms"]:
        key = (alarm["name"], alarm["exchange"] or "")
        counts[key] = counts.get(key, 0) + 1
    yield from counts.items()


def _up(stats: Stats) -> Iterator[Sample]:
    yield from (((name,), int(each["state"] in ("ok", "spooling"))) for name, each in stats["sinks"].items())


def _workers(key: str) -> Callable[[Stats], Iterator[Sample]]:
    return lambda stats: (((str(each["worker"]),), each[key]) for each in stats["workers"])


def _running(stats: Stats) -> Iterator[Sample]:
    if stats["workers"]:
        yield (), sum(each["state"] == "running" for each in stats["workers"])


def _build(stats: Stats) -> Iterator[Sample]:
    yield (stats["version"], platform.python_version(), stats["instance"]), 1


_EXCHANGE, _SINK = ("exchange",), ("sink",)
METRICS: Sequence[Family] = (
    Family("jrr_build_info", "gauge", ("version", "python", "instance"), "1; the versions and the instance's name",
           _build),
    Family("jrr_uptime_seconds", "gauge", (), "Seconds since the run began", lambda stats: [((), stats["uptime_s"])]),
    Family("jrr_frames", "counter", ("exchange", "kind"),
           "Frames received: parsed (they meant an event), control (none), rejected (in quarantine)",
           _parts(("parsed", "control", "rejected"))),
    Family("jrr_events", "counter", ("exchange", "channel"), "Events received", _by("events")),
    Family("jrr_repeated_events", "counter", _EXCHANGE, "Events that came again and were published once",
           _exchanges("repeated")),
    Family("jrr_connections", "counter", _EXCHANGE, "Connections opened", _exchanges("connections")),
    Family("jrr_disconnects", "counter", ("exchange", "reason"),
           "Connections lost: cut, closed (by the exchange), silent, unanswered, failed", _by("disconnects")),
    Family("jrr_rotations", "counter", _EXCHANGE, "Connections renewed, successor first", _exchanges("rotations")),
    Family("jrr_connect_failures", "counter", _EXCHANGE, "Connection attempts that failed",
           _exchanges("connect_failures")),
    Family("jrr_sessions", "gauge", _EXCHANGE, "Connections open now", _exchanges("sessions")),
    Family("jrr_streams", "gauge", ("exchange", "state"),
           "Streams wanted: live, waiting (for data), quiet (nothing yet, as usual), silent, away (not connected)",
           _streams),
    Family("jrr_refused_subscriptions", "counter", _EXCHANGE, "Subscriptions the exchange refused",
           _exchanges("refused")),
    Family("jrr_gaps", "counter", _EXCHANGE, "Gaps noticed", _exchanges("gaps")),
    Family("jrr_breaks", "counter", _EXCHANGE, "Gaps of unknown size among them", _exchanges("breaks")),
    Family("jrr_missing_events", "counter", _EXCHANGE, "Events that were missing in gaps of known size",
           _exchanges("missing")),
    Family("jrr_backfilled_events", "counter", _EXCHANGE, "Of these, events found since", _exchanges("backfilled")),
    Family("jrr_interruptions", "counter", _EXCHANGE, "Streams cut off whose past nobody gives out",
           _exchanges("interruptions")),
    Family("jrr_silences", "counter", _EXCHANGE, "Times a stream was found silent", _exchanges("silent")),
    Family("jrr_oldest_message_timestamp_seconds", "gauge", ("exchange", "channel"),
           "When the stream of the channel that was silent longest had its latest event", _last(min)),
    Family("jrr_newest_message_timestamp_seconds", "gauge", ("exchange", "channel"),
           "When the channel had its latest event", _last(max)),
    Family("jrr_exchange_to_receive_seconds", "histogram", _EXCHANGE,
           "From the exchange's time of an event to its receipt, one frame in 16; 0 where the clocks disagree",
           _exchanges("transit")),
    Family("jrr_rest_weight_used", "gauge", ("exchange", "pool"), "REST weight spent in the current window",
           _by("rest", lambda found: found["used"])),
    Family("jrr_rest_weight_limit", "gauge", ("exchange", "pool"), "REST weight that a window allows",
           _by("rest", lambda found: found["limit"])),
    Family("jrr_clock_offset_seconds", "gauge", _EXCHANGE, "This machine's clock minus the exchange's",
           _exchanges("clock_offset_s")),
    Family("jrr_published_events", "counter", _SINK, "Events meant for the sink", _sinks("published")),
    Family("jrr_written_rows", "counter", _SINK, "Rows committed that the store did not have", _sinks("written")),
    Family("jrr_duplicate_rows", "counter", _SINK, "Rows committed that the store had", _sinks("duplicate")),
    Family("jrr_dropped_events", "counter", _SINK, "Events lost for want of room", _sinks("dropped")),
    Family("jrr_quarantined_rows", "counter", _SINK, "Rows the store refused", _sinks("quarantined")),
    Family("jrr_sink_retries", "counter", _SINK, "Writes tried again because the store was away", _sinks("retries")),
    Family("jrr_sink_up", "gauge", _SINK, "1 while the store takes data, else 0",
           _up),
    Family("jrr_receive_to_commit_seconds", "histogram", _SINK, "From receipt of an event to its commit",
           _sinks("latency")),
    Family("jrr_lag_seconds", "gauge", _SINK, "Age, when it was committed, of the oldest event in the latest batch",
           _sinks("lag_s")),
    Family("jrr_buffer_events", "gauge", _SINK, "Events in memory that wait for the sink", _sinks("pending")),
    Family("jrr_buffer_capacity_events", "gauge", _SINK, "Events the sink's buffer can hold", _sinks("capacity")),
    Family("jrr_spooled_events", "gauge", _SINK, "Events in the spool on disk", _sinks("spooled")),
    Family("jrr_spool_bytes", "gauge", _SINK, "Bytes the spool takes on disk", _sinks("spool_bytes")),
    Family("jrr_capture_written", "counter", (), "Frames and other entries captured", _capture("kept")),
    Family("jrr_capture_lost", "counter", (), "Frames and other entries the disk did not take", _capture("lost")),
    Family("jrr_capture_bytes", "counter", (), "Bytes captured, packed", _capture("bytes")),
    Family("jrr_alarms", "gauge", ("alarm", "exchange"), "Alarms that stand", _alarms),
    Family("jrr_workers", "gauge", (), "Worker processes that collect now, of a run in several", _running),
    Family("jrr_worker_restarts", "counter", ("worker",), "Processes of the worker that ended unasked",
           _workers("restarts")),
)  # fmt: skip
"""Every metric of every run."""


def _chosen(stats: Stats, symbols: Iterable[str]) -> Iterator[tuple[tuple[str, str, str], Mapping[str, Any]]]:
    wanted = set(symbols)
    for name, exchange in stats["exchanges"].items():
        for stream in exchange["streams"]:
            symbol = stream["symbol"]
            if wanted & {"*", symbol, f"{name}:{symbol}"}:
                yield (name, stream["channel"], symbol), stream


_STREAM = ("exchange", "channel", "symbol")
PER_SYMBOL: Sequence[tuple[str, Literal["counter", "gauge"], str, Callable[[Mapping[str, Any]], Any]]] = (
    ("jrr_stream_events", "counter", "Events received of the stream", lambda stream: stream["count"]),
    ("jrr_stream_last_message_timestamp_seconds", "gauge", "When its latest event came",
     lambda stream: stream["last_ns"] and stream["last_ns"] / 1e9),
    ("jrr_stream_live", "gauge", "1 while a connection carries it", lambda stream: int(stream["state"] == "live")),
    ("jrr_stream_silent", "gauge", "1 while it is found silent", lambda stream: int(stream["state"] == "silent")),
    ("jrr_stream_last_price", "gauge", "Price of its last trade, as a float for charts",
     lambda stream: stream["last"] and float(stream["last"]["price"])),
)  # fmt: skip
"""Metrics of the streams that `metrics.symbols` names."""


class _Collected:
    """The metrics of one moment."""

    def __init__(self, stats: Stats, symbols: Sequence[str]) -> None:
        self._stats = stats
        self._symbols = symbols

    def collect(self) -> Iterator[Metric]:
        """Yield each metric with its samples."""
        for family in METRICS:
            yield family.metric(self._stats)
        for name, kind, text, value in PER_SYMBOL if self._symbols else ():

            def samples(stats: Stats, value: Callable[[Mapping[str, Any]], Any] = value) -> Iterator[Sample]:
                return ((labels, value(stream)) for labels, stream in _chosen(stats, self._symbols))

            yield Family(name, kind, _STREAM, text, samples).metric(self._stats)


def exposition(stats: Stats, symbols: Sequence[str], accept: str) -> tuple[str, bytes]:
    """Return content type and text of the metrics, in the form that the Accept header asks for."""
    registry = CollectorRegistry(auto_describe=False)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    registry.register(_Collected(stats, symbols))
    encoder, kind = choose_encoder(accept)
    body: bytes = encoder(registry)
    return kind, body
