"""The account in words: what came in, what was stored, what was lost."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Silent streams named one by one at the end of a run.
_NAMED = 20


def run_summary(stats: Mapping[str, Any], failings: Iterable[str]) -> list[str]:
    """Return the lines printed when a run has ended."""
    lines = [f"ran for {stats['uptime_s']:.1f} s"]
    for name, exchange in stats["exchanges"].items():
        lines.append(f"{frames_line(name, exchange)}; {exchange['connections']} connections, "
                     f"{exchange['reconnects']} lost, {gaps_line(exchange)}")  # fmt: skip
        lines.append(f"  {events_line(exchange['events'])}")
        troubled = [s for s in exchange["streams"] if s["trouble"]]
        lines += [f"  {stream['channel']}:{stream['symbol']}: {stream['trouble']}" for stream in troubled[:_NAMED]]
        if len(troubled) > _NAMED:
            lines.append(f"  {len(troubled) - _NAMED:,} more streams like these; the log names them")
    lines += [sink_line(name, sink) for name, sink in stats["sinks"].items()]
    workers = stats.get("workers", ())
    if workers:
        lines.append(workers_line(workers))
    for name, subscriber in stats.get("subscribers", {}).items():
        lines.append(f"{name}: " + ", ".join(f"{count:,} {what}" for what, count in subscriber.items()))
    return lines + verdict(failings)


def frames_line(name: str, counts: Mapping[str, int]) -> str:
    """Return how the frames of an exchange add up."""
    parts = " + ".join(f"{counts[part]:,} {part}" for part in ("parsed", "control", "rejected"))
    return f"{name}: {counts['frames']:,} frames = {parts}"


def gaps_line(counts: Mapping[str, int]) -> str:
    """Return how many gaps there were, and how much of what was missing has been found again."""
    if not counts["missing"]:
        return f"{counts['gaps']:,} gaps"
    return f"{counts['gaps']:,} gaps, {counts['backfilled']:,} of {counts['missing']:,} missing events found again"


def events_line(events: Mapping[str, int]) -> str:
    """Return the events by channel."""
    return ", ".join(f"{channel} {count:,}" for channel, count in sorted(events.items())) or "no events"


def sink_line(name: str, sink: Mapping[str, Any]) -> str:
    """Return how the events of a sink add up, and how soon they were stored."""
    parts = " + ".join(
        f"{sink[part]:,} {part}"
        for part in ("written", "duplicate", "dropped", "quarantined", "spooled", "pending")
        if part in ("written", "duplicate", "dropped") or sink.get(part)
    )
    line = f"{name}: {sink['published']:,} events = {parts}"
    if sink.get("latency_p50_s") is not None:
        line += f"; stored after {sink['latency_p50_s'] * 1e3:.0f} ms (p50), {sink['latency_p99_s'] * 1e3:.0f} ms (p99)"
    return line


def workers_line(workers: Sequence[Mapping[str, Any]]) -> str:
    """Return how many processes shared the work, and what the sums above cannot tell of those that died."""
    restarts, untold = (sum(worker[key] for worker in workers) for key in ("restarts", "untold"))
    line = f"{len(workers)} workers, {restarts} restarts"
    if restarts:
        line += (f"; of processes that died the sums have what they told last, but for {untold:,} events then in "
                 "their memory")  # fmt: skip
    return line


def verdict(failings: Iterable[str]) -> list[str]:
    """Return the last lines: that nothing was lost, or what was."""
    found = list(failings)
    if not found:
        return ["nothing was lost"]
    return ["lost or failed:", *[f"  {text}" for text in found]]
