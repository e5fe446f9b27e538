"""A capture served: each frame to whom it concerns, once, in order; requests answered as the exchange answers them."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from jrr_core.capture.entry import written
from jrr_core.config import Config
from jrr_core.connector import Connector
from jrr_core.errors import ConfigError, ParseError
from jrr_core.frame import Frame
from jrr_core.observe.address import Address
from jrr_core.playback import PlaysBack
from jrr_core.plugins import Plugins
from jrr_core.replay import Playback, Sources, Window, exchange_of
from jrr_core.tape import Act, Begun, Ended, Received, Sent

TS = 1_723_161_255_000_000_000
URL = "wss://stream.example/stream"
DEPTH = "https://api.example/api/v3/depth?symbol=BTCUSDT&limit=5"
SERVED = ("binance", "binance-usdm", "binance-coinm", "okx", "bybit", "bybit-linear", "kraken", "gateio",
          "gateio-futures")  # fmt: skip
PLUGINS = Plugins.load()


def connector(exchange: str) -> Connector:
    return Sources(PLUGINS, Config()).connector(exchange)


def told(stream: str, number: int) -> str:
    return f'{{"stream":"{stream}","data":{{"n":{number}}}}}'


def frame(session: str, text: str, after_s: float, tag: str | None = None) -> Received:
    return Received(session, Frame("binance", text.encode(), TS + round(after_s * 1e9), tag))


def begun(session: str) -> Begun:
    return Begun("binance", session, TS, URL, ())


def capture(folder: Path, *items: Received | Act) -> Path:
    path = folder / "capture.jsonl"
    path.write_bytes(b"".join(map(written, items)))
    return path


Visit = Callable[[str], Awaitable[None]]


async def visited(path: Path, visit: Visit, speed: float = 1000.0, window: Window | None = None) -> Playback:
    """Serve `path` as Binance to what `visit` does at its address, to the end."""
    playback = Playback("binance", connector("binance"), window or Window())
    ready: asyncio.Future[Address] = asyncio.get_running_loop().create_future()
    run = asyncio.create_task(playback.run([path], Address("127.0.0.1", 0), speed, ready.set_result))
    where = await asyncio.wait_for(ready, 5)
    try:
        await visit(str(where))
    finally:
        if not run.done():
            run.cancel()
        await asyncio.gather(run, return_exceptions=True)
    return playback


async def rest(client: ClientConnection) -> list[str]:
    """Return what comes until the server ends the connection."""
    messages: list[str] = []
    with suppress(ConnectionClosed):
        while True:
            messages.append(str(await client.recv()))
    assert client.close_code == 1001
    return messages


def ask(names: Sequence[str], method: str = "SUBSCRIBE") -> str:
    return json.dumps({"method": method, "params": list(names), "id": 7})


def test_each_client_gets_what_it_asked_for_and_nothing_else(tmp_path: Path) -> None:
    frames = [frame("a", told(name, n), n / 10) for n in range(5) for name in ("btc@trade", "eth@trade")]
    path = capture(tmp_path, begun("a"), frame("a", '{"result":null,"id":1}', 0), *frames)

    async def visit(where: str) -> None:
        async with (
            connect(f"ws://{where}/stream?streams=btc@trade") as one,
            connect(f"ws://{where}/stream") as two,
            connect(f"ws://{where}/ws/btc@trade") as three,
        ):
            await two.send(ask(["btc@trade", "eth@trade"]))
            assert json.loads(await two.recv()) == {"result": None, "id": 7}
            await two.send(ask(["btc@trade"], "UNSUBSCRIBE"))
            assert json.loads(await two.recv()) == {"result": None, "id": 7}
            assert await rest(one) == [told("btc@trade", n) for n in range(5)]
            assert await rest(two) == [told("eth@trade", n) for n in range(5)]
            assert await rest(three) == [f'{{"n":{n}}}' for n in range(5)]

    playback = asyncio.run(visited(path, visit))
    assert (playback.counts.frames, playback.counts.sent, playback.counts.clients) == (10, 15, 3)


def test_a_topic_of_two_connections_comes_once_and_goes_on_when_one_ends(tmp_path: Path) -> None:
    path = capture(tmp_path, begun("a"), begun("b"), frame("a", told("x", 1), 0), frame("b", told("x", 1), 0),
                   frame("b", told("x", 2), 0.1), frame("a", told("x", 2), 0.1), Ended("binance", "a", TS, "reset"),
                   frame("b", told("x", 3), 0.2))  # fmt: skip

    async def visit(where: str) -> None:
        async with connect(f"ws://{where}/stream?streams=x") as client:
            assert await rest(client) == [told("x", n) for n in (1, 2, 3)]

    asyncio.run(visited(path, visit))


def test_frames_come_at_the_recorded_pace(tmp_path: Path) -> None:
    path = capture(tmp_path, begun("a"), *(frame("a", told("x", n), n) for n in range(3)))

    async def visit(where: str) -> None:
        loop = asyncio.get_running_loop()
        async with connect(f"ws://{where}/stream?streams=x") as client:
            await client.recv()
            first = loop.time()
            await client.recv()
            await client.recv()
            assert 0.15 < loop.time() - first < 1.5

    asyncio.run(visited(path, visit, speed=10))


def test_only_the_window_is_played(tmp_path: Path) -> None:
    path = capture(tmp_path, begun("a"), *(frame("a", told("x", n), n) for n in range(5)))

    async def visit(where: str) -> None:
        async with connect(f"ws://{where}/stream?streams=x") as client:
            assert await rest(client) == [told("x", 1), told("x", 2)]

    asyncio.run(visited(path, visit, window=Window(TS + 10**9, TS + 3 * 10**9)))


def got(url: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read()


def test_a_get_is_answered_when_the_recording_comes_to_its_answer(tmp_path: Path) -> None:
    path = capture(tmp_path, begun("a"), frame("a", told("x", 1), 0), Sent("binance", "a", TS, DEPTH, "depth"),
                   frame("a", '{"lastUpdateId":5}', 0.3, "depth"), frame("a", told("x", 2), 60))  # fmt: skip

    async def visit(where: str) -> None:
        query = f"http://{where}/api/v3/depth?limit=5&symbol=BTCUSDT"
        assert (await asyncio.to_thread(got, query))[0] == 404
        async with connect(f"ws://{where}/stream?streams=x") as client:
            await client.recv()
            assert await asyncio.to_thread(got, query) == (200, b'{"lastUpdateId":5}')

    asyncio.run(visited(path, visit, speed=1))


def test_an_address_that_the_exchange_has_not_is_refused(tmp_path: Path) -> None:
    async def visit(where: str) -> None:
        with pytest.raises(InvalidStatus, match="404"):
            await connect(f"ws://{where}/nowhere")

    asyncio.run(visited(capture(tmp_path, begun("a"), frame("a", told("x", 1), 0)), visit))


def test_what_is_damaged_is_counted_and_the_rest_played(tmp_path: Path) -> None:
    path = capture(tmp_path, begun("a"), frame("a", told("x", 1), 0))
    path.write_bytes(path.read_bytes() + b'{"ts":0}\n' + written(frame("a", "garbage", 0.1)) +
                     written(frame("a", told("x", 2), 0.2)))  # fmt: skip

    async def visit(where: str) -> None:
        async with connect(f"ws://{where}/stream?streams=x") as client:
            assert await rest(client) == [told("x", 1), told("x", 2)]

    assert asyncio.run(visited(path, visit)).counts.damaged == 1


def test_a_client_that_does_not_read_is_cut_off_and_the_others_get_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jrr_core.replay.served._MOST_UNREAD_BYTES", 3_000_000)
    long = "x" * 500_000
    path = capture(tmp_path, begun("a"), *(frame("a", told(f"x{long}", n), n) for n in range(60)))

    async def visit(where: str) -> None:
        # Subscribing by message: the name is too long for an address.
        async with (
            connect(f"ws://{where}/stream", max_queue=1) as idle,
            connect(f"ws://{where}/stream", max_size=None) as eager,
        ):
            for client in (idle, eager):
                await client.send(ask([f"x{long}"]))
                await client.recv()
            assert len(await rest(eager)) == 60

    assert asyncio.run(visited(path, visit, speed=100)).counts.cut_off == 1


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    path = capture(tmp_path, begun("a"), frame("a", told("x", 1), 0))

    async def visit(where: str) -> None:
        port = int(where.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"cannot listen at 127.0.0.1:{port}.*choose another port"):
            await Playback("binance", connector("binance")).run(
                [path], Address("127.0.0.1", port), 1.0, lambda where: None
            )

    asyncio.run(visited(path, visit))


def test_the_exchange_is_that_of_the_first_frame(tmp_path: Path) -> None:
    assert exchange_of([capture(tmp_path, begun("a"), frame("a", told("x", 1), 0))]) == "binance"
    with pytest.raises(ConfigError, match="no frames"):
        exchange_of([capture(tmp_path, begun("a"))])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
KEYS = ("method", "params", "id", "op", "args", "req_id", "channel", "event", "payload", "symbol", "interval", "time")
WORDS = ("SUBSCRIBE", "LIST_SUBSCRIPTIONS", "subscribe", "unsubscribe", "ping", "spot.trades", "futures.obu")
requests = st.dictionaries(st.sampled_from(KEYS), values | st.sampled_from(WORDS), max_size=6).map(json.dumps)
ADDRESSES = ("/stream", "/ws/v5/public", "/v5/public/spot", "/v5/public/linear", "/v2", "/ws/v4/", "/v4/ws/usdt")


@pytest.mark.parametrize("exchange", SERVED)
@given(text=requests | values.map(json.dumps) | st.text(max_size=30))
def test_whatever_a_client_says_nothing_but_answers_comes_of_it(exchange: str, text: str) -> None:
    plays = connector(exchange)
    assert isinstance(plays, PlaysBack)
    receptions = [reception for path in ADDRESSES if (reception := plays.reception(path, "")) is not None]
    assert receptions
    for answer in receptions[0].hear(text):
        assert answer == "pong" or isinstance(json.loads(answer), dict)
    with suppress(ParseError):
        plays.topic_of(text)
