"""The worker's side: a run like any other, told and asked by its parent over its own standard streams.

Signals are the parent's to take: a terminal or a service manager sends them to
every process, and all are to stop in one order. When the parent is gone, its
end of standard input closes, and the worker stops in order by itself. What
plugins print goes where the log goes.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from ..builder import ManagerBuilder
from ..config import Config
from ..control.protocol import Answer, Request
from ..errors import ConfigError, JrrError, PluginError
from ..eventloop import run_on
from ..heap import give_back, settle
from ..journal import set_up
from ..manager import Manager
from ..plugins import Plugins
from ..redact import shown
from ..remote import Remote
from ..systemd import Systemd
from .lines import LINE_BYTES, Order, Part, Word, line, read_order, unpacked

# A report is made every second, or so seldom that it takes no more than this part of the worker's time.
_REPORT_S = 1.0
_REPORT_SHARE = 0.02


def main() -> None:
    """Work until told to stop, or until the parent is gone."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    words = os.dup(1)
    os.dup2(2, 1)
    give_back()
    run_on(sys.argv[2], _work(words))


async def _work(words: int) -> None:
    loop = asyncio.get_running_loop()
    orders = asyncio.StreamReader(limit=LINE_BYTES)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(words, "wb", 0))
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    first = await orders.readline()
    if first:
        await Worker(unpacked(read_order(first).settings), writer).run(orders)
    writer.close()


class Worker:
    """One part of a collector at work."""

    def __init__(self, part: Part, writer: asyncio.StreamWriter) -> None:
        """Take what is to be done, and the way to the parent."""
        self._part = part
        self._writer = writer
        self._settings = part.config
        self._manager: Manager | None = None
        self._remote: Remote | None = None
        self._go = asyncio.Event()
        self._collecting = False
        self._work: asyncio.Task[None] | None = None
        self._answering: set[asyncio.Task[None]] = set()

    async def run(self, orders: asyncio.StreamReader) -> None:
        """Collect and obey; return when it has ended and the last word is said."""
        set_up("json", self._part.config.log.level)
        self._work = asyncio.create_task(self._collect())
        asides = [asyncio.create_task(work) for work in (self._obey(orders), self._report())]
        last = Word("end")
        try:
            await self._work
        except asyncio.CancelledError:
            pass
        except Exception as error:
            last.failure = shown(str(error) if isinstance(error, (JrrError, OSError)) else repr(error))
            last.misuse = isinstance(error, (ConfigError, PluginError))
            logging.getLogger("jrr").debug("worker failed", exc_info=error)
        for task in (*asides, *self._answering):
            task.cancel()
        await asyncio.gather(*asides, *self._answering, return_exceptions=True)
        await self._say(self._with_stats(last))

    async def _collect(self) -> None:
        config = self._part.config
        plugins = Plugins.load(config.plugins)
        for error in plugins.broken if self._part.number == 1 else ():
            logging.getLogger("jrr").warning("%s", error)
        for subscription in config.subscriptions:
            plugins.connector(subscription.exchange)
        builder = ManagerBuilder(plugins=plugins, config=config).share_limits(self._part.count)
        manager = await builder.build()
        await manager.subscribe(config.subscriptions)
        settle()

        def reread() -> Config:
            ManagerBuilder(plugins=plugins, config=self._settings).check()
            return self._settings

        self._manager, self._remote = manager, Remote(manager, config, reread, Systemd({}))
        await self._say(Word("built"))
        await self._go.wait()
        self._collecting = True
        manager.beside(lambda: self._say(self._with_stats(Word("ready"))), "worker")
        await manager.start_all_listeners()

    async def _report(self) -> None:
        """Tell how it goes once a second, as a sign of life also before there is anything to tell."""
        while True:
            began = time.perf_counter()
            await self._say(self._with_stats(Word("report")))
            await asyncio.sleep(max(_REPORT_S, (time.perf_counter() - began) / _REPORT_SHARE))

    def _with_stats(self, word: Word) -> Word:
        """Return the word with what has happened so far, where there is anything to collect with."""
        if self._manager is not None:
            word.stats, word.failings = self._manager.get_stats(), self._manager.account.failings()
        return word

    async def _say(self, word: Word) -> None:
        # A parent that is gone hears nothing; that its orders end is what stops the worker.
        with contextlib.suppress(OSError):
            self._writer.write(line(word))
            await self._writer.drain()

    async def _obey(self, orders: asyncio.StreamReader) -> None:
        """Do what comes, each beside the others, since a stop waits for nothing."""
        while text := await orders.readline():
            order = read_order(text)
            if order.id:
                task = asyncio.create_task(self._answer(order))
                self._answering.add(task)
                task.add_done_callback(self._answering.discard)
            elif order.command == "go":
                self._go.set()
            else:
                self._stop(at_once=order.command == "hurry")
        self._stop(at_once=False)

    def _stop(self, at_once: bool) -> None:
        if self._manager is not None and self._collecting:
            self._manager.begin_stop(at_once)
        elif self._work is not None:
            self._work.cancel()

    async def _answer(self, order: Order) -> None:
        try:
            answer = Answer(await self._done(order))
        except JrrError as error:
            answer = Answer(error=shown(str(error)), misuse=isinstance(error, (ConfigError, PluginError)))
        except Exception as error:
            answer = Answer(error=shown(f"the worker failed at it: {error!r}"))
        await self._say(Word("answer", order.id, answer))

    async def _done(self, order: Order) -> Mapping[str, Any]:
        """Do one order and return what is answered."""
        assert self._manager is not None
        assert self._remote is not None
        manager, remote = self._manager, self._remote
        if order.settings:
            self._settings = unpacked(order.settings)

        async def check() -> Mapping[str, Any]:
            await manager.check(order.streams)
            return {}

        async def check_settings() -> Mapping[str, Any]:
            await remote.check()
            return {}

        async def has() -> Mapping[str, Any]:
            return {"has": [spec for spec in order.streams if manager.has(spec)]}

        own: Mapping[str, Callable[[], Coroutine[Any, Any, Mapping[str, Any]]]] = {
            "check": check, "check_settings": check_settings, "has": has,
        }  # fmt: skip
        if order.command in own:
            return await own[order.command]()
        return await remote.commands[order.command](Request(order.command, order.streams))
