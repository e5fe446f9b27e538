"""What a run in several processes does when it is told: the commands of `remote`, passed on and answered as one.

A subscription goes to every worker, and each carries what its part has of it;
what concerns one stream goes to the worker that has it.
"""

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import asdict

from ..config import Config
from ..control.client import ControlFailed
from ..control.protocol import Request
from ..control.server import Command
from ..journal import say, set_level
from ..remote import differences
from ..systemd import Systemd
from .member import Member, Told
from .process import WorkerGone
from .sums import united
from .team import Team

Answers = Mapping[Member, Mapping[str, Any]]


class TeamCommands:
    """The commands on one team; `reread` gives the settings as they are now, or raises ConfigError."""

    def __init__(self, team: Team, config: Config, reread: Callable[[], Config], systemd: Systemd) -> None:
        """Take the team and the settings it was started with."""
        self._team = team
        self._config = config
        self._reread = reread
        self._systemd = systemd

    @property
    def commands(self) -> Mapping[str, Command]:
        """The commands by name."""
        return {
            "subscribe": self._subscribe, "unsubscribe": self._unsubscribe, "list": self._list,
            "status": self._status, "reload": self._told_to_reload, "stop": self._stop,
        }  # fmt: skip

    async def reload(self) -> Mapping[str, Any]:
        """Read the settings again and have all workers apply what can be; return what was done.

        Raises ConfigError for settings that do not fit, and changes nothing then.
        """
        self._systemd.reloading()
        try:
            async with self._team.alone:
                return await self._apply(self._reread())
        finally:
            self._systemd.ready()

    async def _apply(self, new: Config) -> Mapping[str, Any]:
        old = self._config
        restart = sorted(differences(asdict(old), asdict(new)))
        await self._ask(Told("check_settings", config=new))
        answers = await self._change(Told("reload", config=new))
        if new.log.level != old.log.level:
            set_level(new.log.level)
        old.subscriptions, old.log.level = new.subscriptions, new.log.level
        begun, ended = (united(answer[what] for answer in answers.values()) for what in ("subscribed", "unsubscribed"))
        text = f"the settings were read again: {len(begun)} subscriptions new, {len(ended)} taken back"
        text += f"; needs a restart: {', '.join(restart)}" if restart else ""
        say(logging.INFO, "reloaded", text, subscribed=begun, unsubscribed=ended, restart=restart)
        return {"subscribed": begun, "unsubscribed": ended, "restart": restart}

    async def _subscribe(self, request: Request) -> Mapping[str, Any]:
        async with self._team.alone:
            await self._ask(Told("check", request.streams))
            answers = await self._change(Told("subscribe", request.streams))
        new = sum(answer["streams"] for answer in answers.values())
        say(logging.INFO, "subscribed", f"told to subscribe {', '.join(request.streams)}: {new} streams new",
            wishes=request.streams, streams=new)  # fmt: skip
        return {"streams": new, "listed": _wishes(answers)}

    async def _unsubscribe(self, request: Request) -> Mapping[str, Any]:
        async with self._team.alone:
            having = await self._ask(Told("has", request.streams))
            known = {spec for answer in having.values() for spec in answer["has"]}
            unknown = [spec for spec in request.streams if spec not in known]
            if unknown:
                # Whoever is asked says what is wrong with it.
                await self._ask(Told("unsubscribe", unknown), [next(iter(having))])
            gone = 0
            for member, answer in having.items():
                if answer["has"]:
                    done = await self._ask(Told("unsubscribe", answer["has"]), [member])
                    gone += sum(each["streams"] for each in done.values())
            # One by one: whoever hears it later has some of them, as now.
            self._team.history += [Told("unsubscribe", [spec]) for spec in request.streams]
        say(logging.INFO, "unsubscribed", f"told to unsubscribe {', '.join(request.streams)}: {gone} streams ended",
            wishes=request.streams, streams=gone)  # fmt: skip
        return {"streams": gone}

    async def _list(self, request: Request) -> Mapping[str, Any]:
        return {"listed": _wishes(await self._ask(Told("list")))}

    async def _status(self, request: Request) -> Mapping[str, Any]:
        return {"pid": os.getpid(), "stats": self._team.get_stats()}

    async def _told_to_reload(self, request: Request) -> Mapping[str, Any]:
        return await self.reload()

    async def _stop(self, request: Request) -> Mapping[str, Any]:
        say(logging.INFO, "stopping", "told to stop")
        self._team.begin_stop()
        return {}

    async def _change(self, told: Told) -> Answers:
        """Have all do what was found right; those that are away now do it when they come."""
        self._team.history.append(told)
        return await self._ask(told)

    async def _ask(self, told: Told, members: Sequence[Member] = ()) -> Answers:
        """Return what each worker answers, those left out that die meanwhile; raises the first error."""
        asked = members or self._team.joined
        found = await asyncio.gather(*[member.ask(told) for member in asked], return_exceptions=True)
        answers: dict[Member, Mapping[str, Any]] = {}
        for member, answer in zip(asked, found, strict=True):
            if isinstance(answer, BaseException):
                if not isinstance(answer, WorkerGone):
                    raise answer
                continue
            answers[member] = answer
        if not answers:
            raise ControlFailed("no worker is there to answer now; the log says why, and `jrr ctl status` when one is")
        return answers


def _wishes(answers: Answers) -> list[Mapping[str, Any]]:
    """Return each wish with its streams in all workers.

    One that a worker has no more ended there, where its stream was, and is over.
    """
    lists = [{wish["wish"]: wish for wish in answer["listed"]} for answer in answers.values()]
    shared = [wish for wish in lists[0] if all(wish in others for others in lists)]
    return [
        {
            "wish": wish,
            "streams": sorted(united(each[wish]["streams"] for each in lists)),
            "waiting": any(each[wish]["waiting"] for each in lists),
            "kept": lists[0][wish]["kept"],
        }
        for wish in shared
    ]
