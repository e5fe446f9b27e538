"""One exchange at work: resolving symbols, planning lines, surviving its connector's mistakes."""

import asyncio
from typing import Any

import pytest

from jrr_core.errors import ConfigError, ParseError, PluginError
from jrr_core.exchange import Exchange
from jrr_core.fetch import Fetch
from jrr_core.line import Line
from jrr_core.session import Surroundings
from jrr_core.shard import Shard
from jrr_core.subscription import Subscription
from tests.toy import FAST, ToyConnector, ToyServer, ToySettings, toy_desk, toy_server

WHOLE = Shard()


def exchange(
    server: ToyServer | None = None, published: list[Any] | None = None, shard: Shard = WHOLE, **settings: Any
) -> Exchange:
    if server is not None:
        settings = {"ws_url": server.url, "rest_url": server.rest_url, "lists": True, **settings}
    chosen = ToySettings(**{"ws_url": "ws://127.0.0.1:1", **settings})
    fetch = Fetch("toy", {})
    found = published if published is not None else []
    around = Surroundings(
        settings=chosen, messages=FAST, desk=toy_desk(found.extend), fetch=fetch.get,
    )  # fmt: skip
    connector = ToyConnector(chosen)
    return Exchange(connector, connector.parser, around, fetch, found.extend, shard)


def wanted(*streams: str) -> list[Subscription]:
    return [Subscription.of("toy", stream) for stream in streams]


def symbols(lines: Any) -> list[str]:
    return [subscription.symbol for line in lines for subscription in line.plan.subscriptions]


def test_symbols_and_patterns_resolve_through_the_list_which_is_published() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "AX AY BX", {})
            published: list[Any] = []
            at = exchange(server, published)
            lines = await at.subscribe(wanted("trade:A*", "trade:BX-USDT"))
            assert symbols(lines) == ["AX", "AY", "BX"]
            assert [item.symbol for item in published] == ["AX", "AY", "BX"]
            assert await at.subscribe(wanted("trade:AX")) == []
            assert len(server.asked) == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("stream", "words"), [("trade:NO", "no symbol 'NO'"), ("trade:Q*", "no active instrument"), ("quote:AX", "")]
)
def test_what_the_exchange_does_not_have_is_the_user_s_to_mend(stream: str, words: str) -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "AX", {})
            at = exchange(server)
            if words:
                with pytest.raises(ConfigError, match=words):
                    await at.subscribe(wanted("trade:AX", stream))
                assert not at.lines
                assert not at.wanted
            else:
                assert len(await at.subscribe(wanted(stream))) == 1

    asyncio.run(main())


def test_without_the_list_symbols_are_taken_as_written_and_patterns_wait() -> None:
    async def main() -> None:
        async with toy_server() as server:
            at = exchange(server)
            lines = await at.subscribe(wanted("trade:AX", "trade:B*"))
            assert symbols(lines) == ["AX"]
            assert [str(item) for item in at.unresolved] == ["toy:trade:B*"]

    asyncio.run(main())


def test_a_list_that_is_none_is_treated_as_one_that_cannot_be_had(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "maintenance", {})
            at = exchange(server)

            def garbled(frame: Any) -> Any:
                raise ParseError("not a list")

            at.connector.instruments = garbled  # type: ignore[method-assign]  # the exchange's answer is the point
            assert symbols(await at.subscribe(wanted("trade:AX"))) == ["AX"]
            assert f"{server.rest_url}/instruments answered with what is no list of instruments: not" in caplog.text

    asyncio.run(main())


def test_what_waited_starts_when_the_list_comes_and_a_wrong_pattern_is_refused_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jrr_core.backoff.random.Random.uniform", lambda self, low, high: 0.01)

    async def main() -> None:
        async with toy_server() as server:
            at = exchange(server)
            await at.subscribe(wanted("trade:Q*", "trade:B*"))
            started: list[Line] = []
            resolving = asyncio.ensure_future(at.resolve_later(started.append, started.remove))
            await asyncio.sleep(0.05)
            assert not resolving.done()
            server.pages["/instruments"] = (200, "BX BY", {})
            await asyncio.wait_for(resolving, 2)
            assert symbols(started) == ["BX", "BY"]
            assert at.around.desk.counters.refused == 1
            assert not at.unresolved

    asyncio.run(main())


def test_what_was_taken_as_written_is_checked_when_the_list_comes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("jrr_core.backoff.random.Random.uniform", lambda self, low, high: 0.01)

    async def main() -> None:
        async with toy_server() as server:
            published: list[Any] = []
            at = exchange(server, published)
            lines = list(await at.subscribe(wanted("trade:AX", "trade:BX-USDT", "trade:NO")))
            lines += await at.subscribe(wanted("quote:NO"))
            assert symbols(lines) == ["AX", "BX-USDT", "NO", "NO"]
            server.pages["/instruments"] = (200, "AX BX", {})
            await asyncio.wait_for(at.resolve_later(lines.append, lines.remove), 2)
            assert symbols(lines) == ["AX", "BX"]
            assert [item.symbol for item in published] == ["AX", "BX"]
            assert at.around.desk.counters.refused == 2
            assert caplog.text.count("toy has no symbol 'NO'") == 2
            assert not at.unchecked

    asyncio.run(main())


