"""The simulated OKX, without sockets: its rules, and that the parser reads back exactly what it sent."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest
from attrs import define, field
from jrr_okx.connector import OkxConnector, OkxSettings
from jrr_okx.parser import OkxParser
from jrr_okx.simulated_candles import bar_span
from jrr_okx.simulated_listings import CONTRACTS
from jrr_okx.simulated_peer import OkxPeer
from jrr_okx.simulator import OkxScript

from jrr_core.book import TrackedBook
from jrr_core.errors import ConfigError
from jrr_core.events import BookDelta, BookSnapshot, Candle, FundingRate, Gap, Message, Trade
from jrr_core.exact import plain
from jrr_core.frame import Acked, Frame, Refused, Request, Rotate, Send
from jrr_core.levels import Levels
from jrr_core.subscription import Subscription
from jrr_core.testing.market import Market
from jrr_core.testing.script import Close, Reply
from jrr_core.testing.truth import Truth
from jrr_core.wire import decode, encode

START = 1_795_000_000_000_000_000
S = 1_000_000_000
MS = 1_000_000
EVERYTHING = (
    *OkxScript.demo, "okx:open_interest:BTC-USDT-SWAP", "okx:liquidation:BTC-USD-SWAP", "okx:liquidation:BTC-USDT-SWAP",
    "okx:trade:BTC-USDT-261225", "okx:book:BTC-USD-SWAP", "okx:candle_1s:BTC-USD-SWAP", "okx:funding:BTC-USD-SWAP",
)  # fmt: skip


@define
class Client:
    """One connection of one session plan and the parser that reads it."""

    peer: OkxPeer
    parser: OkxParser
    events: list[Message] = field(factory=list)
    frames: list[dict[str, Any]] = field(factory=list)
    requests: list[Request] = field(factory=list)
    closed: Close | None = None

    def read(self, now_ns: int) -> None:
        while self.peer.outbox:
            item = self.peer.outbox.pop(0)
            if isinstance(item, Close):
                self.closed = item
            elif isinstance(item, str):
                if item != "pong":
                    self.frames.append(decode(item))
                self.events += self.parser.receive(Frame("okx", item, now_ns))
                asked, self.parser.requests = self.parser.requests, []
                self.requests += asked
                for request in asked:
                    if isinstance(request, Send):
                        self.peer.receive(request.text, now_ns)

    def say(self, op: str, *arguments: Mapping[str, str], now_ns: int = START) -> None:
        self.peer.receive(encode({"id": "a1", "op": op, "args": list(arguments)}), now_ns)
        self.read(now_ns)


class World:
    """The script with its clock: 5 ms a tick, a few market steps in each."""

    def __init__(self, faults: Mapping[str, str] | None = None, seed: int = 3) -> None:
        self.market = Market(OkxScript.listings, seed, depth=40)
        self.truth = Truth()
        self.now = START
        self.script = OkxScript(self.market, self.truth, faults or {}, self.now)
        self.clients: list[Client] = []

    def subscribe(self, texts: Sequence[str], trade_stream: str = "trades") -> None:
        connector = OkxConnector(OkxSettings(trade_stream=trade_stream))
        for plan in connector.sessions([Subscription.parse(text) for text in texts]):
            client = self.connect(plan.url.rpartition("/")[2], connector.parser(plan.subscriptions))
            for message in plan.subscribe(plan.subscriptions):
                client.peer.receive(message.text, self.now)
            client.read(self.now)

    def connect(self, path: str = "public", parser: OkxParser | None = None) -> Client:
        peer = self.script.connect(f"/ws/v5/{path}", "", self.now)
        assert isinstance(peer, OkxPeer)
        self.clients.append(Client(peer, parser or OkxParser(None)))
        return self.clients[-1]

    def run(self, seconds: float, steps: int = 4) -> None:
        for _ in range(int(seconds * 200)):
            self.now += 5 * MS
            for _ in range(steps):
                self.script.happen(self.market.step(self.now))
            self.script.tick(self.now)
            for client in self.clients:
                client.read(self.now)

    def get(self, path: str, **query: str) -> Any:
        return decode(self.script.get(f"/api/v5/{path}", query, self.now).body)["data"]

    def finish(self) -> None:
        """End as the server does: the market rests, the second runs out, everything is flushed."""
        self.now = (self.now // S + 1) * S + 250 * MS
        self.script.tick(self.now)
        self.script.finish(self.now)
        for listing in self.market.listings:
            bids, asks = (Levels([(f"{p:f}", f"{a:f}") for p, a in side]) for side in self.market.book(listing.symbol))
            self.truth.close_book(BookSnapshot("okx", listing.symbol, self.now, self.now, bids, asks, None, None))
        for client in self.clients:
            client.read(self.now)

    def stored(self) -> Iterator[Message]:
        """Return what a store keeps: the first of each event, closed candles only."""
        seen = set()
        for client in self.clients:
            for event in client.events:
                if isinstance(event, Candle) and not event.closed:
                    continue
                same = (event.type, event.symbol, event.key())
                if same not in seen:
                    seen.add(same)
                    yield event


def test_parser_reads_back_exactly_what_was_sent() -> None:
    world = World()
    world.run(0.2)
    world.subscribe(EVERYTHING)
    world.run(6)
    world.finish()
    stored = list(world.stored())
    assert world.truth.compare(stored, [Subscription.parse(text) for text in EVERYTHING]) == []
    channels = {event.channel for event in stored}
    assert channels == {text.split(":")[1] for text in EVERYTHING} - {"candle_1m"}
    assert not [event for event in stored if isinstance(event, Gap)]
    assert any(isinstance(event, Trade) and event.count > 1 for event in stored)
    assert any(isinstance(event, Trade) and event.kind == "rpi" for event in stored)


def test_single_fills_are_read_back_too() -> None:
    world = World()
    world.subscribe(["okx:trade:BTC-USDT", "okx:trade:BTC-USDT-SWAP"], trade_stream="trades-all")
    world.run(2)
    world.finish()
    trades = [event for event in world.stored() if isinstance(event, Trade)]
    assert world.truth.compare(world.stored()) == []
    assert trades
    assert {(trade.count, trade.id_space) for trade in trades} == {(1, "fill")}


def test_subscribers_that_come_later_disturb_nobody() -> None:
    world = World()
    wanted = [Subscription.parse(text) for text in EVERYTHING]
    for _ in range(3):
        world.subscribe(EVERYTHING)
        world.run(0.73)
        world.now += S
    world.subscribe(EVERYTHING)
    world.finish()
    world.now += S
    world.subscribe(EVERYTHING)
    for client in world.clients:
        client.read(world.now)
    assert world.truth.compare(world.stored(), wanted) == []
    assert not [event for event in world.stored() if isinstance(event, Gap)]
    first = world.clients[0].events
    assert [event.sequence for event in first if isinstance(event, BookSnapshot) and event.depth is None]


def test_unsubscribed_topics_fall_silent() -> None:
    client = World().connect()
    topic = {"channel": "mark-price", "instId": "BTC-USDT"}
    client.say("subscribe", topic)
    client.say("subscribe", topic)
    client.say("unsubscribe", topic)
    kinds = [frame.get("event", "data") for frame in client.frames]
    assert kinds == ["subscribe", "data", "subscribe", "unsubscribe"]


def test_requests_too_big_close_the_connection() -> None:
    client = World().connect()
    client.peer.receive("x" * 70_000, START)
    client.read(START)
    assert client.closed == Close(1009, "message too big")


def test_depths_read_off_the_book_are_the_markets() -> None:
    world = World()
    world.subscribe(["okx:book_snapshot_10:BTC-USDT", "okx:book_snapshot_20:BTC-USDT"])
    world.run(2)
    world.finish()
    wanted = [Subscription.parse("okx:book_snapshot_10:BTC-USDT"), Subscription.parse("okx:book_snapshot_20:BTC-USDT")]
    assert world.truth.compare(world.stored(), wanted) == []
    assert len(list(world.stored())) > 20


def test_each_arg_is_acknowledged_and_proves_its_stream() -> None:
    world = World()
    world.subscribe(["okx:trade:BTC-USDT", "okx:quote:BTC-USDT"])
    acked = [request for request in world.clients[0].requests if isinstance(request, Acked)]
    assert [request.key for request in acked] == ["trades:BTC-USDT", "bbo-tbt:BTC-USDT"]
    assert [request.proves[0].channel for request in acked] == ["trade", "quote"]


def test_first_trade_pushed_is_an_old_one() -> None:
    world = World()
    world.run(1)
    before = world.now
    world.now += 20 * S
    world.subscribe(["okx:trade:BTC-USDT"])
    (trade,) = world.clients[0].events
    assert trade.ts_event is not None
    assert trade.ts_event <= before


def test_data_comes_before_a_late_acknowledgement() -> None:
    world = World({"late-ack": "0.5"})
    world.subscribe(["okx:quote:BTC-USDT"])
    world.run(1)
    kinds = ["event" if "event" in frame else "data" for frame in world.clients[0].frames]
    assert kinds[0] == "data"
    assert kinds.count("event") == 1


@pytest.mark.parametrize(
    ("path", "argument", "code"),
    [
        ("public", {"channel": "candle1m", "instId": "BTC-USDT"}, "64001"),
        ("business", {"channel": "trades", "instId": "BTC-USDT"}, "60018"),
        ("public", {"channel": "trades", "instId": "BTC-USD"}, "60018"),
        ("public", {"channel": "funding-rate", "instId": "BTC-USDT"}, "60018"),
        ("public", {"channel": "nonsense", "instId": "BTC-USDT"}, "60018"),
        ("business", {"channel": "candle1M", "instId": "BTC-USDT"}, "60018"),
        ("public", {"channel": "books-l2-tbt", "instId": "BTC-USDT"}, "60011"),
        ("private", {"channel": "trades", "instId": "BTC-USDT"}, "60011"),
    ],
)
def test_wrong_topics_are_refused_and_the_others_live(path: str, argument: dict[str, str], code: str) -> None:
    client = World().connect(path)
    good = {"channel": "candle1s" if path == "business" else "bbo-tbt", "instId": "BTC-USDT"}
    client.say("subscribe", argument, good)
    assert client.frames[0]["event"] == "error"
    assert (client.frames[0]["code"], client.frames[0]["id"]) == (code, "a1")
    assert isinstance(client.requests[0], Refused)
    assert bool(client.events) == (path != "private")


@pytest.mark.parametrize("text", ["hello", "[]", '{"op":"subscribe"}', '{"op":"subscribe","args":["x"]}'])
def test_malformed_requests_are_refused_as_a_whole(text: str) -> None:
    client = World().connect()
    client.peer.receive(text, START)
    client.read(START)
    assert client.frames[0]["code"] == "60012"


def test_unknown_operations_and_bad_ids_are_refused() -> None:
    client = World().connect()
    client.say("jump", {"channel": "trades", "instId": "BTC-USDT"})
    client.peer.receive('{"id":"no-dash","op":"subscribe","args":[]}', START)
    client.read(START)
    assert [frame["code"] for frame in client.frames] == ["60019", "60033"]


def test_requests_beyond_the_budget_are_refused_and_the_connection_closed() -> None:
    client = World().connect()
    for _ in range(480):
        client.say("unsubscribe", {"channel": "trades", "instId": "BTC-USDT"})
    assert client.closed is None
    client.say("subscribe", {"channel": "trades", "instId": "BTC-USDT"}, now_ns=START + 7 * S)
    assert client.frames[-1]["code"] == "60014"
    assert client.closed is not None


def test_budget_refills_by_one_in_seven_and_a_half_seconds() -> None:
    client = World().connect()
    for _ in range(480):
        client.say("unsubscribe", {"channel": "trades", "instId": "BTC-USDT"})
    client.say("unsubscribe", {"channel": "trades", "instId": "BTC-USDT"}, now_ns=START + 8 * S)
    assert client.closed is None


def test_idle_connections_are_closed_and_ping_keeps_them() -> None:
    world = World()
    silent, alive = world.connect(), world.connect()
    for _ in range(2):
        world.now += 16 * S
        alive.peer.receive("ping", world.now)
        assert alive.peer.outbox == ["pong"]
        world.run(0.01)
    assert silent.closed == Close(4004, "No data received in 30s")
    assert alive.closed is None


def test_upgrade_notice_asks_for_a_successor_before_the_close() -> None:
    world = World({"notice": "1", "notice-close": "2"})
    world.subscribe(["okx:quote:BTC-USDT"])
    world.run(1.5)
    client = world.clients[0]
    assert [type(request) for request in client.requests if not isinstance(request, Acked)] == [Rotate]
    assert client.closed is None
    world.run(2)
    assert client.closed is not None


def test_lost_update_gives_a_gap_and_a_new_snapshot() -> None:
    world = World({"gap": "0.05"})
    world.subscribe(["okx:book:BTC-USDT"])
    world.run(20)
    events = world.clients[0].events
    gaps = [number for number, event in enumerate(events) if isinstance(event, Gap)]
    assert gaps
    following = [event for event in events[gaps[0] :] if not isinstance(event, Gap)]
    assert isinstance(following[0], BookSnapshot)
    last: int | None = None
    for event in events:
        if isinstance(event, BookSnapshot):
            last = event.sequence
        elif isinstance(event, BookDelta):
            assert event.previous_sequence == last
            last = event.sequence


def test_lost_updates_are_accounted_for_in_what_is_stored() -> None:
    world = World({"gap": "0.05"})
    world.subscribe(["okx:book:BTC-USDT", "okx:book:ETH-USDT-SWAP"])
    world.run(10)
    world.script._rates.clear()
    world.finish()
    missing = [text for text in world.truth.compare(world.stored()) if "missing" in text]
    assert missing == []


def test_maintenance_reset_is_no_gap() -> None:
    world = World({"maintenance": "1"})
    world.subscribe(["okx:book:BTC-USDT"])
    world.run(4)
    deltas = [event for event in world.clients[0].events if isinstance(event, BookDelta)]
    assert [event for event in deltas if event.previous_sequence and event.sequence < event.previous_sequence]
    assert not [event for event in world.clients[0].events if isinstance(event, Gap)]


def test_each_book_collected_is_the_markets_at_its_number() -> None:
    world = World({"maintenance": "1"})
    world.subscribe(["okx:book:BTC-USDT"])
    world.run(4)
    start, *deltas = world.clients[0].events
    assert isinstance(start, BookSnapshot)
    book = TrackedBook(start)
    for delta in deltas:
        assert isinstance(delta, BookDelta)
        book.apply(delta)
        state = book.state()
        assert state.intact
        assert world.truth.book_at("okx", "BTC-USDT", state.sequence or 0) == (state.bids, state.asks)
    assert len(deltas) > 30


def test_faults_end_when_the_exchange_heals() -> None:
    world = World({"gap": "1", "maintenance": "0.1", "notice": "1", "rest_429": "3"})
    world.subscribe(["okx:book:BTC-USDT"])
    world.run(0.05)
    world.script.heal(world.now)
    world.run(3)
    assert not [event for event in world.clients[0].events if isinstance(event, Gap)]
    assert not [request for request in world.clients[0].requests if isinstance(request, Rotate)]
    assert world.clients[0].closed is None
    assert world.get("public/time")


def test_a_connection_that_was_told_of_its_end_ends_after_all() -> None:
    world = World({"notice": "1", "notice-close": "1"})
    world.subscribe(["okx:quote:BTC-USDT"])
    world.run(1.5)
    world.script.heal(world.now)
    world.run(1)
    assert world.clients[0].closed is not None


def test_quiet_books_send_empty_heartbeats() -> None:
    world = World()
    world.subscribe(["okx:book:BTC-USDT"])
    for _ in range(3):
        world.now += 25 * S
        world.clients[0].peer.receive("ping", world.now)
        world.run(0.01, steps=0)
    beats = [frame for frame in world.clients[0].frames if frame.get("action") == "update"]
    assert [(row["asks"], row["bids"], row["seqId"] == row["prevSeqId"]) for row in beats[0]["data"]] == [
        ([], [], True)
    ]
    assert len(world.clients[0].events) == 1


def test_too_many_connections_within_a_second_are_refused() -> None:
    world = World()
    outcomes = [world.script.connect("/ws/v5/public", "", START) for _ in range(5)]
    assert [isinstance(outcome, Reply) for outcome in outcomes] == [False] * 4 + [True]
    assert isinstance(world.script.connect("/ws/v6/public", "", START + 2 * S), Reply)


def test_disconnected_clients_are_sent_nothing() -> None:
    world = World()
    world.subscribe(["okx:quote:BTC-USDT"])
    client = world.clients.pop()
    world.script.disconnect(client.peer, world.now)
    world.run(1)
    assert client.peer.outbox == []


def test_instruments_by_rest_are_those_the_connector_reads() -> None:
    world = World()
    connector = OkxConnector(OkxSettings())
    read = {}
    for request in connector.instrument_requests():
        path, _, query = request.url.removeprefix("https://openapi.okx.com").partition("?")
        reply = world.script.get(path, dict([query.split("=")]), START)
        read.update({item.symbol: item for item in connector.instruments(Frame("okx", reply.body, START))})
    assert read == {symbol: contract.instrument() for symbol, contract in CONTRACTS.items()}
    assert world.truth.compare(read.values()) == []


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("public/time", {}, "0"),
        ("public/funding-rate", {"instId": "BTC-USDT-SWAP"}, "0"),
        ("public/funding-rate", {"instId": "BTC-USDT"}, "51000"),
        ("public/mark-price", {"instType": "SWAP"}, "0"),
        ("public/open-interest", {"instType": "SWAP"}, "0"),
        ("market/books", {"instId": "BTC-USDT", "sz": "5"}, "0"),
        ("market/books", {"instId": "BTC-USDT", "sz": "x"}, "51000"),
        ("market/trades", {"instId": "BTC-USDT"}, "0"),
        ("market/history-trades", {"instId": "BTC-USDT", "limit": "3"}, "0"),
        ("market/trades", {"instId": "NO-NO"}, "51001"),
        ("market/history-trades", {"instId": "BTC-USDT", "type": "3"}, "51000"),
        ("market/history-trades", {"instId": "BTC-USDT", "after": "x"}, "51000"),
        ("market/candles", {"instId": "BTC-USDT", "bar": "7m"}, "51000"),
        ("market/history-candles", {"instId": "BTC-USDT", "bar": "1M"}, "51000"),
        ("public/funding-rate-history", {"instId": "BTC-USDT-SWAP"}, "0"),
        ("public/funding-rate-history", {"instId": "BTC-USDT"}, "51000"),
        ("public/instruments", {"instType": "COINS"}, "51000"),
        ("system/status", {}, "0"),
        ("no/such", {}, "404"),
    ],
)
def test_rest_answers_in_the_envelope(path: str, query: dict[str, str], code: str) -> None:
    world = World()
    world.run(1)
    assert decode(world.script.get(f"/api/v5/{path}", query, world.now).body)["code"] == code


def test_rest_limits_are_kept() -> None:
    world = World()
    replies = [world.script.get("/api/v5/public/time", {}, START) for _ in range(11)]
    assert [reply.status for reply in replies] == [200] * 10 + [429]
    assert decode(replies[-1].body)["code"] == "50011"
    assert world.script.get("/api/v5/public/time", {}, START + 2 * S).status == 200


def test_history_pages_by_trade_id() -> None:
    world = World()
    world.run(2)
    rows = world.get("market/history-trades", instId="BTC-USDT")
    assert world.get("market/history-trades", instId="BTC-USDT", after=rows[3]["tradeId"], limit="2") == rows[4:6]
    # `before` gives the newest page of what is newer, so paging forward needs both.
    assert world.get("market/history-trades", instId="BTC-USDT", before=rows[9]["tradeId"], limit="2") == rows[:2]
    between = {"before": rows[9]["tradeId"], "after": rows[5]["tradeId"]}
    assert world.get("market/history-trades", instId="BTC-USDT", type="1", **between) == rows[6:9]
    by_time = world.get("market/history-trades", instId="BTC-USDT", type="2", after=rows[3]["ts"], limit="500")
    assert by_time == [row for row in rows if row["ts"] < rows[3]["ts"]][:100]
    assert world.get("market/trades", instId="BTC-USDT", limit="5") == rows[:5]


def test_fills_by_rest_make_up_the_merged_trades_of_the_stream() -> None:
    world = World()
    world.subscribe(["okx:trade:BTC-USDT"])
    world.run(3, steps=12)
    world.finish()
    trades = [event for event in world.stored() if isinstance(event, Trade)]
    fills = {int(row["tradeId"]): row for row in world.get("market/trades", instId="BTC-USDT", limit="500")}
    merged = [trade for trade in trades if trade.count > 1]
    assert merged
    for trade in merged:
        rows = [fills[int(trade.trade_id) - back] for back in range(trade.count)]
        assert {(row["px"], row["side"], row["source"] == "1") for row in rows} == {
            (plain(trade.price), trade.side, trade.kind == "rpi")
        }
        assert sum(Decimal(row["sz"]) for row in rows) == trade.amount
    single = [
        Trade("okx", "BTC-USDT", int(row["ts"]) * MS, 1, Decimal(row["px"]), Decimal(row["sz"]), row["side"],
              row["tradeId"], 1, "rpi" if row["source"] == "1" else None)
        for row in fills.values() if int(row["tradeId"]) >= int(trades[0].trade_id)
    ]  # fmt: skip
    assert world.truth.compare(single) == []


def test_candles_by_rest_are_those_pushed() -> None:
    world = World()
    world.subscribe(["okx:candle_1s:BTC-USDT-SWAP"])
    world.run(6)
    closed = [row for frame in world.clients[0].frames for row in frame.get("data", ()) if row[-1] == "1"][::-1]
    assert len(closed) >= 5
    query = {"instId": "BTC-USDT-SWAP", "bar": "1s"}
    assert world.get("market/history-candles", **query)[: len(closed)] == closed
    latest = world.get("market/candles", **query)
    assert latest[0][-1] == "0"
    assert latest[1:4] == closed[:3]
    window = {"before": closed[4][0], "after": closed[1][0]}
    assert world.get("market/history-candles", **query, **window) == closed[2:4]
    assert world.get("market/history-candles", **query, limit="2") == closed[:2]


def test_settled_funding_comes_page_by_page() -> None:
    world = World({"funding-every": "3600"})
    rows = world.get("public/funding-rate-history", instId="BTC-USDT-SWAP", limit="4")
    assert [int(row["fundingTime"]) for row in rows] == [(START // S // 3600 - back) * 3_600_000 for back in range(4)]
    assert len({row["realizedRate"] for row in rows}) == 4
    older = world.get("public/funding-rate-history", instId="BTC-USDT-SWAP", after=rows[1]["fundingTime"], limit="2")
    assert older == rows[2:4]
    (first,) = [event for event in world.truth.offered if isinstance(event, FundingRate)][:1]
    assert (first.predicted, first.ts_event) == (False, first.next_funding_time)
    current = world.get("public/funding-rate", instId="BTC-USDT-SWAP")[0]
    assert (current["prevFundingTime"], current["settFundingRate"]) == (rows[0]["fundingTime"], rows[0]["realizedRate"])


def test_the_truth_goes_on_while_nobody_is_connected() -> None:
    world = World()
    wanted = ("okx:trade:BTC-USDT", "okx:candle_1s:BTC-USDT")
    world.subscribe(wanted)
    world.run(1)
    for client in world.clients:
        world.script.disconnect(client.peer, world.now)
    world.run(2)
    world.finish()
    subscriptions = [Subscription.parse(text) for text in wanted]
    assert {"trade", "candle_1s"} == {text.split()[1] for text in world.truth.compare(world.stored(), subscriptions)}
    fills = {event.trade_id for event in world.truth.events if isinstance(event, Trade)}
    assert world.market.trades("BTC-USDT")[-1].trade_id == max(map(int, fills))
    assert {event.symbol for event in world.truth.events} == {"BTC-USDT"}


def test_rest_faults_strike_first_and_again_after_a_connection_ended() -> None:
    world = World({"rest_429": "1", "stale_rest": "1"})
    world.subscribe(["okx:trade:BTC-USDT"])
    world.run(4)

    def ask() -> tuple[int, int]:
        reply = world.script.get("/api/v5/market/trades", {"instId": "BTC-USDT", "limit": "1"}, world.now)
        rows = decode(reply.body)["data"]
        return reply.status, world.now // MS - int(rows[0]["ts"]) if rows else 0

    for _ in range(2):
        (refused, _), (_, stale_ms), (good, fresh_ms) = ask(), ask(), ask()
        assert (refused, good) == (429, 200)
        assert fresh_ms < 1000 < 2000 <= stale_ms
        world.script.disconnect(world.clients[0].peer, world.now)


def test_faults_that_are_no_numbers_are_refused() -> None:
    for faults in ({"gap": "often"}, {"gap": "2"}):
        with pytest.raises(ConfigError, match="gap"):
            World(faults)


def test_bars_have_their_length_and_boundary() -> None:
    hour = 3600 * S
    assert bar_span("1s") == (S, 0)
    assert bar_span("4H") == (4 * hour, 0)
    assert bar_span("6H") == (6 * hour, -8 * hour)
    assert bar_span("1Dutc") == (24 * hour, 0)
    assert bar_span("1Wutc") == (168 * hour, 96 * hour)
    assert bar_span("1Mutc") is None
