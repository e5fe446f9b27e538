"""What became of every frame and every event: the stats, the account, and the verdict on a run."""

from collections.abc import Iterable
from typing import Any

from attrs import asdict, define

from .drain import Drain
from .events import Trade
from .exact import plain
from .exchange import Exchange
from .notify import Notifier
from .stream import Stream


@define(frozen=True)
class Account:
    """Reads the counters of a run; keeps nothing of its own."""

    exchanges: Iterable[Exchange]
    drains: Iterable[Drain]
    notifiers: Iterable[Notifier]

    def stats(self, streams: bool = True) -> dict[str, Any]:
        """Return the plain dicts described in docs/stats.md; without `streams` the list of each exchange is empty."""
        exchanges = {e.name: _exchange(e, streams) for e in self.exchanges if e.wanted or e.unresolved or _worked(e)}
        return {
            "exchanges": exchanges,
            "sinks": _by_name((drain.sink.name, _sink(drain)) for drain in self.drains),
            "subscribers": _by_name((each.subscriber.name, _subscriber(each)) for each in self.notifiers),
            "gaps": sum(exchange["gaps"] for exchange in exchanges.values()),
            "lag_s": max([drain.lag_s for drain in self.drains], default=0.0),
        }

    def pulse(self) -> dict[str, Any]:
        """Return what of the stats is looked at every second; none of it grows with the number of streams."""
        return {
            "exchanges": {e.name: {"transit": e.around.desk.transit.histogram()} for e in self.exchanges},
            "sinks": _by_name((drain.sink.name, _sink(drain)) for drain in self.drains),
        }

    def failings(self) -> list[str]:
        """Return, in words, everything that was lost or failed; empty after a clean run."""
        found: list[str] = []
        for exchange in self.exchanges:
            found += [f"{exchange.name}: {text}" for text in _exchange_failings(exchange)]
        for drain in self.drains:
            counters = drain.counters
            for count, what in (
                (counters.dropped, "events dropped"),
                (counters.quarantined, "events refused, kept in quarantine"),
                (drain.pending, "events not stored"),
                (counters.spooled, "events left in the spool: the next `jrr run` stores them, or `jrr spool drain`"),
            ):
                if count:
                    found.append(f"{drain.sink.name}: {count} {what}")
        return found


def _worked(exchange: Exchange) -> bool:
    counters = exchange.around.desk.counters
    return counters.connections + counters.connect_failures > 0


def _by_name(entries: Iterable[tuple[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Return the entries by name; the second of a name is "name-2": lambdas share theirs."""
    found: dict[str, dict[str, Any]] = {}
    for name, entry in entries:
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}-{number}"
        found[unique] = entry
    return found


def _exchange_failings(exchange: Exchange) -> list[str]:
    desk, found = exchange.around.desk, []
    counters = desk.counters
    if exchange.wanted and not counters.connections:
        found.append("never connected")
    for count, what in (
        (counters.rejected, "frames not understood, kept in quarantine"),
        (counters.refused, "subscriptions refused"),
        (counters.interruptions, "interruptions of streams that cannot be fetched again (`jrr coverage` shows when)"),
        (counters.breaks, "gaps of unknown size"),
        (counters.missing - counters.backfilled, "events missing"),
        (desk.continuity.interrupted, "streams interrupted and not heard of since"),
        (len(exchange.unresolved), "subscriptions never resolved"),
    ):
        if count > 0:
            found.append(f"{count} {what}")
    return found


def _exchange(exchange: Exchange, streams: bool) -> dict[str, Any]:
    desk = exchange.around.desk
    shown = desk.board.streams.values() if streams else ()
    return {
        **asdict(desk.counters),
        "events": desk.board.counts(),
        "repeated": desk.continuity.repeated,
        "sessions": sum(len(line.sessions) for line in exchange.lines),
        "streams": [_stream(stream) for stream in shown if stream.wanted],
        "unresolved": [str(pattern) for pattern in exchange.unresolved],
        "trouble": next((line.trouble for line in exchange.lines if line.trouble), None),
        "transit": desk.transit.histogram(),
        "rest": exchange.spent,
        "clock_offset_s": exchange.clock_offset_s,
    }


def _stream(stream: Stream) -> dict[str, Any]:
    last = stream.latest
    return {
        "channel": stream.channel,
        "symbol": stream.symbol,
        "count": stream.count,
        "last_ns": stream.last_ns or None,
        "state": stream.state,
        "trouble": stream.reported,
        "last": None
        if not isinstance(last, Trade)
        else {"price": plain(last.price), "amount": plain(last.amount), "side": last.side, "ts_event": last.ts_event},
    }


def _sink(drain: Drain) -> dict[str, Any]:
    return {
        "state": "spooling" if drain.state == "ok" and drain.spooling else drain.state,
        **asdict(drain.counters),
        "pending": drain.pending,
        "capacity": drain.buffer.capacity,
        "spool_bytes": drain.spool_bytes,
        "lag_s": drain.lag_s,
        "latency_p50_s": drain.latency.quantile_s(0.5),
        "latency_p99_s": drain.latency.quantile_s(0.99),
        "latency": drain.latency.histogram(),
    }


def _subscriber(notifier: Notifier) -> dict[str, Any]:
    counters = notifier.counters
    return {
        "published": counters.published,
        "delivered": counters.written,
        "failed": counters.quarantined,
        "dropped": counters.dropped,
        "pending": notifier.pending,
    }