def test_a_pattern_on_an_exchange_without_a_list_is_refused() -> None:
    with pytest.raises(ConfigError, match="lists no instruments"):
        asyncio.run(exchange().subscribe(wanted("trade:A*")))


def test_a_failed_subscribe_leaves_nothing_waiting() -> None:
    async def main() -> None:
        async with toy_server() as server:
            at = exchange(server)
            with pytest.raises(ConfigError):
                await at.subscribe(wanted("trade:A*", "funding:AX"))
            assert not at.unresolved
            assert not at.wanted

    asyncio.run(main())


@pytest.mark.parametrize("method", ["sessions", "instruments"])
def test_a_connector_s_mistake_names_it(method: str) -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "AX", {})
            with pytest.raises(PluginError, match=rf"toy: its connector's {method}\(\) failed: ZeroDivisionError"):
                await exchange(server, breaks=method).subscribe(wanted("trade:AX"))

    asyncio.run(main())


@pytest.mark.parametrize("url", ["http://x", "", "127.0.0.1:80"])
def test_an_address_that_is_none_is_refused_before_connecting(url: str) -> None:
    with pytest.raises(ConfigError, match=r"exchanges\.toy\.ws_url"):
        asyncio.run(exchange(ws_url=url).subscribe(wanted("trade:X")))


def test_unsubscribing_the_last_stream_of_a_line_hands_the_line_back() -> None:
    async def main() -> None:
        at = exchange()
        await at.subscribe(wanted("trade:X", "trade:Y"))
        assert at.unsubscribe(wanted("trade:X")) == []
        (line,) = at.unsubscribe(wanted("trade:Y", "trade:Y"))
        assert not line.plan.subscriptions
        assert not at.lines
        assert not at.wanted

    asyncio.run(main())


def test_what_is_not_subscribed_cannot_be_dropped_and_nothing_else_is_then() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "AX AY", {})
            at = exchange(server)
            await at.subscribe(wanted("trade:AX"))
            for stream, words in {
                "trade:AY": "toy:trade:AY is not subscribed; did you mean toy:trade:AX",
                "trade:NO": "toy has no symbol 'NO'",
                "trade:Q*": "no active instrument",
                "ax@trades": "toy:ax@trades is not subscribed",
            }.items():
                with pytest.raises(ConfigError, match=words):
                    at.unsubscribe(wanted("trade:AX", stream))
            assert list(at.wanted) == ["toy:trade:AX"]

    asyncio.run(main())


def test_streams_are_dropped_by_canonical_symbols_and_patterns_too() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, "AX AY BX", {})
            at = exchange(server)
            await at.subscribe(wanted("trade:A*", "trade:BX"))
            assert at.unsubscribe(wanted("trade:BX-USDT")) == []
            assert list(at.wanted) == ["toy:trade:AX", "toy:trade:AY"]
            assert len(at.unsubscribe(wanted("trade:A*"))) == 1
            assert not at.wanted

    asyncio.run(main())


def test_a_pattern_that_waits_for_the_list_is_dropped_as_it_was_written() -> None:
    async def main() -> None:
        async with toy_server() as server:
            at = exchange(server)
            await at.subscribe(wanted("trade:A*", "trade:B*"))
            at.unsubscribe(wanted("trade:A*"))
            assert [str(item) for item in at.unresolved] == ["toy:trade:B*"]

    asyncio.run(main())


def test_later_streams_join_a_line_that_has_not_connected_and_twin_lines_have_names_of_their_own() -> None:
    async def main() -> None:
        at = exchange(redundancy=2)
        first = await at.subscribe(wanted("trade:X"))
        assert await at.subscribe(wanted("trade:Y")) == []
        assert [symbols([line]) for line in at.lines] == [["X", "Y"], ["X", "Y"]]
        assert list(at.lines) == list(first)
        assert len({line.plan.name for line in first}) == 2

    asyncio.run(main())


def test_parts_of_one_list_are_all_of_it_and_none_twice_whatever_comes_later() -> None:
    async def main() -> None:
        async with toy_server() as server:
            server.pages["/instruments"] = (200, " ".join(f"A{n}" for n in range(40)), {})
            parts = [exchange(server, shard=Shard(n, 3)) for n in (1, 2, 3)]
            for at in parts:
                await at.subscribe(wanted("trade:A*", "trade:A1-USDT", "quote:A2"))
            before = [set(at.wanted) for at in parts]
            assert sorted(name for names in before for name in names) == sorted(
                [*(f"toy:trade:A{n}" for n in range(40)), "toy:quote:A2"]
            )
            server.pages["/instruments"] = (200, " ".join(f"A{n}" for n in range(60)), {})
            for at in parts:
                changes = at.wishes.changes(await at.load_instruments(), 0)
                at.carriage.carry(changes.fresh)
            assert all(names <= set(at.wanted) for names, at in zip(before, parts, strict=True))
            assert sum(len(at.wanted) for at in parts) == 61

    asyncio.run(main())


def test_a_part_waits_for_the_list_since_native_names_alone_tell_it() -> None:
    async def main() -> None:
        at = exchange(lists=True, rest_url="http://127.0.0.1:1", shard=Shard(1, 2))
        assert await at.subscribe(wanted("trade:X")) == []
        assert at.unresolved == wanted("trade:X")

    asyncio.run(main())
