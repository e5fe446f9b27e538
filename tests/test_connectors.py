"""The four-method way to a new exchange, end to end on a real server."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import pytest
from websockets.asyncio.server import ServerConnection

from jrr_core.base_connector import BaseWebSocketConnector
from jrr_core.builder import ManagerBuilder
from jrr_core.config import Config
from jrr_core.connector import ExchangeSettings, Limits
from jrr_core.errors import ConfigError, ParseError
from jrr_core.events import Disconnected, Message, Trade
from jrr_core.frame import Frame
from jrr_core.loading import Plugin
from jrr_core.manager import Manager
from jrr_core.plugins import Plugins
from jrr_core.structure import structure
from jrr_core.subscription import Subscription
from tests.toy import FAST, MemorySink, Script, ToyServer, toy_server, until


class TinyConnector(BaseWebSocketConnector):
    """A new exchange in one class: JSON in, JSON out."""

    exchange: ClassVar[str] = "tiny"
    heartbeat_s: ClassVar[float] = 0.1
    channels: ClassVar[tuple[str, ...]] = ("trade",)
    limits = Limits(connects=FAST, messages=FAST)

    def get_ws_url(self) -> str:
        """Add the path."""
        return f"{self.settings.ws_url}?v=1"

    def subscribe(self, channels: Sequence[str]) -> str | Sequence[str]:
        """Ask for all in one message."""
        return json.dumps({"op": "subscribe", "args": list(channels)})

    def unsubscribe(self, channels: Sequence[str]) -> str | Sequence[str]:
        """Leave one by one."""
        return [json.dumps({"op": "unsubscribe", "args": [channel]}) for channel in channels]

    def send_heartbeat(self) -> str | None:
        """Say ping."""
        return "ping"

    def parse_message(self, raw: str | bytes) -> Message | Iterable[Message] | None:
        """Read trades; None for the rest."""
        message = json.loads(raw)
        if "trades" in message:
            return [self.trade(item) for item in message["trades"]]
        return self.trade(message["trade"]) if "trade" in message else None

    def trade(self, item: dict[str, str]) -> Trade:
        """Read one."""
        price, amount = Decimal(item["price"]), Decimal(item["amount"])
        return Trade(self.exchange, item["symbol"], None, 0, price, amount, None, item["id"])


def told(number: int, symbol: str = "X") -> str:
    return json.dumps({"trade": {"symbol": symbol, "price": "1.50", "amount": "2", "id": str(number)}})


def sends(*frames: str) -> Script:
    async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
        for frame in frames:
            await connection.send(frame)

    return script


async def managed(server: ToyServer, sink: MemorySink, cls: type[BaseWebSocketConnector] = TinyConnector) -> Manager:
    plugins = Plugins([Plugin("tiny", "jrr-tiny", "1", connectors=(cls,))])
    config = Config(exchanges={"tiny": {"ws_url": server.url}})
    return await ManagerBuilder(plugins=plugins, config=config).add_sink(sink).set_spool(path="").build()


def connector(cls: type[BaseWebSocketConnector] = TinyConnector) -> BaseWebSocketConnector:
    return cls(ExchangeSettings(ws_url="ws://localhost"))


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep quarantine folders out of the repository, and waits short."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("jrr_core.session._WATCH_S", 0.01)


class TestBaseConnector:
    """BaseWebSocketConnector: the four methods, and what core does with them."""

    def test_it_subscribes_parses_and_stores(self) -> None:
        async def main() -> None:
            trades = json.dumps({"trades": [json.loads(told(n))["trade"] for n in (2, 3)]})
            async with toy_server(sends('{"ack": true}', told(1), trades)) as server:
                sink = MemorySink()
                manager = await managed(server, sink)
                await manager.subscribe(["tiny:trade:X", "tiny:trade:Y"])
                running = asyncio.ensure_future(manager.start_all_listeners())
                await until(lambda: sink.ids() == ["1", "2", "3"])
                await manager.stop()
                await running
                assert json.loads(server.heard[0]) == {"op": "subscribe", "args": ["trade:X", "trade:Y"]}
                trade = next(row for row in sink.rows if isinstance(row, Trade))
                assert (str(trade.price), trade.exchange) == ("1.50", "tiny")
                assert trade.ts_recv > 0
                counters = manager.exchanges["tiny"].around.desk.counters
                assert (counters.frames, counters.parsed, counters.control) == (3, 2, 1)

        asyncio.run(main())

    @pytest.mark.parametrize(
        ("own", "chosen", "used"),
        [
            ("wss://own/ws", "", "wss://own/ws"),
            ("wss://own/ws", "ws://127.0.0.1:9", "ws://127.0.0.1:9"),
            ("ws://127.0.0.1:9/v1?a=b", "ws://127.0.0.1:9", "ws://127.0.0.1:9/v1?a=b"),
        ],
    )
    def test_an_address_of_the_user_s_takes_the_place_of_a_fixed_one(self, own: str, chosen: str, used: str) -> None:
        class Fixed(TinyConnector):
            def get_ws_url(self) -> str:
                return own

        (plan,) = Fixed(ExchangeSettings(ws_url=chosen)).sessions([Subscription("tiny", "trade", "X")])
        assert plan.url == used

    def test_an_idle_connection_gets_its_heartbeat(self) -> None:
        async def main() -> None:
            async with toy_server() as server:
                manager = await managed(server, MemorySink())
                await manager.subscribe(["tiny:trade:X"])
                running = asyncio.ensure_future(manager.start_all_listeners())
                await until(lambda: server.heard.count("ping") >= 2)
                await manager.stop()
                await running

        asyncio.run(main())

    def test_it_reconnects_and_subscribes_again_when_the_server_drops_it(self) -> None:
        async def main() -> None:
            async def script(server: ToyServer, connection: ServerConnection, number: int) -> None:
                await connection.send(told(number))

            async with toy_server(script) as server:
                sink = MemorySink()
                manager = await managed(server, sink)
                await manager.subscribe(["tiny:trade:X"])
                running = asyncio.ensure_future(manager.start_all_listeners())
                await until(lambda: sink.ids() == ["1"])
                server.drop()
                await until(lambda: sink.ids() == ["1", "2"])
                await manager.stop()
                await running
                assert sum("subscribe" in text for text in server.heard) == 2
                assert [row.reason for row in sink.rows if isinstance(row, Disconnected)] == [
                    "connection cut",
                    "stopped",
                ]

        asyncio.run(main())

    def test_a_raising_parse_message_is_counted_and_quarantined_and_the_stream_goes_on(self) -> None:
        async def main() -> None:
            async with toy_server(sends("{not json", '{"trade": {}}', told(1))) as server:
                sink = MemorySink()
                manager = await managed(server, sink)
                await manager.subscribe(["tiny:trade:X"])
                running = asyncio.ensure_future(manager.start_all_listeners())
                await until(lambda: sink.ids() == ["1"])
                await manager.stop()
                await running
                assert manager.exchanges["tiny"].around.desk.counters.rejected == 2
                assert manager.exchanges["tiny"].around.desk.counters.reconnects == 0
                (kept,) = Path(".jrr/quarantine").glob("*.jsonl")
                entries = [json.loads(line) for line in kept.read_text().splitlines()]
                assert [entry["content"] for entry in entries] == ["{not json", '{"trade": {}}']
                assert "KeyError" in entries[1]["reason"]

        asyncio.run(main())

    def test_streams_can_be_left_while_running(self) -> None:
        async def main() -> None:
            async with toy_server(sends(told(1), told(1, "Y"))) as server:
                sink = MemorySink()
                manager = await managed(server, sink)
                await manager.subscribe(["tiny:trade:X", "tiny:trade:Y"])
                running = asyncio.ensure_future(manager.start_all_listeners())
                await until(lambda: sink.ids("Y"))
                await manager.unsubscribe(["tiny:trade:Y"])
                await until(lambda: json.dumps({"op": "unsubscribe", "args": ["trade:Y"]}) in server.heard)
                await manager.stop()
                await running

        asyncio.run(main())

    def test_native_stream_names_reach_subscribe_as_written(self) -> None:
        (plan,) = connector().sessions([Subscription.of("tiny", "x@odd")])
        (send,) = plan.subscribe(plan.subscriptions)
        assert json.loads(send.text)["args"] == ["x@odd"]
        assert plan.subscriptions[0].symbol == "*"

    def test_a_channel_it_does_not_have_is_the_user_s_to_mend(self) -> None:
        with pytest.raises(ConfigError, match="tiny has no channel 'quote'; it has trade"):
            connector().sessions([Subscription("tiny", "quote", "X")])

    def test_nothing_wanted_is_nothing_opened_and_no_instruments_are_asked_for(self) -> None:
        at = connector()
        assert at.sessions([]) == ()
        assert at.instrument_requests() == ()
        assert at.instruments(Frame("tiny", b"", 1)) == ()

    def test_without_a_heartbeat_protocol_pings_are_sent(self) -> None:
        class Quiet(TinyConnector):
            def send_heartbeat(self) -> str | None:
                return None

        (plan,) = connector(Quiet).sessions([Subscription("tiny", "trade", "X")])
        assert plan.keepalive is None
        assert plan.ping_interval_s == 0.1

    def test_the_defaults_ask_for_what_is_missing(self) -> None:
        at = connector(BaseWebSocketConnector)
        assert at.get_ws_url() == "ws://localhost"
        assert at.send_heartbeat() is None
        assert at.unsubscribe(["trade:X"]) == ()
        with pytest.raises(NotImplementedError, match="must define subscribe"):
            at.subscribe(["trade:X"])
        with pytest.raises(NotImplementedError, match="must define parse_message"):
            at.parse_message(b"")

    def test_connections_share_no_state(self) -> None:
        class Counting(TinyConnector):
            seen = 0

            def parse_message(self, raw: str | bytes) -> Message | Iterable[Message] | None:
                self.seen += 1
                return Trade("tiny", "X", None, 0, Decimal(self.seen), Decimal(1), None, str(self.seen))

        at = connector(Counting)
        for _ in range(2):
            (trade,) = at.parser(None).receive(Frame("tiny", b"", 5))
            assert trade.data["trade_id"] == "1"

    @pytest.mark.parametrize("found", [{"price": "1"}, "text", [1, 2], 7, [None]])
    def test_what_is_not_an_event_is_a_parse_error(self, found: Any) -> None:
        class Wrong(TinyConnector):
            def parse_message(self, raw: str | bytes) -> Message | Iterable[Message] | None:
                result: Message = found
                return result

        with pytest.raises(ParseError, match="parse_message"):
            connector(Wrong).parser(None).receive(Frame("tiny", b"", 5))

    def test_generators_and_none_are_fine_and_a_parse_error_passes_through(self) -> None:
        class Yielding(TinyConnector):
            def parse_message(self, raw: str | bytes) -> Message | Iterable[Message] | None:
                if raw == b"none":
                    return None
                if raw == b"bad":
                    raise ParseError("bad frame")
                return (Trade("tiny", "X", None, 0, Decimal(n), Decimal(1), None, str(n)) for n in range(2))

        parser = connector(Yielding).parser(None)
        assert parser.receive(Frame("tiny", b"none", 5)) == ()
        assert [event.ts_recv for event in parser.receive(Frame("tiny", b"x", 5))] == [5, 5]
        with pytest.raises(ParseError, match=r"^bad frame$"):
            parser.receive(Frame("tiny", b"bad", 5))


@pytest.mark.parametrize("name", ["stale_s", "first_data_s", "quiet_s", "connect_timeout_s", "ack_timeout_s"])
def test_a_time_that_would_end_every_connection_at_once_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"exchanges.tiny: '{name}' must be > 0"):
        structure(ExchangeSettings, {name: 0.0}, "exchanges.tiny")
