"""`jrr replay --serve`: a capture to other people's clients, as the exchange it is of."""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ..config import Config
from ..observe.address import Address
from ..plugins import Plugins
from ..replay import Playback, Sources, Window, exchange_of
from .signals import until_signalled
from .summary import verdict
from .tell import tell


def serve(
    config: Config,
    plugins: Plugins,
    files: Sequence[Path],
    exchange: str | None,
    window: Window,
    speed: float,
    address: Address,
) -> None:
    """Play back until the recording is over or Ctrl-C, and tell what went out; exit code 1 if lines were damaged."""
    name = exchange_of(files) if exchange is None else exchange
    playback = Playback(name, Sources(plugins, config).connector(name), window)

    def ready(where: Address) -> None:
        tell(f"{name}  ws://{where}  http://{where}", "  runs when a client has subscribed; Ctrl-C ends it")

    with suppress(asyncio.CancelledError):
        asyncio.run(until_signalled(playback.run(files, address, speed, ready)))
    counts = playback.counts
    lines = [f"{name}: {counts.frames:,} frames played, {counts.sent:,} sent to {counts.clients:,} clients"]
    if counts.cut_off:
        lines.append(f"  {counts.cut_off:,} clients cut off that did not read")
    if counts.skipped:
        lines.append(f"  {counts.skipped:,} frames of other exchanges left out: --exchange NAME chooses one")
    lines += [f"  {damage[:160]}" for damage in counts.damages]
    failings = [f"{counts.damaged:,} damaged lines or missing parts"] if counts.damaged else []
    tell(*lines, *verdict(failings))
    sys.exit(1 if failings else 0)
