"""`jrr simulate`: serve simulated exchanges on this machine until stopped.

With --json it is the child process behind `testing.child`: every line on
standard output is one JSON object with an `event`: `listening` (exchange,
port, ws_url, rest_url), `ready` once all listen, `quiet` when the markets have
stopped and all is written, `done` (frames, truth) at the end. It ends when its
standard input does.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from attrs import define

from ..config import duration_s
from ..errors import ConfigError, PluginError
from ..plugins import Plugins
from ..testing.faults import CORE_FAULTS
from ..testing.simulator import Script, Simulator, Truth
from ..wire import encode
from .tell import tell

# Above this one machine cannot both serve and collect; the server itself is measured up to it.
MAX_RATE = 20_000


@click.command()
@click.argument("exchanges", nargs=-1, required=True, metavar="EXCHANGE...")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Port of the first exchange, the others take the next ones; 0 (the default) takes free ones.",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same market.")
@click.option(
    "--rate",
    type=click.FloatRange(0, MAX_RATE),
    default=1000.0,
    show_default=True,
    help=f"Market steps per second and exchange, about as many messages; at most {MAX_RATE}.",
)
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="NAME=VALUE",
    help="Switch a fault on; may be repeated. `--fault list` shows them.",
)
@click.option(
    "--truth",
    "truth_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write what was really sent there at the end, as JSON lines.",
)
@click.option(
    "--truth-kinds",
    metavar="KINDS",
    help="Keep only events of these kinds for it, separated by commas: trade,candle. Books are always kept.",
)
@click.option("--for", "duration", metavar="TIME", help="Stop the market, then end, after so long: 30s, 5m.")
@click.option("--symbols", metavar="NAMES", help="Trade only these of the exchange's symbols, separated by commas.")
@click.option("--json", "as_json", is_flag=True,
              help="Write JSON lines, stay after --for, and end when standard input ends.")  # fmt: skip
def simulate(
    exchanges: tuple[str, ...],
    port: int,
    seed: int,
    rate: float,
    faults: tuple[str, ...],
    truth_file: Path | None,
    truth_kinds: str | None,
    duration: str | None,
    symbols: str | None,
    as_json: bool,
) -> None:
    """Serve simulated exchanges over real WebSockets and HTTP on this machine, until Ctrl-C or --for."""
    scripts = find_scripts(exchanges)
    if "list" in faults:
        for script in scripts:
            tell(_fault_list(script))
        return
    if port + len(scripts) - 1 > 65535:
        raise ConfigError(f"{len(scripts)} exchanges need as many ports from {port} on; choose a --port below 65000")
    run_s = None if duration is None else duration_s(duration)
    if truth_file is not None:
        # An unwritable path should be known before the run, not after it.
        Truth().write(truth_file)
    options = {"seed": seed, "rate": rate, "faults": _faults(faults), "run_s": run_s, "symbols": _names(symbols),
               "keep_truth": truth_file is not None, "truth_kinds": _names(truth_kinds)}  # fmt: skip
    asyncio.run(_serve(scripts, port, options, truth_file, _Voice(as_json, len(scripts))))


def find_scripts(exchanges: Sequence[str]) -> list[type[Script]]:
    """Return the exchanges' protocol scripts, from the installed connectors.

    Raises ConfigError for an exchange that is not installed or has no
    simulator, PluginError for a script that cannot be imported.
    """
    plugins = Plugins.load(None)
    found = []
    for exchange in dict.fromkeys(exchanges):
        where = plugins.connector(exchange).simulator
        if where is None:
            able = sorted(name for name, known in plugins.connectors.items() if known.simulator is not None)
            raise ConfigError(f"{exchange} has no simulator; these have: {', '.join(able) or 'none'}")
        module, _, name = where.partition(":")
        try:
            script: type[Script] = getattr(import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise PluginError(f"the simulator {where} of {exchange} cannot be imported: {error}") from error
        found.append(script)
    return found


@define
class _Voice:
    """Tells a person or a parent process what goes on."""

    as_json: bool
    count: int

    def listening(self, simulator: Simulator) -> None:
        script = simulator.script
        if self.as_json:
            self.event("listening", exchange=script.exchange, port=simulator.port, ws_url=simulator.ws_url,
                       rest_url=simulator.rest_url)  # fmt: skip
            return
        example = (script.demo or (f"{script.exchange}:trade:{simulator.market.listings[0].symbol}",))[0]
        tell(f"{script.exchange}  {simulator.ws_url}  {simulator.rest_url}")
        tell(
            f"  jrr run --set exchanges.{script.exchange}.ws_url={simulator.ws_url} "
            f"--set exchanges.{script.exchange}.rest_url={simulator.rest_url} --subscribe {example}"
        )

    def event(self, name: str, **fields: Any) -> None:
        if self.as_json:
            tell(encode({"event": name, **fields}))

    def ready(self) -> None:
        self.event("ready")
        if not self.as_json:
            tell("Ctrl-C ends it." if self.count == 1 else f"{self.count} exchanges; Ctrl-C ends them.")

    def done(self, frames: int, truth_file: Path | None) -> None:
        self.event("done", frames=frames, truth=None if truth_file is None else str(truth_file))
        if not self.as_json:
            tell(f"{frames} frames sent" + (f"; what they carried is in {truth_file}" if truth_file else ""))


async def _serve(
    scripts: Sequence[type[Script]], port: int, options: Mapping[str, Any], truth_file: Path | None, voice: _Voice
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if voice.as_json:
        _stop_with_stdin(loop, stop)
    simulators: list[Simulator] = []
    async with AsyncExitStack() as stack:
        for place, script in enumerate(scripts):
            simulator = Simulator(script, port=port + place if port else 0, **options)
            simulators.append(await stack.enter_async_context(simulator))
            voice.listening(simulator)
        voice.ready()
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(_announce_quiet(simulators, voice, stop))
            await stop.wait()
            watch.cancel()
    truth = Truth()
    for simulator in simulators:
        truth.add(simulator.truth)
    if truth_file is not None:
        truth.write(truth_file)
    voice.done(sum(simulator.frames_sent for simulator in simulators), truth_file)


async def _announce_quiet(simulators: Sequence[Simulator], voice: _Voice, stop: asyncio.Event) -> None:
    for simulator in simulators:
        await simulator.quiet()
    voice.event("quiet")
    if not voice.as_json:
        stop.set()


def _stop_with_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """End when the parent closes our standard input, or dies."""

    def wait() -> None:
        try:
            while os.read(0, 4096):
                pass
        except OSError:
            pass
        if not loop.is_closed():
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="jrr-stdin", daemon=True).start()


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _faults(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name or not value:
            raise ConfigError(f"--fault {text!r} is not of the form NAME=VALUE; `--fault list` shows the faults")
        found[name] = value
    return found


def _fault_list(script: type[Script]) -> str:
    rows = {**script.faults, **CORE_FAULTS}
    width = max(map(len, rows))
    return "\n".join([f"{script.exchange}:", *(f"  {name:<{width}}  {text}" for name, text in rows.items())])
