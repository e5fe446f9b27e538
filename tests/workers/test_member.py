"""One place in the team, with real processes: what becomes of those that end, hang, or cannot begin."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from jrr_core.config import Config, load_config
from jrr_core.errors import ConfigError
from jrr_core.workers import member as member_module
from jrr_core.workers.lines import Part
from jrr_core.workers.member import Member, Told
from jrr_core.workers.part import part_of
from jrr_core.workers.process import Process, WorkerGone
from tests.toy import until

_WITHIN_S = 30.0


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def settings(*overrides: str) -> Config:
    return load_config(None, ["log.level=error", *overrides], plugins=["sqlite"], environ={}, folder=Path())


def member_of(config: Config, count: int = 1) -> Member:
    return Member(Part(part_of(config, 1, count), 1, count, "asyncio"))


async def join(member: Member, process: Process) -> None:
    await process.built.wait()
    process.tell("go")
    await process.ready.wait()
    member.began = True


def with_member(member: Member, check: Callable[[Member], Coroutine[Any, Any, None]]) -> None:
    """Run the check once the member's first process is ready; then stop it."""

    async def run() -> None:
        working = asyncio.ensure_future(member.run(join))
        await until(lambda: member.began or working.done(), _WITHIN_S)
        try:
            await check(member)
        finally:
            member.stop()
            await working

    asyncio.run(run())


def test_a_process_that_hangs_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(member_module, "_LOOK_S", 0.05)

    async def check(member: Member) -> None:
        first = member.entry["pid"]
        os.kill(first, signal.SIGSTOP)
        # Reports come every second, and late where the machine is busy.
        monkeypatch.setattr(member_module, "_STUCK_S", 1.5)
        await until(lambda: member.restarts == 1, _WITHIN_S)
        monkeypatch.setattr(member_module, "_STUCK_S", 60.0)
        await until(lambda: member.entry["state"] == "running", _WITHIN_S)
        assert member.entry["pid"] != first
        assert "its process died" in member.failings()[0]

    with_member(member_of(settings()), check)


def test_whoever_asks_a_process_that_dies_is_told_so() -> None:
    async def check(member: Member) -> None:
        assert await member.ask(Told("list")) == {"listed": []}
        process = member.process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        asking = asyncio.ensure_future(member.ask(Told("list")))
        await asyncio.sleep(0.05)
        process.kill()
        with pytest.raises(WorkerGone):
            await asking
        await until(lambda: process.ended)
        with pytest.raises(WorkerGone):
            await process.ask("list")

    with_member(member_of(settings()), check)


def test_signals_of_a_terminal_leave_a_worker_alone() -> None:
    async def check(member: Member) -> None:
        pid = member.entry["pid"]
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            os.kill(pid, number)
        await member.ask(Told("status"))
        assert (member.restarts, member.entry["pid"], member.entry["state"]) == (0, pid, "running")

    member = member_of(settings())
    with_member(member, check)
    assert (member.entry["state"], member.entry["pid"], member.failings()) == ("ended", None, [])


def test_what_the_user_must_change_ends_the_run() -> None:
    member = member_of(settings(), count=2)
    with pytest.raises(ConfigError, match="sink sqlite: its store takes one writing process at a time"):
        asyncio.run(member.run(join))


def test_a_stop_does_not_wait_for_a_process_to_be_ready() -> None:
    async def run() -> None:
        member = member_of(settings())

        async def never(member: Member, process: Process) -> None:
            await asyncio.get_running_loop().create_future()

        working = asyncio.ensure_future(member.run(never))
        await until(lambda: member.process is not None)
        assert member.entry["waiting"] == ["worker 1: its process is being started"]
        member.stop()
        await asyncio.wait_for(working, 10)
        assert member.failings() == []

    asyncio.run(run())


def test_no_secret_is_on_a_command_line() -> None:
    async def check(member: Member) -> None:
        command = Path(f"/proc/{member.entry['pid']}/cmdline").read_bytes()
        assert b"hidden" not in command
        assert b"\x001/1\x00" in command

    with_member(member_of(settings("sinks.sqlite.path=hidden.db")), check)
