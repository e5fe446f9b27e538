"""`jrr demo`: the whole road, from simulated exchanges in a child process into a real store, checked at the end."""

import asyncio
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from attrs import define, fields

from ..builder import ManagerBuilder
from ..config import duration_s
from ..errors import ConfigError
from ..journal import set_up
from ..manager import Manager
from ..plugins import Plugins
from ..sink import Sink
from ..store import Range, Store
from ..subscription import Subscription
from ..testing.child import Simulation, simulated
from ..testing.script import Script
from ..testing.truth import Truth
from .coverage import timelines
from .live import LiveLine, Rate, run_line
from .simulate import find_scripts
from .summary import frames_line, sink_line, verdict
from .tell import tell

_RATE = 300.0
_SETTLED_S = 0.5
_SETTLE_AT_MOST_S = 5.0


@define(frozen=True)
class Outcome:
    """What a demo leaves to tell; `whole` where it collected until the markets rested."""

    stats: Mapping[str, Any]
    failings: Sequence[str]
    truth: Truth
    wanted: Sequence[Subscription]
    whole: bool
    sink: Sink
    store: Store

    def differences(self) -> list[str]:
        """Read the whole store and return how it differs from what was sent, as sentences."""
        return asyncio.run(self.truth.compare_store(self.store, self.wanted, self.whole))


@click.command()
@click.option("--for", "duration", default="15s", show_default=True, metavar="TIME", help="How long to collect.")
@click.option("--db", default="market.db", show_default=True, metavar="FILE",
              help="File to collect into; if it exists, a numbered one beside it is used.")  # fmt: skip
@click.option("--no-progress", is_flag=True, help="No live line.")
def demo(duration: str, db: str, no_progress: bool) -> None:
    """Collect from simulated exchanges on this machine into a file, and check that nothing is missing.

    Needs no network. Exit code 0 when the file holds exactly what the
    simulators sent, 1 when it does not.
    """
    for_s = duration_s(duration)
    plugins = Plugins.load()
    scripts = [script for script in find_scripts(_simulable(plugins)) if script.demo]
    if not scripts:
        raise ConfigError("no installed plugin brings a simulated exchange; install an exchange plugin first")
    db = str(_free(Path(db)))
    sink = _sink(plugins, db)
    live = LiveLine(sys.stderr) if not no_progress and sys.stderr is not None and sys.stderr.isatty() else None
    set_up("text", "warning", live)  # type: ignore[arg-type]  # all of TextIO a log handler needs
    names = ", ".join(script.exchange for script in scripts)
    tell(f"collecting from simulated {names} into {db} for {for_s:g} s ...")
    outcome = asyncio.run(collect(plugins, scripts, sink, for_s, live))
    differences = outcome.differences()
    tell(*_report(outcome, differences, db, plugins))
    sys.exit(1 if outcome.failings or differences else 0)


def _simulable(plugins: Plugins) -> list[str]:
    return [name for name, connector in plugins.connectors.items() if connector.simulator is not None]


def _free(file: Path) -> Path:
    """Return `file`, or its first numbered neighbour that does not exist: a demo never mixes with what is there."""
    number, free = 1, file
    while free.exists():
        number += 1
        free = file.with_name(f"{file.stem}-{number}{file.suffix}")
    if free != file:
        tell(f"{file} exists and is left as it is; this demo uses {free}")
    return free


def _sink(plugins: Plugins, db: str) -> Sink:
    """Return the first installed store that needs no set-up and can be read back, writing to `db`."""
    for cls in plugins.sinks.values():
        settings: Any = cls.Settings
        if cls.embedded and "path" in [field.name for field in fields(settings)]:
            sink = cls(settings(path=db))
            if isinstance(sink, Store):
                return sink
    raise ConfigError("the demo needs a store that works without set-up; `jrr plugins` lists the installed sinks")


async def collect(
    plugins: Plugins, scripts: Sequence[type[Script]], sink: Sink, for_s: float, live: LiveLine | None
) -> Outcome:
    """Collect what the scripts offer for a demo into `sink`, which is a Store, from simulators in a child process."""
    assert isinstance(sink, Store)
    wanted = [Subscription.parse(text) for script in scripts for text in script.demo]
    with tempfile.TemporaryDirectory(prefix="jrr-demo-") as folder:
        truth_file = Path(folder) / "truth.jsonl"
        exchanges = [script.exchange for script in scripts]
        async with simulated(exchanges, rate=_RATE, run_s=for_s, truth_file=truth_file) as simulation:
            builder = ManagerBuilder(plugins=plugins).add_sink(sink).set_spool(path="").set_network(proxy="none")
            for name in exchanges:
                builder.add_exchange(name, ws_url=simulation.ws_urls[name], rest_url=simulation.rest_urls[name])
            manager = await builder.build()
            await manager.subscribe(wanted)
            whole = await _run(manager, simulation, live)
            truth = await simulation.stop()
    return Outcome(manager.get_stats(), manager.account.failings(), truth, wanted, whole, sink, sink)


