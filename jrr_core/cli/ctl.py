"""`jrr ctl`: tell a running collector what to do."""

from collections.abc import Callable, Mapping
from functools import partial, wraps
from pathlib import Path
from typing import Any

import click

from ..control.client import ask
from ..control.settings import socket_path
from ..errors import ConfigError
from ..wire import encode
from .options import config_options, instance_option, json_option, settings
from .summary import frames_line, gaps_line, sink_line, workers_line
from .tell import tell

Ask = Callable[..., Mapping[str, Any]]


@click.group()
def ctl() -> None:
    """Tell the collector that runs here what to do.

    It is found by its control socket, which only its owner may use. What is
    subscribed here lasts as long as the run. Exit code: 0 done, 1 no
    collector answers or it failed, 2 a stream or a setting is wrong.
    """


def _asking(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which collector, and hand over, as `ask`, how to ask it."""

    @config_options
    @instance_option
    @click.option("--socket", metavar="PATH", help="Its control socket; default: control.path of the settings.")
    @wraps(command)
    def asking(
        socket: str | None,
        instance: str | None,
        config_file: Path | None,
        plugins: str | None,
        overrides: tuple[str, ...],
        **others: Any,
    ) -> None:
        path = socket or settings(config_file, plugins, overrides, instance=instance).control.path
        if not path:
            raise ConfigError("control.path is empty, so this collector takes no commands")
        command(ask=partial(ask, socket_path(path)), **others)

    return asking


@ctl.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@_asking
def subscribe(ask: Ask, specs: tuple[str, ...]) -> None:
    """Collect these too: exchange:channel:symbol, a pattern, or exchange:<native stream>.

    Nothing is subscribed if one of them is wrong. To keep them, add them to jrr.toml.
    """
    done = ask("subscribe", specs)
    for wish in done["listed"]:
        tell(_wish_line(wish))
    tell(f"{done['streams']} streams new")
    if any(not wish["kept"] for wish in done["listed"]):
        tell("this lasts as long as the run: to keep it, add it to jrr.toml")


@ctl.command()
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@_asking
def unsubscribe(ask: Ask, specs: tuple[str, ...]) -> None:
    """Collect these no more; a pattern ends all that fits it.

    What is in jrr.toml comes back with a reload or a restart.
    """
    tell(f"{ask('unsubscribe', specs)['streams']} streams ended")


@ctl.command("list")
@json_option
@_asking
def list_(ask: Ask, as_json: bool) -> None:
    """List what was subscribed, as it was written, and how many streams that is now."""
    listed = ask("list")["listed"]
    if as_json:
        tell(encode(listed))
        return
    tell(*(map(_wish_line, listed) if listed else ["nothing is subscribed"]))


@ctl.command()
@json_option
@_asking
def status(ask: Ask, as_json: bool) -> None:
    """Show how the run goes."""
    answer = ask("status")
    if as_json:
        tell(encode(answer))
        return
    stats = answer["stats"]
    tell(f"process {answer['pid']} has run for {stats['uptime_s']:.0f} s")
    if stats["workers"]:
        tell(workers_line(stats["workers"]))
    for name, exchange in stats["exchanges"].items():
        tell(f"{frames_line(name, exchange)}; {exchange['sessions']} connections, "
                   f"{len(exchange['streams'])} streams, {gaps_line(exchange)}")  # fmt: skip
        if exchange["trouble"]:
            tell(f"  {exchange['trouble']}")
    for name, sink in stats["sinks"].items():
        tell(f"{sink_line(name, sink)}; {sink['state']}")


@ctl.command()
@_asking
def reload(ask: Ask) -> None:
    """Read jrr.toml again and apply what differs; SIGHUP does the same.

    Applied are subscriptions and log.level; for anything else it says that a
    restart is needed. A file that is wrong changes nothing.
    """
    done = ask("reload")
    for what in ("subscribed", "unsubscribed"):
        for spec in done[what]:
            tell(f"{what} {spec}")
    if done["restart"]:
        tell(f"needs a restart: {', '.join(done['restart'])}")
    if not any(done.values()):
        tell("nothing differs")


@ctl.command()
@_asking
def stop(ask: Ask) -> None:
    """End the run in order, as SIGTERM does; what is buffered is stored first."""
    ask("stop")
    tell("the collector is stopping")


def _wish_line(wish: Mapping[str, Any]) -> str:
    state = "waits for the list of instruments" if wish["waiting"] else f"{len(wish['streams'])} streams"
    return f"{wish['wish']}: {state}" + ("" if wish["kept"] else " (not in the settings)")
