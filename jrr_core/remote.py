"""What a running collector does when it is told from outside: over its control socket, or by SIGHUP.

Subscriptions made here last as long as the run; `jrr.toml` is read, never
written. Nothing here touches a stream that was not named.
"""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any

from attrs import asdict

from .config import Config
from .control.protocol import Request
from .control.server import Command
from .errors import JrrError
from .journal import say, set_level
from .manager import Manager
from .subscription import Subscription
from .systemd import Systemd

# What a run takes from the settings while it goes on, or makes no use of.
_APPLIED = frozenset({"subscriptions", "log.level", "plan"})


class Remote:
    """The commands on one run; `reread` gives the settings as they are now, or raises ConfigError."""

    def __init__(self, manager: Manager, config: Config, reread: Callable[[], Config], systemd: Systemd) -> None:
        """Take the run and the settings it was started with."""
        self._manager = manager
        self._config = config
        self._reread = reread
        self._systemd = systemd
        self._alone = asyncio.Lock()

    @property
    def commands(self) -> Mapping[str, Command]:
        """The commands by name."""
        return {
            "subscribe": self._subscribe, "unsubscribe": self._unsubscribe, "list": self._list,
            "status": self._status, "reload": self._told_to_reload, "stop": self._stop,
        }  # fmt: skip

    async def reload(self) -> Mapping[str, Any]:
        """Read the settings again and apply what can be; return what was done.

        Raises ConfigError for settings that do not fit, and changes nothing then.
        """
        self._systemd.reloading()
        try:
            async with self._alone:
                return await self._apply(self._reread())
        finally:
            self._systemd.ready()

    async def check(self) -> None:
        """Raise the ConfigError that `reload` would; change nothing."""
        await self._manager.check(self._added(self._reread()))

    async def _apply(self, new: Config) -> Mapping[str, Any]:
        old = self._config
        added = self._added(new)
        gone = [wish for wish in old.subscriptions if wish not in new.subscriptions]
        await self._manager.check(added)
        # In this order a stream that both an old and a new wish stand for goes on.
        await self._manager.subscribe(added)
        self._manager.retract(gone)
        if new.log.level != old.log.level:
            set_level(new.log.level)
        restart = sorted(differences(asdict(old), asdict(new)))
        old.subscriptions, old.log.level = new.subscriptions, new.log.level
        begun, ended = [*map(str, added)], [*map(str, gone)]
        text = f"the settings were read again: {len(added)} subscriptions new, {len(gone)} taken back"
        text += f"; needs a restart: {', '.join(restart)}" if restart else ""
        say(logging.INFO, "reloaded", text, subscribed=begun, unsubscribed=ended, restart=restart)
        return {"subscribed": begun, "unsubscribed": ended, "restart": restart}

    def _added(self, new: Config) -> list[Subscription]:
        return [wish for wish in new.subscriptions if not self._manager.wishes(wish)]

    async def _subscribe(self, request: Request) -> Mapping[str, Any]:
        wanted = [Subscription.parse(text) for text in request.streams]
        async with self._alone:
            await self._manager.check(wanted)
            before = self._manager.carried()
            await self._manager.subscribe(wanted)
            new = self._manager.carried() - before
        say(logging.INFO, "subscribed", f"told to subscribe {', '.join(request.streams)}: {new} streams new",
            wishes=request.streams, streams=new)  # fmt: skip
        return {"streams": new, "listed": [self._wish(wish) for wish in wanted]}

    async def _unsubscribe(self, request: Request) -> Mapping[str, Any]:
        async with self._alone:
            before = self._manager.carried()
            await self._manager.unsubscribe(request.streams)
            gone = before - self._manager.carried()
        say(logging.INFO, "unsubscribed", f"told to unsubscribe {', '.join(request.streams)}: {gone} streams ended",
            wishes=request.streams, streams=gone)  # fmt: skip
        return {"streams": gone}

    async def _list(self, request: Request) -> Mapping[str, Any]:
        wishes = [
            wish
            for exchange in self._manager.exchanges.values()
            for wish in dict.fromkeys([*exchange.wishes, *exchange.unresolved])
        ]
        return {"listed": [self._wish(wish) for wish in wishes]}

    def _wish(self, wish: Subscription) -> Mapping[str, Any]:
        """Return a wish as it was written, the streams it has of those carried, and whether a restart keeps it."""
        exchange = self._manager.exchanges[wish.exchange]
        return {
            "wish": str(wish),
            "streams": sorted(map(str, exchange.carried_of(wish))),
            "waiting": wish in exchange.unresolved,
            "kept": wish in self._config.subscriptions,
        }

    async def _status(self, request: Request) -> Mapping[str, Any]:
        return {"pid": os.getpid(), "stats": self._manager.get_stats()}

    async def _told_to_reload(self, request: Request) -> Mapping[str, Any]:
        return await self.reload()

    async def _stop(self, request: Request) -> Mapping[str, Any]:
        say(logging.INFO, "stopping", "told to stop")
        self._manager.begin_stop()
        return {}


async def reload_each_time(reload: Callable[[], Awaitable[object]], asked: asyncio.Event) -> None:
    """Reload whenever `asked` is set, as SIGHUP does it: what is wrong is said in the log."""
    while True:
        await asked.wait()
        asked.clear()
        try:
            await reload()
        except JrrError as error:
            say(logging.ERROR, "reload_failed", f"nothing was changed: {error}", reason=str(error))


def differences(old: Any, new: Any, path: str = "") -> Iterator[str]:
    """Yield the dotted names of settings that differ and that a run cannot take up; never a value: it may be secret."""
    if path in _APPLIED or old == new:
        return
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        yield path
        return
    for key in old.keys() | new.keys():
        yield from differences(old.get(key), new.get(key), f"{path}.{key}" if path else key)
