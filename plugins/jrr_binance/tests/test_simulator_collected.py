"""The simulator and the plugin's own connectors and parsers, written apart, must agree: simulated time, no sockets."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from jrr_binance.connector import CoinM, Spot, UsdM
from jrr_binance.simulator import BinanceScript, CoinmScript, SpotScript, UsdmScript
from jrr_binance.simulator_peer import BinancePeer

from jrr_core.book import TrackedBook
from jrr_core.connector import SessionPlan
from jrr_core.events import BookDelta, BookSnapshot, Gap, Message
from jrr_core.frame import Frame, HttpGet, Send
from jrr_core.instrument import Instrument
from jrr_core.subscription import Subscription
from jrr_core.testing.market import Market
from jrr_core.testing.script import Reply
from jrr_core.testing.truth import Truth

START_NS = 1_791_382_990_400_000_000
TICK_NS = 5_000_000


class Line:
    """One planned connection to the script: its peer, its parser, and the GETs on their way."""

    def __init__(self, script: BinanceScript, connector: Any, plan: SessionPlan, now_ns: int) -> None:
        url = urlsplit(plan.url)
        peer = script.connect(url.path, url.query, now_ns)
        assert isinstance(peer, BinancePeer)
        self.script, self.peer, self.parser = script, peer, connector.parser(plan.subscriptions)
        self.unsent = list(plan.subscribe(plan.subscriptions))
        self.gets: list[tuple[int, HttpGet]] = []
        self.events: list[Message] = []

    def turn(self, now_ns: int) -> None:
        """Say one message, read what came, carry out what the parser asks for after some delay."""
        if self.unsent:
            self.peer.receive(self.unsent.pop(0).text, now_ns)
        frames, self.peer.outbox = self.peer.outbox, []
        for text in frames:
            if isinstance(text, str):
                self.feed(Frame(self.script.exchange, text, now_ns))
        for due_ns, get in [row for row in self.gets if row[0] <= now_ns]:
            self.gets.remove((due_ns, get))
            url = urlsplit(get.url)
            reply = self.script.get(url.path, dict(parse_qsl(url.query)), now_ns)
            self.feed(Frame(self.script.exchange, reply.body, now_ns, get.tag, reply.status))

    def feed(self, frame: Frame) -> None:
        self.events += self.parser.receive(frame)
        requests = list(self.parser.requests)
        self.parser.requests.clear()
        for request in requests:
            if isinstance(request, HttpGet):
                self.gets.append((frame.ts_recv + int(request.after_s * 1e9) + 30_000_000, request))
            elif isinstance(request, Send):
                self.unsent.append(request)


def collect(
    script_class: type[BinanceScript],
    connector_class: Any,
    wanted: Sequence[str],
    faults: Mapping[str, str] | None = None,
    seconds: int = 3,
    steps: int = 3,
) -> tuple[BinanceScript, list[Message], list[Subscription]]:
    """Collect `wanted` for some simulated seconds; return the script, what was received, and the subscriptions."""
    market, truth = Market(script_class.listings, seed=7), Truth()
    script = script_class(market, truth, faults or {}, START_NS)
    connector = connector_class(connector_class.Settings(ws_url="ws://sim", rest_url="http://sim"))
    subscriptions = [Subscription.parse(text) for text in wanted]
    lines = [Line(script, connector, plan, START_NS) for plan in connector.sessions(subscriptions)]
    now_ns = START_NS
    for _ in range(seconds * 1_000_000_000 // TICK_NS):
        now_ns += TICK_NS
        for _ in range(steps):
            script.happen(market.step(now_ns))
        script.tick(now_ns)
        for line in lines:
            line.turn(now_ns)
    script.finish(now_ns)
    for line in lines:
        line.turn(now_ns)
    return script, [event for line in lines for event in line.events], subscriptions


CASES = [
    pytest.param(SpotScript, Spot, SpotScript.demo, id="spot"),
    pytest.param(
        UsdmScript, UsdM, (*UsdmScript.demo, "binance-usdm:liquidation:BTCUSDT"), id="usdm"
    ),
    pytest.param(
        CoinmScript,
        CoinM,
        tuple(
            f"binance-coinm:{channel}:{symbol}"
            for symbol in ("BTCUSD_PERP", "ETHUSD_PERP", "BTCUSD_261225")
            for channel in ("trade", "quote", "book", "book_snapshot_10", "candle_1m", "mark_price", "open_interest")
        ),
        id="coinm",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("script_class", "connector_class", "wanted"), CASES)
def test_what_the_parser_reads_is_what_was_sent(script_class: Any, connector_class: Any, wanted: Sequence[str]) -> None:
    script, events, subscriptions = collect(script_class, connector_class, wanted)
    assert script.truth.compare(events, subscriptions) == []
    seen = {(event.channel, event.symbol) for event in events}
    expected = {(item.channel, item.symbol) for item in subscriptions if not item.channel.startswith("candle_1m")}
    assert expected - seen <= {("liquidation", "BTCUSDT")}


@pytest.mark.parametrize(("script_class", "connector_class", "wanted"), CASES)
def test_each_book_collected_is_the_markets_at_its_number(
    script_class: Any, connector_class: Any, wanted: Sequence[str]
) -> None:
    (text, *_) = [text for text in wanted if ":book:" in text]
    script, events, (subscription,) = collect(script_class, connector_class, [text])
    book, checked = None, 0
    for event in events:
        if isinstance(event, BookSnapshot):
            book = TrackedBook(event)
        elif isinstance(event, BookDelta) and book is not None:
            book.apply(event)
        if book is not None:
            state = book.state()
            assert state.sequence is not None
            assert script.truth.book_at(script.exchange, subscription.symbol, state.sequence) == (
                state.bids,
                state.asks,
            )
            assert not script.truth.book_outdated(script.exchange, subscription.symbol, state.sequence, state.ts)
            checked += 1
    assert checked > 5


@pytest.mark.parametrize(("script_class", "connector_class", "wanted"), CASES[:2])
@pytest.mark.parametrize("faults", [{"break_chain": "1"}, {"break_chain": "0.1"}, {"stale_snapshot": "2"}])
def test_a_broken_book_is_reported_and_whole_again(
    script_class: Any, connector_class: Any, wanted: Sequence[str], faults: Mapping[str, str]
) -> None:
    books = [text for text in wanted if ":book:" in text]
    script, events, subscriptions = collect(script_class, connector_class, books, faults, seconds=4)
    assert script.truth.compare(events, subscriptions) == []
    assert any(isinstance(event, BookDelta) for event in events)
    if "break_chain" in faults:
        assert any(isinstance(event, Gap) for event in events)


def test_used_up_trade_ids_are_no_trades() -> None:
    wanted = ["binance-usdm:btcusdt@trade"]
    script, events, _ = collect(UsdmScript, UsdM, wanted, {"na_trades": "0.3"})
    assert events
    assert script.truth.compare(events) == []


@pytest.mark.parametrize(("script_class", "connector_class", "wanted"), CASES)
def test_listed_instruments_are_the_true_ones(script_class: Any, connector_class: Any, wanted: object) -> None:
    truth = Truth()
    script = script_class(Market(script_class.listings, 1), truth, {}, START_NS)
    connector = connector_class(connector_class.Settings(rest_url="http://sim"))
    found: list[Instrument] = []
    for get in connector.instrument_requests():
        url = urlsplit(get.url)
        reply: Reply = script.get(url.path, dict(parse_qsl(url.query)), START_NS)
        found += connector.instruments(Frame(script.exchange, reply.body, START_NS, get.tag, reply.status))
    assert len(found) == len(script.listings)
    assert truth.compare(found) == []