async def _run(manager: Manager, simulation: Simulation, live: LiveLine | None) -> bool:
    """Collect until the markets rest and everything is stored, or until a signal; return whether it came to the rest.

    Raises what the run raises (a store that cannot be opened), and SimulationFailed.
    """
    running = asyncio.ensure_future(manager.run(on_tick=_ticker(live)))
    quiet = asyncio.ensure_future(simulation.quiet())
    try:
        await asyncio.wait((running, quiet), return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            await _settle(manager)
        whole = quiet.done() and not running.done()
        await manager.stop()
        await running
        if quiet.done():
            quiet.result()
    finally:
        if live is not None:
            live.clear()
        quiet.cancel()
        await asyncio.gather(quiet, return_exceptions=True)
    return whole


async def _settle(manager: Manager) -> None:
    """Wait until nothing more arrives and nothing is left to store."""
    deadline = time.monotonic() + _SETTLE_AT_MOST_S
    seen, since = -1, time.monotonic()
    while time.monotonic() < deadline and time.monotonic() - since < _SETTLED_S:
        stats = manager.get_stats()
        now = sum(exchange["frames"] for exchange in stats["exchanges"].values())
        if now != seen or any(sink["pending"] for sink in stats["sinks"].values()):
            seen, since = now, time.monotonic()
        await asyncio.sleep(0.05)


def _ticker(live: LiveLine | None) -> Callable[[dict[str, Any]], None] | None:
    if live is None:
        return None
    rate = Rate()
    return lambda stats: live.show(run_line(stats, rate))


def _report(outcome: Outcome, differences: Sequence[str], db: str, plugins: Plugins) -> list[str]:
    counts, ranges = asyncio.run(_read(outcome.store))
    return [
        "",
        f"stored in {db}:",
        *_table({**_nothing_yet(outcome.stats), **counts}),
        "",
        "account:",
        *[f"  {frames_line(name, exchange)}" for name, exchange in outcome.stats["exchanges"].items()],
        *[f"  {sink_line(name, sink)}" for name, sink in outcome.stats["sinks"].items()],
        *[f"  {line}" for line in verdict(outcome.failings)],
        "",
        "coverage:",
        *[f"  {line}" for line in timelines(ranges)],
        "",
        *_comparison(differences, sum(counts.values())),
        "",
        "next:",
        *[f"  {line}" for line in _next(outcome, db, plugins)],
    ]


async def _read(store: Store) -> tuple[Mapping[tuple[str, str], int], Sequence[Range]]:
    return await store.counts(), await store.coverage()


def _nothing_yet(stats: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Return 0 for every channel collected: a candle that has not closed has no row yet."""
    return {
        (name, stream["channel"]): 0 for name, exchange in stats["exchanges"].items() for stream in exchange["streams"]
    }


def _table(counts: Mapping[tuple[str, str], int]) -> list[str]:
    rows = [(exchange, channel, f"{count:,}") for (exchange, channel), count in sorted(counts.items())]
    rows.append(("all", "", f"{sum(counts.values()):,}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [f"  {a.ljust(widths[0])}  {b.ljust(widths[1])}  {c.rjust(widths[2])}" for a, b, c in rows]


def _comparison(differences: Sequence[str], stored: int) -> list[str]:
    if not differences:
        return [f"checked against the simulators' ground truth: the {stored:,} events stored are exactly what was sent"]
    return ["the file differs from the simulators' ground truth:", *[f"  {text}" for text in differences]]


def _next(outcome: Outcome, db: str, plugins: Plugins) -> list[str]:
    """Return what to type for the live exchanges: one subscription of each demo exchange."""
    exchanges = outcome.stats["exchanges"]
    names = [p.name for p in plugins.all if any(cls.exchange in exchanges for cls in p.connectors)]
    sink = next(p.name for p in plugins.all if type(outcome.sink) in p.sinks)
    wanted = [
        f"--subscribe {name}:{stream['channel']}:{stream['symbol']}"
        for name, exchange in exchanges.items()
        for stream in exchange["streams"][:1]
    ]
    setting, jrr = f"--set sinks.{outcome.sink.name}.path", _command()
    return [
        f"{jrr} coverage {setting}={db}",
        f"{jrr} run --plugins {','.join([*names, sink])} {setting}=live.db " + " ".join(wanted),
    ]


def _command() -> str:
    """Return what to type for `jrr`: in a checkout it is not on the PATH."""
    typed = sys.argv[0]
    return typed if Path(typed).name == "jrr" and shutil.which("jrr") is None else "jrr"
