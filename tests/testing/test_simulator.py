"""The simulator's server over real loopback sockets, with the smallest script there can be."""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any, ClassVar
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from jrr_core.errors import ConfigError
from jrr_core.events import Trade
from jrr_core.testing import simulator as server
from jrr_core.testing.market import Happening
from jrr_core.testing.simulator import Close, Listing, Market, Peer, Ping, Reply, Simulator, Truth


class EchoPeer:
    """Answers every text with itself; `close` and `ping` are orders."""

    def __init__(self) -> None:
        self.outbox: list[str | bytes | Close | Ping] = []
        self.heard: list[bytes] = []

    def receive(self, text: str, now_ns: int) -> None:
        if text == "close":
            self.outbox += ["last words", Close(1008, "as you wish"), "never sent"]
        elif text == "ping":
            self.outbox.append(Ping(b"17"))
        elif text == "heard":
            self.outbox.append(b",".join(self.heard))
        else:
            self.outbox.append(f"you said {text}")

    def pong(self, payload: bytes, now_ns: int) -> None:
        self.heard.append(b"pong " + payload)

    def ping(self, payload: bytes, now_ns: int) -> None:
        self.heard.append(b"ping " + payload)


class TickerScript:
    """Sends everyone at /ws every trade; the smallest exchange there can be."""

    exchange: ClassVar[str] = "tiny"
    faults: ClassVar[Mapping[str, str]] = {"mute": "Sends nothing."}
    listings: ClassVar[tuple[Listing, ...]] = (
        Listing("BTC", Decimal(100), Decimal("0.01"), Decimal("0.1")),
        Listing("ETH", Decimal(50), Decimal("0.01"), Decimal("0.1")),
    )
    demo: ClassVar[tuple[str, ...]] = ()

    def __init__(self, market: Market, truth: Truth, faults: Mapping[str, str], now_ns: int) -> None:
        self.truth, self.mute, self.finished = truth, "mute" in faults, False
        self.peers: list[Peer] = []

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        if path != "/ws":
            return Reply(404, "no such path", {"Content-Type": "text/plain"})
        peer = EchoPeer()
        self.peers.append(peer)
        return peer

    def disconnect(self, peer: Peer, now_ns: int) -> None:
        self.peers.remove(peer)

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        if path == "/big":
            return Reply(200, json.dumps(["x" * 1000] * 3000))
        return Reply(418 if path == "/teapot" else 200, json.dumps({"path": path, **query}), {"X-Weight": "7"})

    def happen(self, happening: Happening) -> None:
        trade = happening.trade
        if trade is None or self.mute or not self.peers:
            return
        self.truth.record(Trade("tiny", happening.symbol, trade.ts, trade.ts, trade.price, trade.amount, trade.side,
                                str(trade.trade_id)))  # fmt: skip
        text = json.dumps({"symbol": happening.symbol, "id": trade.trade_id})
        for peer in self.peers:
            peer.outbox.append(text)

    def tick(self, now_ns: int) -> None:
        pass

    def heal(self, now_ns: int) -> None:
        self.mute = False

    def finish(self, now_ns: int) -> None:
        self.finished = True


@contextlib.asynccontextmanager
async def client(simulator: Simulator, path: str = "/ws") -> AsyncIterator[ClientConnection]:
    async with connect(simulator.ws_url + path, compression=None, ping_interval=None, max_queue=None) as socket:
        yield socket


async def http(simulator: Simulator, path: str) -> tuple[int, dict[str, str], str]:
    def get() -> tuple[int, dict[str, str], str]:
        try:
            with urlopen(simulator.rest_url + path, timeout=5) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read().decode()

    return await asyncio.to_thread(get)


async def until(script: TickerScript, peers: int) -> None:
    """Wait until the script has so many connections."""
    while len(script.peers) != peers:  # noqa: ASYNC110 - the script knows no events
        await asyncio.sleep(0.01)


async def read_all(socket: ClientConnection, quiet_s: float = 0.3) -> list[Any]:
    """Read until nothing comes any more or the connection ends."""
    found: list[Any] = []
    with contextlib.suppress(ConnectionClosed, TimeoutError):
        while True:
            found.append(await asyncio.wait_for(socket.recv(), quiet_s))
    return found


def test_texts_are_answered_at_once_on_an_idle_market() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0) as simulator, client(simulator) as socket:
            await socket.send("hello")
            assert await socket.recv() == "you said hello"

    asyncio.run(body())


def test_plain_http_is_answered_on_the_same_port() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0) as simulator:
            status, headers, text = await http(simulator, "/a/b?x=1&y=%20z")
            assert (status, json.loads(text)) == (200, {"path": "/a/b", "x": "1", "y": " z"})
            assert (headers["X-Weight"], headers["Content-Type"]) == ("7", "application/json")
            assert (await http(simulator, "/teapot"))[0] == 418
            assert len((await http(simulator, "/big"))[2]) > 3_000_000

    asyncio.run(body())


