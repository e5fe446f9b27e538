"""What is carried keeps in step with what the exchange lists."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from jrr_core import following
from jrr_core.errors import ConfigError
from jrr_core.exchange import Exchange
from jrr_core.following import follow
from jrr_core.line import Line
from tests.test_exchange import exchange, symbols, wanted
from tests.toy import ToyServer, toy_server, until


@asynccontextmanager
async def followed(listed: str, *streams: str) -> AsyncIterator[tuple[ToyServer, Exchange, list[Line], list[Line]]]:
    """Follow the toy exchange's list every few milliseconds; lines are started and ended on paper."""
    async with toy_server() as server:
        server.pages["/instruments"] = (200, listed, {})
        at, run, ended = exchange(server, instruments_s=0.005), list[Line](), list[Line]()
        await at.subscribe(wanted(*streams))
        task = asyncio.ensure_future(follow(at, run.append, ended.append))
        try:
            yield server, at, run, ended
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def said(caplog: pytest.LogCaptureFixture, event: str) -> list[str]:
    return [record.message for record in caplog.records if record.__dict__["jrr_event"] == event]


def test_what_newly_fits_begins_and_what_is_gone_from_two_lists_ends(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with followed("AX AY BX", "trade:A*", "trade:BX") as (server, at, run, ended):
            server.pages["/instruments"] = (200, "AX AY AZ BX CX", {})
            await until(lambda: symbols(at.lines) == ["AX", "AY", "BX", "AZ"])
            # What is missing for the first time is still carried, and in nobody's way.
            server.pages["/instruments"] = (200, "AX AZ", {})
            await until(lambda: symbols(at.lines) == ["AX", "AZ"])
            assert (run, ended) == ([], [])
            server.pages["/instruments"] = (200, "CX", {})
            await until(lambda: not at.lines)
            assert len(ended) == 1
            server.pages["/instruments"] = (200, "BX", {})
            await until(lambda: symbols(run) == ["BX"])

    with caplog.at_level(logging.INFO, "jrr"):
        asyncio.run(main())
    assert said(caplog, "listed")[0] == "toy: AZ newly listed: 1 streams subscribed"
    assert said(caplog, "delisted")[0] == "toy: AY, BX no longer listed, or expired: 2 streams ended"


def test_what_was_unsubscribed_by_name_stays_so() -> None:
    async def main() -> None:
        async with followed("AX AY", "trade:A*") as (server, at, _run, _ended):
            at.unsubscribe(wanted("trade:AY"))
            server.pages["/instruments"] = (200, "AX AY AZ", {})
            await until(lambda: symbols(at.lines) == ["AX", "AZ"])

    asyncio.run(main())


def test_a_list_that_fails_or_is_empty_changes_nothing(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "say_seldom", lambda level, event, key, text, **fields: heard.append(text))
    heard: list[str] = []

    async def main() -> None:
        async with followed("AX", "trade:A*") as (server, at, _run, _ended):
            for status, text in ((503, "AX AY"), (200, "")):
                server.pages["/instruments"] = (status, text, {})
                heard.clear()
                await until(lambda: len(heard) > 2)
                assert symbols(at.lines) == ["AX"]
                assert "its last list still counts" in heard[-1]
            server.pages["/instruments"] = (200, "AX AY", {})
            await until(lambda: symbols(at.lines) == ["AX", "AY"])

    asyncio.run(main())


def test_a_changed_list_is_published_and_the_same_one_is_not() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "AX", {})
            published: list[Any] = []
            at = exchange(server, published)
            await at.load_instruments()
            await at.load_instruments()
            assert [item.symbol for item in published] == ["AX"]
            server.pages["/instruments"] = (200, "AX AY", {})
            await at.load_instruments()
            assert [item.symbol for item in published] == ["AX", "AX", "AY"]

    asyncio.run(main())


def test_many_symbols_are_one_line_and_what_the_connector_refuses_stops_no_other(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        async with followed("A0", "trade:*") as (server, at, _run, _ended):
            planned = at.connector.sessions

            def sessions(some: Any) -> Any:
                if any(each.symbol == "A7" for each in some):
                    raise ConfigError("A7 is not for us")
                return planned(some)

            monkeypatch.setattr(at.connector, "sessions", sessions)
            server.pages["/instruments"] = (200, " ".join(f"A{n}" for n in range(9)), {})
            await until(lambda: len(at.wanted) == 8)

    with caplog.at_level(logging.INFO, "jrr"):
        asyncio.run(main())
    assert said(caplog, "listed") == ["toy: A1, A2, A3, A4, A5 and 2 more newly listed: 7 streams subscribed"]
    assert said(caplog, "subscription_refused")[0] == "A7 is not for us"


def test_nothing_is_followed_without_a_list_or_with_a_period_of_zero() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "AX", {})
            off = exchange(server, instruments_s=0)
            await off.subscribe(wanted("trade:A*"))
            for at in (off, exchange()):
                await asyncio.wait_for(follow(at, lambda line: None, lambda line: None), 5)

    asyncio.run(main())


def test_a_symbol_in_doubt_is_in_nobodys_way() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "AX AY", {})
            at = exchange(server)
            await at.subscribe(wanted("trade:A*"))
            server.pages["/instruments"] = (200, "AX AZ", {})
            changes = at.wishes.changes(await at.load_instruments(), 0)
            assert changes.doubtful == tuple(wanted("trade:AY"))
            assert at.carriage.carry(changes.fresh) == []
            assert symbols(at.lines) == ["AX", "AY", "AZ"]

    asyncio.run(main())
