"""`jrr run --workers N`: the parent of the workers, which is the collector to everybody outside."""

import asyncio
import contextlib
import signal
from collections.abc import Callable

from ..config import Config
from ..control.server import ControlServer
from ..control.settings import socket_path
from ..observe.address import address_of
from ..remote import reload_each_time
from ..systemd import Systemd
from ..workers.commands import TeamCommands
from ..workers.team import Team
from .account import tell_account
from .live import LiveLine, status_line, ticker


async def collect_in_workers(
    config: Config,
    loop: str,
    for_s: float | None,
    live: LiveLine | None,
    reread: Callable[[], Config],
    hangup: asyncio.Event,
) -> int:
    """Collect in `run.workers` processes, each on `loop`, until stopped; tell the account and return the exit code.

    Raises the error that kept a worker from beginning.
    """
    team, systemd = Team(config, loop), Systemd()
    told = TeamCommands(team, config, reread, systemd)
    with contextlib.suppress(ValueError, RuntimeError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    team.beside(lambda: reload_each_time(told.reload, hangup), "reload")
    team.beside(lambda: systemd.run(lambda: _status(team)), "systemd")
    if config.control.path:
        server = ControlServer(socket_path(config.control.path), told.commands)
        team.beside(server.run, "control")
    observer = None
    if config.metrics.listen:
        from ..observe.server import Observer

        observer = Observer(address_of(config.metrics.listen, "metrics.listen"), team.get_stats, config.metrics.symbols)
        observer.start()
    try:
        code = await team.run(for_s, None if live is None else ticker(live))
    finally:
        if observer is not None:
            observer.stop()
        if live is not None:
            live.clear()
    tell_account(config.log.format, team.get_stats(), team.failings())
    return code


def _status(team: Team) -> str:
    stats = team.get_stats()
    return status_line(stats, sum(len(exchange["streams"]) for exchange in stats["exchanges"].values()))