def test_an_upgrade_can_be_refused() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0) as simulator:
            with pytest.raises(InvalidStatus) as refused:
                await connect(simulator.ws_url + "/other")
            assert refused.value.response.status_code == 404
            assert refused.value.response.body == b"no such path"

    asyncio.run(body())


def test_pings_and_closes_are_the_scripts_to_decide() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0) as simulator, client(simulator) as socket:
            await socket.send("ping")
            await socket.send("x")
            assert await socket.recv() == "you said x"
            await (await socket.ping(b"mine"))
            await socket.send("heard")
            assert await socket.recv() == b"pong 17,ping mine"
            await socket.send("close")
            assert await socket.recv() == "last words"
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1008, "as you wish")

    asyncio.run(body())


def test_every_client_gets_every_frame_and_the_truth_has_each_once() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=5000, run_s=0.3) as simulator:
            async with client(simulator) as one, client(simulator) as two:
                await simulator.quiet()
                first, second = await read_all(one), await read_all(two)
            sent = [(event.symbol, int(event.trade_id)) for event in simulator.truth.events if isinstance(event, Trade)]
            assert len(sent) > 200
            longest = first if len(first) > len(second) else second
            assert [(row["symbol"], row["id"]) for row in map(json.loads, longest)] == sent
            assert set(first) <= set(second) or set(second) <= set(first)
            assert isinstance(simulator.script, TickerScript)
            assert simulator.script.finished
            assert {book.symbol for book in simulator.truth.books} == {"BTC", "ETH"}

    asyncio.run(body())


def test_the_script_is_told_of_a_client_that_left() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=100) as simulator:
            assert isinstance(simulator.script, TickerScript)
            async with client(simulator):
                assert len(simulator.script.peers) == 1
            await until(simulator.script, peers=0)

    asyncio.run(body())


def test_symbols_can_be_chosen() -> None:
    simulator = Simulator(TickerScript, symbols=["ETH"])
    assert [item.symbol for item in simulator.market.listings] == ["ETH"]
    with pytest.raises(ConfigError, match="does not list 'DOGE'; it lists BTC, ETH"):
        Simulator(TickerScript, symbols=["DOGE"])


def test_a_port_in_use_is_named_with_the_cure() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0) as simulator:
            with pytest.raises(ConfigError, match=f"port {simulator.port} .* already in use; choose another"):
                async with Simulator(TickerScript, port=simulator.port):
                    pass
        async with Simulator(TickerScript, port=simulator.port, rate=0) as again:
            assert again.port == simulator.port

    asyncio.run(body())


def test_errors_of_the_block_come_out_as_they_are() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0):
            raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        asyncio.run(body())


def test_unknown_faults_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="no fault 'rest'; did you mean reset"):
        Simulator(TickerScript, faults={"rest": "1"})
    with pytest.raises(ConfigError, match="fault drop=2 needs a chance"):
        Simulator(TickerScript, faults={"drop": "2"})
    with pytest.raises(ConfigError, match="needs a number"):
        Simulator(TickerScript, faults={"reset": "soon"})


def test_reset_cuts_the_connection_without_a_close_frame() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0, faults={"reset": "0.1"}) as simulator, client(simulator) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is None

    asyncio.run(body())


def test_close_is_polite_and_says_the_code() -> None:
    async def body(faults: dict[str, str]) -> tuple[int | None, int | None]:
        async with Simulator(TickerScript, rate=0, faults=faults) as simulator, client(simulator) as socket:
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert isinstance(simulator.script, TickerScript)
            await until(simulator.script, peers=0)
            return closed.value.rcvd.code, socket.close_code

    assert asyncio.run(body({"close": "0.1"})) == (1001, 1001)
    assert asyncio.run(body({"close": "0.1", "close_code": "1012"})) == (1012, 1012)


def test_all_faults_end_at_the_time_told() -> None:
    async def body() -> None:
        faults = {"reset": "0.15", "refuse": "0.05", "drop": "1", "rest_503": "1", "mute": "yes", "until": "0.5"}
        async with Simulator(TickerScript, rate=2000, faults=faults) as simulator:
            assert isinstance(simulator.script, TickerScript)
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    async with client(simulator) as socket:
                        with contextlib.suppress(ConnectionClosed):
                            await socket.recv()
                            break
                await asyncio.sleep(0.02)
            assert not simulator.script.mute
            async with client(simulator) as socket:
                assert await read_all(socket, 0.01) or await socket.recv()
                await asyncio.sleep(0.3)
                assert socket.state.name == "OPEN"
            assert (await http(simulator, "/x"))[0] == 200

    asyncio.run(asyncio.wait_for(body(), 10))


def test_requests_can_be_answered_that_the_service_is_away() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0, faults={"rest_503": "1"}) as simulator:
            assert (await http(simulator, "/x"))[0] == 503
            async with client(simulator) as socket:
                await socket.send("hello")
                assert await socket.recv() == "you said hello"

    asyncio.run(body())


