"""The live line: what a run is doing, on one line of a terminal that log lines do not tear."""

import io
import shutil
from collections.abc import Callable, Mapping
from typing import Any, TextIO

from ..printable import printable

_CLEAR = "\r\x1b[K"


class LiveLine(io.TextIOBase):
    """A line at the bottom of a terminal; log lines written through it appear above."""

    def __init__(self, terminal: TextIO) -> None:
        """Draw on `terminal`."""
        super().__init__()
        self._terminal = terminal
        self._shown = ""

    def show(self, text: str) -> None:
        """Replace the line, cut to the terminal's width."""
        self._shown = printable(text)[: shutil.get_terminal_size().columns - 1]
        self._terminal.write(_CLEAR + self._shown)
        self._terminal.flush()

    def write(self, text: str) -> int:
        """Write a log line above the live line."""
        self._terminal.write(_CLEAR + text)
        if text.endswith("\n"):
            self._terminal.write(self._shown)
        self._terminal.flush()
        return len(text)

    def clear(self) -> None:
        """Take the line away."""
        self._shown = ""
        self._terminal.write(_CLEAR)
        self._terminal.flush()


class Rate:
    """Events per second over the last few seconds."""

    def __init__(self, window_s: float = 3.0) -> None:
        """Look back `window_s`."""
        self._window_s = window_s
        self._seen: list[tuple[float, int]] = []

    def per_s(self, now_s: float, total: int) -> float:
        """Note the total so far and return the rate."""
        self._seen.append((now_s, total))
        while len(self._seen) > 2 and now_s - self._seen[0][0] > self._window_s:
            self._seen.pop(0)
        (first_s, first), (last_s, last) = self._seen[0], self._seen[-1]
        return (last - first) / (last_s - first_s) if last_s > first_s else 0.0


def run_line(stats: Mapping[str, Any], rate: Rate) -> str:
    """Return the live line of a run: time, events per second, lag, gaps, trouble, and the state of each sink."""
    exchanges = stats["exchanges"]
    total = sum(sum(exchange["events"].values()) for exchange in exchanges.values())
    parts = [
        f"{stats['uptime_s']:.0f} s",
        f"{rate.per_s(stats['uptime_s'], total):,.0f} events/s",
        f"lag {stats['lag_s']:.2f} s",
        f"gaps {stats['gaps']}",
    ]
    for name, sink in stats["sinks"].items():
        waiting = f", {sink['pending']:,} waiting" if sink["state"] != "ok" else ""
        waiting += f", {sink['spooled']:,} in the spool" if sink["spooled"] else ""
        parts.append(f"{name} {sink['state']} ({sink['written']:,} stored{waiting})")
    parts += [f"{name}: {exchange['trouble']}" for name, exchange in exchanges.items() if exchange["trouble"]]
    workers = stats.get("workers", ())
    parts += [f"worker {worker['worker']} {worker['state']}" for worker in workers if worker["state"] != "running"]
    return "  ".join(parts)


def ticker(live: LiveLine) -> Callable[[Mapping[str, Any]], None]:
    """Return what shows the stats it is given as the live line."""
    rate = Rate()
    return lambda stats: live.show(run_line(stats, rate))


def status_line(stats: Mapping[str, Any], streams: int) -> str:
    """Return the line that `systemctl status` shows of a run that carries so many streams."""
    sinks = ", ".join(f"{name} {sink['state']} ({sink['written']:,} stored)" for name, sink in stats["sinks"].items())
    return f"{streams:,} streams, {stats['gaps']:,} gaps; {sinks}"
