"""A run of a few seconds that stores nothing: whether what was subscribed really comes."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from attrs import define, evolve

from ..builder import ManagerBuilder
from ..capture import CaptureSettings
from ..config import Config
from ..events import ALL_EVENTS
from ..plugins import Plugins
from ..sink import BatchPolicy, WriteResult
from ..subscription import Subscription
from .finding import Finding

_LASTS_S = 5.0
# Of many streams a few tell whether an exchange delivers: the first of each channel.
_MOST = 12


@define
class _NoSettings:
    """Nothing is to be set."""


class _Nowhere:
    """A sink that forgets."""

    name: ClassVar[str] = "nowhere"
    Settings: ClassVar[type] = _NoSettings
    embedded: ClassVar[bool] = False
    accepts: tuple[type, ...] = ALL_EVENTS
    batch = BatchPolicy()

    def __init__(self, settings: Any = None) -> None:
        """Need nothing."""

    async def open(self) -> None:
        """Open nothing."""

    async def write(self, batch: Sequence[Any]) -> WriteResult:
        """Forget all."""
        return WriteResult(len(batch))

    async def close(self) -> None:
        """Close nothing."""


async def check_delivery(config: Config, plugins: Plugins, wanted: Sequence[Subscription]) -> list[Finding]:
    """Return which of some streams deliver within a few seconds; `wanted` are resolved subscriptions."""
    chosen = list({(each.exchange, each.channel): each for each in reversed(wanted)}.values())[:_MOST]
    if not chosen:
        return []
    plain = evolve(config, capture=CaptureSettings(), sinks={}, subscribers={}, plugins=None)
    builder = ManagerBuilder(plugins=plugins, config=plain).add_sink(_Nowhere()).set_spool(path="")
    manager = await builder.build()
    await manager.subscribe(chosen)
    running = asyncio.create_task(manager.start_all_listeners())
    deadline = time.monotonic() + _LASTS_S
    while time.monotonic() < deadline and not running.done():
        await asyncio.sleep(0.1)
        if all(stream["count"] for each in manager.get_stats()["exchanges"].values() for stream in each["streams"]):
            break
    stats = manager.get_stats()["exchanges"]
    await manager.stop()
    await asyncio.gather(running, return_exceptions=True)
    return [_delivered(name, exchange) for name, exchange in stats.items()]


def _delivered(name: str, exchange: dict[str, Any]) -> Finding:
    what, streams = f"{name} data", exchange["streams"]
    silent = [f"{stream['channel']}:{stream['symbol']}" for stream in streams if not stream["count"]]
    if exchange["refused"]:
        return Finding("error", what, f"it refused {exchange['refused']} subscriptions",
                       "see the log above; correct the subscription, or update the plugin")  # fmt: skip
    if exchange["rejected"]:
        return Finding("warning", what, f"{exchange['rejected']} of {exchange['frames']} frames were not understood",
                       "update the plugin; the frames are in the quarantine folder")  # fmt: skip
    if not silent:
        return Finding("ok", what, f"came on all {len(streams)} streams that were tried")
    text = f"nothing came on {', '.join(silent)} within {_LASTS_S:g} s"
    return Finding("warning", what, text, "a quiet symbol, or streams this address does not serve: see again later")
