"""`jrr replay`: recorded frames into a store."""

import asyncio
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
from attrs import asdict, evolve

from ..builder import ManagerBuilder
from ..capture import capture_files
from ..config import Config
from ..journal import set_up
from ..observe.address import address_of
from ..quarantine import Quarantine
from ..replay import Replay, Sources, Window
from .live import LiveLine, Rate
from .moment import moments
from .options import config_options, load_plugins, settings
from .serve import serve
from .signals import until_signalled
from .summary import events_line, frames_line, sink_line, verdict
from .tell import tell


@click.command()
@click.argument("captures", metavar="CAPTURE...", type=click.Path(path_type=Path), nargs=-1, required=True)
@click.option("--exchange", metavar="NAME",
              help="Exchange of lines `<receive ns> <JSON>`; of captures by jrr, the only one to replay.")  # fmt: skip
@click.option("--from", "since", metavar="TIME", help="Store what was received at this time and later.")
@click.option("--to", "until", metavar="TIME", help="Store what was received before this time.")
@click.option("--speed", type=click.FloatRange(0, min_open=True), metavar="N",
              help="N times as fast as it was received; default: as fast as it can be read; --serve: 1.")  # fmt: skip
@click.option("--serve", "address", metavar="[HOST:]PORT",
              help="Store nothing; answer WebSocket clients there as the exchange would.")  # fmt: skip
@config_options
def replay(
    captures: tuple[Path, ...],
    exchange: str | None,
    since: str | None,
    until: str | None,
    speed: float | None,
    address: str | None,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
) -> None:
    """Run CAPTURE, files or the folder of capture.path, through parsers and sinks.

    Also lines of `<receive ns> <JSON>`, and either packed with gzip or zstd. A
    capture gives the rows that the run stored; replaying it twice stores
    nothing twice. Exit code 1 if lines were damaged, frames not understood, or
    events not stored.
    """
    config = settings(config_file, plugins, overrides)
    set_up(config.log.format, config.log.level)
    files = capture_files(captures)
    window = Window(*moments(since, until, time.time_ns()))
    if address is not None:
        where = address_of(address, "--serve")
        serve(config, load_plugins(config), files, exchange, window, speed or 1.0, where)
        return
    work = _replay(config, exchange, window)
    live = LiveLine(sys.stderr) if sys.stderr is not None and sys.stderr.isatty() else None
    try:
        asyncio.run(until_signalled(work.run(files, exchange, speed, _ticker(live))))
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        if live is not None:
            live.clear()
    failings = work.failings()
    tell(*_summary(work), *verdict(failings))
    sys.exit(1 if failings else 0)


def _replay(config: Config, exchange: str | None, window: Window) -> Replay:
    loaded = load_plugins(config)
    sources = Sources(loaded, config)
    if exchange is not None:
        sources(exchange)
    # Sections of exchanges whose plugin is not among --plugins are of no concern to the sinks.
    sinks = ManagerBuilder(plugins=loaded, config=evolve(config, exchanges={})).sinks()
    quarantine = Quarantine(Path(config.run.quarantine), config.run.quarantine_max_bytes)
    return Replay(sinks, sources, quarantine, window)


def _ticker(live: LiveLine | None) -> Callable[[Replay, float], None]:
    rate = Rate()

    def show(work: Replay, now_s: float) -> None:
        if live is not None:
            stored = "  ".join(f"{drain.sink.name} {drain.counters.written:,} stored" for drain in work.drains)
            frames = work.counts.frames
            live.show(f"{frames:,} frames  {rate.per_s(now_s, frames):,.0f} frames/s  {stored}")

    return show


def _summary(work: Replay) -> list[str]:
    counts = work.counts
    lines = [frames_line("capture", asdict(counts, recurse=False))]
    if counts.skipped:
        lines.append(f"  {counts.skipped:,} frames of other exchanges left out")
    lines += [f"  {_one_line(damage)}" for damage in counts.damages]
    if counts.damaged > len(counts.damages):
        lines.append(f"  and {counts.damaged - len(counts.damages):,} more damages")
    lines += [f"  not understood: {_one_line(reason)}" for reason in counts.reasons]
    lines += [f"{exchange}: {events_line(events)}" for exchange, events in counts.events.items()]
    if counts.gaps:
        lines.append(f"gaps in the recording: {counts.gaps}, {counts.missing:,} events known missing")
    lines += [sink_line(drain.sink.name, {**asdict(drain.counters), "pending": drain.pending}) for drain in work.drains]
    return lines


def _one_line(text: str) -> str:
    """Reasons quote the file: at most a line of it reaches the terminal, and no control characters."""
    return (text if text.isprintable() else ascii(text)[1:-1])[:160]