def test_only_some_connections_are_struck() -> None:
    async def body() -> None:
        faults = {"reset": "0.1", "every": "2"}
        async with (
            Simulator(TickerScript, rate=0, faults=faults) as simulator,
            client(simulator) as struck,
            client(simulator) as spared,
        ):
            with pytest.raises(ConnectionClosed):
                await struck.recv()
            await spared.send("hello")
            assert await spared.recv() == "you said hello"

    asyncio.run(body())


def test_silence_leaves_the_connection_half_open() -> None:
    async def body() -> None:
        async with (
            Simulator(TickerScript, rate=2000, faults={"silence": "0.2"}) as simulator,
            connect(simulator.ws_url + "/ws", ping_interval=None, close_timeout=0.1) as socket,
        ):
            assert await read_all(socket)
            recorded = len(simulator.truth.events)
            await socket.send("hello")
            assert await read_all(socket) == []
            assert len(simulator.truth.events) == recorded
            assert socket.state.name == "OPEN"

    asyncio.run(body())


def test_refuse_turns_connections_away_for_a_while() -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0, faults={"refuse": "0.2"}) as simulator:
            with pytest.raises(ConnectionRefusedError):
                await connect(simulator.ws_url + "/ws")
            while True:
                with contextlib.suppress(ConnectionRefusedError):
                    async with client(simulator) as socket:
                        await socket.send("hello")
                        assert await socket.recv() == "you said hello"
                        return
                await asyncio.sleep(0.02)

    asyncio.run(asyncio.wait_for(body(), 10))


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_after_a_reset_or_close_connections_are_refused_for_a_while(fault: str) -> None:
    async def body() -> None:
        faults = {fault: "0.1", "refuse": "0.15"}
        async with Simulator(TickerScript, rate=0, faults=faults) as simulator:
            for _ in range(2):
                refused = 0
                while True:
                    try:
                        async with client(simulator) as socket:
                            with pytest.raises(ConnectionClosed):
                                await socket.recv()
                        break
                    except ConnectionRefusedError:
                        refused += 1
                        await asyncio.sleep(0.02)
                assert refused > 1

    asyncio.run(asyncio.wait_for(body(), 10))


def test_frame_faults_reach_the_client_and_spare_answers() -> None:
    async def body(fault: str) -> None:
        faults = {fault: "0.5"}
        async with Simulator(TickerScript, rate=3000, run_s=0.2, faults=faults) as simulator:
            async with client(simulator) as socket:
                for number in range(20):
                    await socket.send(str(number))
                await simulator.quiet()
                frames = await read_all(socket)
            answers = [frame for frame in frames if str(frame).startswith("you said")]
            assert answers == [f"you said {number}" for number in range(20)]
            sent = len(simulator.truth.events)
            good = [frame for frame in frames if str(frame).startswith('{"symbol"') and str(frame).endswith("}")]
            ids = [(row["symbol"], row["id"]) for row in map(json.loads, good)]
            if fault == "drop":
                assert 0 < len(ids) < sent
            elif fault == "duplicate":
                assert len(set(ids)) == sent < len(ids)
            elif fault == "reorder":
                assert len(ids) == sent
                assert [i for s, i in ids if s == "BTC"] != sorted(i for s, i in ids if s == "BTC")
            else:
                assert len(ids) == sent < len(frames) - len(answers)

    async def all_faults() -> None:
        await asyncio.gather(*[body(fault) for fault in ("drop", "duplicate", "reorder", "garbage")])

    asyncio.run(all_faults())


def test_a_client_that_does_not_read_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "MAX_BACKLOG_BYTES", 10_000)

    async def body() -> None:
        async with Simulator(TickerScript, rate=0) as simulator:
            assert isinstance(simulator.script, TickerScript)
            with socket.create_connection(("127.0.0.1", simulator.port)) as lazy:
                lazy.sendall(
                    b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
                )
                await until(simulator.script, peers=1)
                while simulator.script.peers:
                    simulator.script.peers[0].outbox.append("x" * 1_000_000)
                    await asyncio.sleep(0.01)

    with caplog.at_level(logging.WARNING, "jrr.simulator"):
        asyncio.run(asyncio.wait_for(body(), 20))
    assert "left 10000 bytes unread" in caplog.text


def test_connections_that_vanish_leave_no_trace_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0) as simulator:
            socket.create_connection(("127.0.0.1", simulator.port)).close()
            with socket.create_connection(("127.0.0.1", simulator.port)) as odd:
                odd.sendall(b"what?\r\n\r\n")
            await asyncio.sleep(0.1)

    asyncio.run(body())
    assert caplog.text == ""


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
def test_frames_of_every_size_arrive(size: int) -> None:
    async def body() -> None:
        async with Simulator(TickerScript, rate=0) as simulator, client(simulator) as socket:
            await socket.send("x" * size)
            assert await socket.recv() == "you said " + "x" * size
            assert isinstance(simulator.script, TickerScript)
            simulator.script.peers[0].outbox.append("y" * size)
            assert await socket.recv() == "y" * size

    asyncio.run(body())
