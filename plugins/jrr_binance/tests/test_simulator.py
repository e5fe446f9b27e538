"""The simulated exchange behaves as Binance is known to: control messages, limits, streams, books, REST, faults."""

import asyncio
import contextlib
import json
from collections.abc import Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from jrr_binance.simulator import BinanceScript, CoinmScript, SpotScript, UsdmScript
from jrr_binance.simulator_peer import BinancePeer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from jrr_core.errors import ConfigError
from jrr_core.events import BookDelta, Candle, FundingRate, Trade
from jrr_core.subscription import Subscription
from jrr_core.testing.market import Market
from jrr_core.testing.simulator import Close, Ping, Reply, Simulator, Truth

S = 1_000_000_000
TICK_NS = 5_000_000
START_NS = 1_791_382_990 * S
ALL = [SpotScript, UsdmScript, CoinmScript]


class Exchange:
    """A script and a clock of its own."""

    def __init__(self, script: type[BinanceScript] = SpotScript, faults: Mapping[str, str] | None = None) -> None:
        self.market, self.truth = Market(script.listings, seed=3), Truth()
        self.now_ns = START_NS + 123 * 1_000_000
        self.script = script(self.market, self.truth, faults or {}, self.now_ns)

    def open(self, path: str = "/stream", query: str = "") -> BinancePeer:
        peer = self.script.connect(path, query, self.now_ns)
        assert isinstance(peer, BinancePeer)
        return peer

    def run(self, seconds: float, steps: int = 2) -> None:
        for _ in range(int(seconds * S) // TICK_NS):
            self.now_ns += TICK_NS
            for _ in range(steps):
                self.script.happen(self.market.step(self.now_ns))
            self.script.tick(self.now_ns)

    def ask(self, peer: BinancePeer, request: object) -> Any:
        """Send a request a second after the last; return the answer."""
        self.now_ns += S
        peer.outbox.clear()
        peer.receive(request if isinstance(request, str) else json.dumps(request), self.now_ns)
        answer = peer.outbox.pop(0)
        assert isinstance(answer, str)
        return json.loads(answer)

    def get(self, path: str, **query: object) -> tuple[int, Any, Mapping[str, str]]:
        reply = self.script.get(path, {name: str(value) for name, value in query.items()}, self.now_ns)
        return reply.status, json.loads(reply.body), reply.headers


def sent(peer: BinancePeer) -> list[Any]:
    """Take what stands in the outbox, text decoded."""
    items, peer.outbox = peer.outbox, []
    return [json.loads(item) if isinstance(item, str) else item for item in items]


# Paths


@pytest.mark.parametrize("path", ["/", "/ws/", "/stream/", "/wss", "/ws/btcusdt@trade/", "/stream/x", "/public/ws"])
def test_other_paths_are_refused(path: str) -> None:
    reply = Exchange(SpotScript).script.connect(path, "", START_NS)
    assert isinstance(reply, Reply)
    assert reply.status == 404


def test_streams_can_stand_in_the_address() -> None:
    exchange = Exchange()
    raw = exchange.open("/ws/btcusdt@trade/ethusdt@trade")
    combined = exchange.open("/stream", "streams=btcusdt%40trade/ethusdt@trade")
    assert list(raw.names) == list(combined.names) == ["btcusdt@trade", "ethusdt@trade"]
    exchange.run(0.5)
    bare, wrapped = sent(raw), sent(combined)
    assert bare == [row["data"] for row in wrapped]
    assert {row["stream"] for row in wrapped} == {"btcusdt@trade", "ethusdt@trade"}


@pytest.mark.parametrize(
    ("path", "heard"),
    [("/public/stream", {"trade", "depthUpdate"}), ("/market/stream", {"aggTrade", "markPriceUpdate"}),
     ("/stream", {"trade", "depthUpdate"}), ("/private/stream", set())],
)  # fmt: skip
def test_usdm_streams_are_silent_on_the_wrong_path(path: str, heard: set[str]) -> None:
    exchange = Exchange(UsdmScript)
    names = ["btcusdt@trade", "btcusdt@depth@100ms", "btcusdt@aggTrade", "btcusdt@markPrice@1s"]
    peer = exchange.open(path)
    assert exchange.ask(peer, {"method": "SUBSCRIBE", "params": names, "id": 1}) == {"result": None, "id": 1}
    exchange.run(1.5)
    assert {row["data"]["e"] for row in sent(peer)} == heard
    assert exchange.ask(peer, {"method": "LIST_SUBSCRIPTIONS", "id": 2})["result"] == names


# Control messages


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        ("no json", 3, "Invalid JSON: expected value at line 1 column 1"),
        ("[1]", 2, "Invalid request: missing field `method` at line 1 column 3"),
        ('{"id":1}', 2, "Invalid request: missing field `method` at line 1 column 8"),
        ('{"method":"X","id":1}', 2, "unknown variant `X`, expected one of `SUBSCRIBE`"),
        ('{"method":"SUBSCRIBE","params":[1],"id":1}', 2, "expected a string"),
        ('{"method":"SET_PROPERTY","params":["combined",1],"id":1}', 1, "Invalid value type: expected Boolean"),
        ('{"method":"SET_PROPERTY","params":["combined",true,1],"id":1}', 2, "too many parameters"),
        ('{"method":"GET_PROPERTY","params":[7],"id":1}', 2, "property name must be a string"),
        ('{"method":"GET_PROPERTY","params":["colour"],"id":1}', 0, "Unknown property"),
        ('{"method":"LIST_SUBSCRIPTIONS","id":-1}', 2, "request ID must be an unsigned integer"),
    ],
)
def test_bad_requests_get_the_exchanges_errors(request_: str, code: int, text: str) -> None:
    exchange = Exchange(UsdmScript)
    error = exchange.ask(exchange.open(), request_)["error"]
    assert error["code"] == code
    assert text in error["msg"]


@pytest.mark.parametrize("identity", [7, "a1", None, -3])
def test_spot_echoes_ids_as_sent(identity: object) -> None:
    exchange = Exchange()
    assert exchange.ask(exchange.open(), {"method": "LIST_SUBSCRIPTIONS", "id": identity}) == {
        "result": [],
        "id": identity,
    }


def test_anything_is_acknowledged_and_only_what_exists_delivers() -> None:
    exchange = Exchange()
    peer = exchange.open()
    names = ["BTCUSDT@trade", "nosuch@trade", "btcusdt@depth20@250ms", "btcusdt@markPrice", "!markPrice@arr", "x", ""]
    assert exchange.ask(peer, {"method": "SUBSCRIBE", "params": names, "id": 1})["result"] is None
    assert exchange.ask(peer, {"method": "UNSUBSCRIBE", "params": ["never"], "id": 2})["result"] is None
    exchange.run(2.5)
    assert sent(peer) == []


def test_unsubscribing_and_unwrapping_take_effect() -> None:
    exchange = Exchange()
    peer = exchange.open("/stream", "streams=btcusdt@trade/ethusdt@trade")
    assert exchange.ask(peer, {"method": "GET_PROPERTY", "params": ["combined"], "id": 1})["result"] is True
    exchange.ask(peer, {"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2})
    exchange.ask(peer, {"method": "SET_PROPERTY", "params": ["combined", False], "id": 3})
    exchange.run(0.5)
    assert {row["s"] for row in sent(peer)} == {"ETHUSDT"}


# Limits


@pytest.mark.parametrize(("script", "allowed"), [(SpotScript, 5), (UsdmScript, 15)])
def test_too_many_messages_end_the_connection(script: type[BinanceScript], allowed: int) -> None:
    exchange = Exchange(script)
    peer = exchange.open()
    for number in range(40):
        peer.receive(f'{{"method":"LIST_SUBSCRIPTIONS","id":{number}}}', exchange.now_ns)
    assert len(peer.outbox) == allowed + 1
    assert peer.outbox[-1] == Close(1008, "Too many requests")


def test_the_1025th_stream_ends_the_connection() -> None:
    exchange = Exchange(UsdmScript)
    peer = exchange.open()
    names = [f"s{number}@trade" for number in range(1024)]
    assert "error" not in exchange.ask(peer, {"method": "SUBSCRIBE", "params": names, "id": 1})
    assert exchange.ask(peer, {"method": "SUBSCRIBE", "params": ["one@more"], "id": 2})["error"]["code"] == 4
    assert peer.outbox == [Close(1008, "Invalid request")]
    in_address = exchange.open("/stream", "streams=" + "/".join([*names, "one@more"]))
    assert sent(in_address)[-1] == Close(1008, "Invalid request")


@pytest.mark.parametrize(("script", "ping_s", "pong_s"), [(SpotScript, 20, 60), (CoinmScript, 180, 600)])
def test_pings_carry_the_time_and_unanswered_ones_end_the_connection(
    script: type[BinanceScript], ping_s: int, pong_s: int
) -> None:
    exchange = Exchange(script)
    answering, mute = exchange.open(), exchange.open()
    opened = exchange.now_ns
    pings = 0
    while exchange.now_ns < opened + (ping_s + pong_s + 1) * S:
        exchange.now_ns += S
        exchange.script.tick(exchange.now_ns)
        for item in sent(answering):
            assert item == Ping(str(exchange.now_ns // 1_000_000).encode())
            answering.pong(item.payload, exchange.now_ns)
            pings += 1
    assert pings == (ping_s + pong_s) // ping_s
    assert sent(mute)[-1] == Close(1008, "Pong timeout")
    assert not answering.closed


# Streams


def test_spot_books_are_contiguous_and_futures_books_are_linked() -> None:
    spot, usdm = Exchange(SpotScript), Exchange(UsdmScript)
    peer = spot.open("/ws/btcusdt@depth@100ms")
    spot.run(1)
    rows = sent(peer)
    assert len(rows) >= 9
    assert all(after["U"] == before["u"] + 1 for before, after in pairwise(rows))
    peers = [usdm.open(f"/ws/{symbol}@depth@100ms") for symbol in ("btcusdt", "ethusdt")]
    usdm.run(1)
    for rows in map(sent, peers):
        assert all(after["pu"] == before["u"] for before, after in pairwise(rows))
        assert any(after["U"] != before["u"] + 1 for before, after in pairwise(rows))


@pytest.mark.parametrize("script", ALL)
def test_a_snapshot_joins_the_stream(script: type[BinanceScript]) -> None:
    exchange = Exchange(script)
    symbol = script.listings[0].symbol
    peer = exchange.open(f"/ws/{symbol.lower()}@depth@100ms")
    prefix = {"spot": "/api/v3", "usdm": "/fapi/v1", "coinm": "/dapi/v1"}[script.family]
    exchange.run(0.33)
    _, snapshot, _ = exchange.get(f"{prefix}/depth", symbol=symbol, limit=1000)
    exchange.run(0.5)
    book = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
    last = snapshot["lastUpdateId"]
    first = True
    for row in sent(peer):
        if row["u"] < last or (script.family == "spot" and row["u"] == last):
            continue
        if first:
            assert row["U"] <= last + 1 <= row["u"] + 1 or row.get("pu") == last
        first = False
        for side in ("b", "a"):
            for price, amount in row[side]:
                book[side][price] = amount
    exchange.script.finish(exchange.now_ns)
    for row in sent(peer):
        for side in ("b", "a"):
            book[side].update(dict(row[side]))
    payloads = exchange.script.symbols[symbol].payloads
    want = [json.loads(payloads.rows(side)) for side in exchange.market.book(symbol)]
    for side, rows in zip(("b", "a"), want, strict=True):
        assert {price: amount for price, amount in book[side].items() if float(amount)} == dict(rows)


def test_futures_books_come_as_often_as_asked_for() -> None:
    exchange = Exchange(UsdmScript)
    speeds = {"@0ms": 100, "@100ms": 20, "": 8, "@500ms": 4}
    peer = exchange.open("/stream", "streams=" + "/".join(f"btcusdt@depth{speed}" for speed in speeds))
    exchange.run(2, steps=20)
    names = [row["stream"].removeprefix("btcusdt@depth") for row in sent(peer)]
    assert all(count - 2 <= names.count(speed) <= 4 * count for speed, count in speeds.items())
    assert sorted(speeds, key=names.count, reverse=True) == list(speeds)


def test_spot_payloads_have_the_exchanges_fields() -> None:
    exchange = Exchange()
    kinds = ("trade", "aggTrade", "bookTicker", "depth5@100ms", "kline_1s", "kline_1m", "depth")
    peer = exchange.open("/stream", "streams=" + "/".join(f"btcusdt@{kind}" for kind in kinds))
    exchange.run(3)
    rows = {row["stream"].partition("@")[2]: row["data"] for row in sent(peer)}
    assert set(rows) == set(kinds)
    assert list(rows["trade"]) == ["e", "E", "s", "t", "p", "q", "T", "m", "M"]
    assert list(rows["aggTrade"]) == ["e", "E", "s", "a", "p", "q", "f", "l", "T", "m", "M"]
    assert list(rows["bookTicker"]) == ["u", "s", "b", "B", "a", "A"]
    assert list(rows["depth5@100ms"]) == ["lastUpdateId", "bids", "asks"]
    assert len(rows["depth5@100ms"]["bids"]) == 5
    assert list(rows["kline_1m"]["k"]) == list("tTsifLochlvnxqVQB")
    numbers = [rows["trade"]["p"], rows["trade"]["q"], rows["kline_1s"]["k"]["v"], rows["kline_1s"]["k"]["q"]]
    assert all(len(text.partition(".")[2]) == 8 for text in numbers)


def test_futures_payloads_say_their_family() -> None:
    for script, st, pair in ((UsdmScript, 1, "BTCUSDT"), (CoinmScript, 2, "BTCUSD")):
        exchange = Exchange(script)
        symbol = script.listings[0].symbol.lower()
        path = "/ws/" + "/".join(f"{symbol}@{kind}" for kind in ("bookTicker", "depth5@100ms", "trade"))
        peer = exchange.open(path)
        exchange.run(1)
        rows = {row["e"]: row for row in sent(peer)}
        assert rows["bookTicker"]["st"] == rows["depthUpdate"]["st"] == st
        assert rows["bookTicker"]["ps"] == rows["depthUpdate"]["ps"] == pair
        assert ("st" in rows["trade"]) == (script is UsdmScript)


def test_a_candle_closes_exactly_once() -> None:
    exchange = Exchange()
    peer = exchange.open("/ws/btcusdt@kline_1s/btcusdt@kline_1m")
    exchange.run(65, steps=1)
    rows = [row["k"] for row in sent(peer) if not isinstance(row, Ping)]
    seconds = [row["t"] for row in rows if row["i"] == "1s" and row["x"]]
    assert seconds == list(range(seconds[0], seconds[0] + 1000 * len(seconds), 1000))
    assert len(seconds) == 65
    minutes = [row["x"] for row in rows if row["i"] == "1m"]
    assert sum(minutes) == 1
    assert len(minutes) > 20


def test_all_market_streams_cover_every_symbol() -> None:
    exchange = Exchange(UsdmScript)
    peer = exchange.open("/market/stream", "streams=!markPrice@arr@1s/!forceOrder@arr")
    quotes = exchange.open("/public/stream", "streams=!bookTicker")
    exchange.run(6, steps=20)
    rows = sent(peer)
    arrays = [row["data"] for row in rows if row["stream"] == "!markPrice@arr@1s"]
    assert len(arrays) == 6
    assert [row["s"] for row in arrays[0]] == [item.symbol for item in UsdmScript.listings]
    assert {row["s"]: (row["r"], row["T"]) for row in arrays[0]}["BTCUSDT_261225"] == ("0.00000000", 0)
    assert all(row["E"] % 1000 == 0 for row in arrays[0])
    forced = [row["data"]["o"] for row in rows if row["stream"] == "!forceOrder@arr"]
    assert forced
    assert {row["data"]["s"] for row in sent(quotes)} == {item.symbol for item in UsdmScript.listings}


def test_truth_begins_with_the_first_subscription_and_goes_on_without_a_client() -> None:
    exchange = Exchange()
    exchange.run(0.5)
    assert exchange.truth.events == []
    peer = exchange.open("/ws/btcusdt@trade/btcusdt@aggTrade/btcusdt@kline_1s/btcusdt@depth@100ms")
    exchange.run(0.5)
    rows = sent(peer)
    assert known(exchange, "trade", None) == [row["t"] for row in rows if row["e"] == "trade"]
    assert known(exchange, "book_delta") == [row["u"] for row in rows if row["e"] == "depthUpdate"]
    deltas = len(known(exchange, "book_delta"))
    exchange.script.disconnect(peer, exchange.now_ns)
    assert "btcusdt@depth@100ms" not in exchange.script.streams
    exchange.run(2.5)
    exchange.script.finish(exchange.now_ns)
    for path, stream, space in (("historicalTrades", "id", None), ("aggTrades", "a", "agg")):
        ids = known(exchange, "trade", space)
        listed = exchange.get(f"/api/v3/{path}", symbol="BTCUSDT", fromId=ids[0], limit=1000)[1]
        assert [row[stream] for row in listed] == ids
    candles = [event for event in exchange.truth.events if isinstance(event, Candle) and event.closed]
    assert len({candle.open_time for candle in candles}) == len(candles) == 3
    assert {event.symbol for event in exchange.truth.events} == {"BTCUSDT"}
    assert len(known(exchange, "book_delta")) == deltas


def known(exchange: Exchange, kind: str, space: str | None = None) -> list[int]:
    """Return the numbers of what stands in the truth, in its order."""
    events = [event for event in exchange.truth.events if event.type == kind]
    if kind == "trade":
        return [int(event.trade_id) for event in events if isinstance(event, Trade) and event.id_space == space]
    return [event.sequence for event in events if isinstance(event, BookDelta)]


# REST


@pytest.mark.parametrize("script", ALL)
def test_rest_refuses_as_the_exchange_does(script: type[BinanceScript]) -> None:
    exchange = Exchange(script)
    prefix = {"spot": "/api/v3", "usdm": "/fapi/v1", "coinm": "/dapi/v1"}[script.family]
    symbol = script.listings[0].symbol
    assert exchange.get(f"{prefix}/nothing")[0] == 404
    assert exchange.get("/api/v1/ping")[0] == 404
    assert exchange.get(f"{prefix}/depth")[1]["code"] == -1102
    assert exchange.get(f"{prefix}/depth", symbol="NOPE")[:2] == (400, {"code": -1121, "msg": "Invalid symbol."})
    assert exchange.get(f"{prefix}/klines", symbol=symbol, interval="7m")[1]["code"] == -1120
    assert exchange.get(f"{prefix}/depth", symbol=symbol, limit="x")[1]["code"] == -1100
    if script is not SpotScript:
        assert exchange.get(f"{prefix}/depth", symbol=symbol, limit=7)[1]["code"] == -4021
        assert exchange.get(f"{prefix}/historicalTrades", symbol=symbol)[:1] == (401,)
        assert exchange.get(f"{prefix}/klines", symbol=symbol, interval="1s")[1]["code"] == -1120


def test_weights_add_up_within_the_minute_and_beyond_it_is_429() -> None:
    exchange = Exchange()
    weights = [exchange.get("/api/v3/ping"), exchange.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)]
    assert [headers["X-MBX-USED-WEIGHT-1M"] for _, _, headers in weights] == ["1", "251"]
    for _ in range(22):
        assert exchange.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)[0] == 200
    status, body, headers = exchange.get("/api/v3/depth", symbol="BTCUSDT", limit=5000)
    assert (status, body["code"]) == (429, -1003)
    assert 0 < int(headers["Retry-After"]) <= 60
    exchange.now_ns += 60 * S
    assert exchange.get("/api/v3/ping")[0] == 200


def test_trades_can_be_fetched_from_an_id_on() -> None:
    exchange = Exchange()
    peer = exchange.open("/ws/btcusdt@trade/btcusdt@aggTrade")
    exchange.run(2)
    rows = sent(peer)
    trades = [row for row in rows if row["e"] == "trade"]
    status, history, _ = exchange.get("/api/v3/historicalTrades", symbol="BTCUSDT", fromId=trades[3]["t"], limit=2)
    assert status == 200
    assert [(row["id"], row["price"], row["qty"], row["isBuyerMaker"]) for row in history] == [
        (row["t"], row["p"], row["q"], row["m"]) for row in trades[3:5]
    ]
    merged = [row for row in rows if row["e"] == "aggTrade"]
    assert [row["a"] for row in merged] == list(range(merged[0]["a"], merged[0]["a"] + len(merged)))
    found = exchange.get("/api/v3/aggTrades", symbol="BTCUSDT", fromId=merged[1]["a"], limit=1)[1]
    assert found == [{name: merged[1][name] for name in "apqflTmM"}]


def test_klines_are_the_streams_candles() -> None:
    exchange = Exchange()
    peer = exchange.open("/ws/btcusdt@kline_1s")
    exchange.run(4)
    closed = [row["k"] for row in sent(peer)]
    rows = exchange.get("/api/v3/klines", symbol="BTCUSDT", interval="1s", startTime=closed[0]["t"], limit=3)[1]
    assert rows == [[row[name] for name in "tohlcvTqnVQ"] + ["0"] for row in closed[:3]]


def test_derivative_figures_are_answered() -> None:
    exchange = Exchange(UsdmScript)
    assert exchange.get("/fapi/v1/premiumIndex", symbol="BTCUSDT")[1]["nextFundingTime"] % 28_800_000 == 0
    assert len(exchange.get("/fapi/v1/premiumIndex")[1]) == 4
    assert exchange.get("/fapi/v1/openInterest", symbol="BTCUSDT")[1]["openInterest"]
    coin = Exchange(CoinmScript)
    assert isinstance(coin.get("/dapi/v1/premiumIndex", symbol="BTCUSD_PERP")[1], list)
    coin.run(1)
    assert "baseQty" in coin.get("/dapi/v1/trades", symbol="BTCUSD_PERP")[1][0]
    contract = coin.get("/dapi/v1/exchangeInfo")[1]["symbols"][0]
    assert (contract["contractSize"], contract["contractStatus"], "status" in contract) == (100, "TRADING", False)


@pytest.mark.parametrize(("script", "path"), [(UsdmScript, "/fapi/v1"), (CoinmScript, "/dapi/v1")])
def test_settled_funding_is_told_between_two_times(script: type[BinanceScript], path: str) -> None:
    exchange = Exchange(script)
    symbol = script.listings[0].symbol
    rates = exchange.get(f"{path}/fundingRate", symbol=symbol, limit=5)[1]
    assert [row["fundingTime"] % 28_800_000 for row in rates] == [2] * 5
    assert len({row["fundingRate"] for row in rates}) == 5
    first, last = rates[1]["fundingTime"], rates[3]["fundingTime"]
    window = exchange.get(f"{path}/fundingRate", symbol=symbol, startTime=first, endTime=last)[1]
    assert [row["fundingTime"] for row in window] == [row["fundingTime"] for row in rates[1:4]]
    assert exchange.get(f"{path}/fundingRate", symbol=symbol, startTime=first + 1, limit=1)[1][0] == rates[2]
    assert exchange.get(f"{path}/fundingRate", symbol=script.listings[-1].symbol)[1] == []
    told = {event.ts_event: event for event in exchange.truth.offered if isinstance(event, FundingRate)}
    event = told[first * 1_000_000]
    assert (event.predicted, event.next_funding_time) == (False, (first - 2) * 1_000_000)
    assert event.rate == Decimal(rates[1]["fundingRate"])


def test_funding_has_a_budget_of_its_own() -> None:
    exchange = Exchange(UsdmScript)
    for _ in range(500):
        assert exchange.get("/fapi/v1/fundingRate", symbol="BTCUSDT", limit=1)[0] == 200
    status, body, headers = exchange.get("/fapi/v1/fundingRate", symbol="BTCUSDT", limit=1)
    assert (status, body["code"], headers["Retry-After"]) == (429, -1003, "301")
    assert exchange.get("/fapi/v1/ping")[0] == 200


def test_funding_can_be_settled_more_often() -> None:
    exchange = Exchange(UsdmScript, {"funding_every": "10"})
    times = [row["fundingTime"] for row in exchange.get("/fapi/v1/fundingRate", symbol="BTCUSDT", limit=3)[1]]
    assert times == [times[0], times[0] + 10_000, times[0] + 20_000]
    assert exchange.get("/fapi/v1/premiumIndex", symbol="BTCUSDT")[1]["nextFundingTime"] == times[2] + 10_000 - 2


@pytest.mark.parametrize("script", ALL)
def test_aggregates_and_klines_come_page_by_page(script: type[BinanceScript]) -> None:
    prefix = {"spot": "/api/v3", "usdm": "/fapi/v1", "coinm": "/dapi/v1"}[script.family]
    exchange, symbol = Exchange(script), script.listings[0].symbol
    exchange.run(3)
    rows = exchange.get(f"{prefix}/aggTrades", symbol=symbol, limit=1000)[1]
    pages = [exchange.get(f"{prefix}/aggTrades", symbol=symbol, fromId=row["a"], limit=3)[1] for row in rows[::3]]
    assert [row for page in pages for row in page] == rows
    assert exchange.get(f"{prefix}/aggTrades", symbol=symbol, fromId=rows[-1]["a"] + 1)[1] == []
    window = {"startTime": rows[2]["T"], "endTime": rows[5]["T"]}
    timed = exchange.get(f"{prefix}/aggTrades", symbol=symbol, **window)[1]
    assert timed == [row for row in rows if rows[2]["T"] <= row["T"] <= rows[5]["T"]]
    old = exchange.get(f"{prefix}/aggTrades", symbol=symbol, startTime=START_NS // 1_000_000 - 3 * 86_400_000)
    assert old[:1] == (200,) if script is SpotScript else (old[0], old[1]["code"]) == (400, -4166)
    start = START_NS // 60_000_000_000 * 60_000
    exchange.get(f"{prefix}/klines", symbol=symbol, interval="1m")
    exchange.now_ns += 180 * S
    candles = exchange.get(f"{prefix}/klines", symbol=symbol, interval="1m", startTime=start, endTime=start + 60_000)[1]
    assert [row[0] for row in candles] == [start, start + 60_000]
    told = [event for event in exchange.truth.offered if isinstance(event, Candle)]
    assert [(event.closed, event.ts_event) for event in told[:2]] == [(True, None)] * 2
    assert told[0].trade_count == candles[0][8]


# Faults


def test_a_silent_stream_is_acknowledged_and_mute() -> None:
    exchange = Exchange(faults={"silent_stream": "btcusdt@trade"})
    peer = exchange.open("/ws/btcusdt@trade/ethusdt@trade")
    exchange.run(0.5)
    assert {row["s"] for row in sent(peer)} == {"ETHUSDT"}
    assert {event.symbol for event in exchange.truth.events} == {"BTCUSDT", "ETHUSDT"}


def test_connections_are_closed_and_warned_as_asked() -> None:
    exchange = Exchange(faults={"close_after": "2", "shutdown_notice": "1"})
    raw, combined = exchange.open("/ws"), exchange.open("/stream")
    exchange.run(3, steps=0)
    notice, close = sent(raw)
    assert notice["e"] == "serverShutdown"
    assert close == Close(1001, "")
    assert sent(combined)[0]["stream"] == "!serverShutdown"


def test_used_up_ids_appear_as_na_rows_and_leave_holes_in_rest() -> None:
    exchange = Exchange(UsdmScript, {"na_trades": "0.5"})
    peer = exchange.open("/public/ws/btcusdt@trade")
    exchange.run(2)
    rows = sent(peer)
    assert [row["t"] for row in rows] == list(range(rows[0]["t"], rows[0]["t"] + len(rows)))
    used_up = {row["t"] for row in rows if row["X"] == "NA"}
    assert used_up
    assert all(row["p"] == row["q"] == "0" for row in rows if row["X"] == "NA")
    assert not used_up & {row["id"] for row in exchange.get("/fapi/v1/trades", symbol="BTCUSDT")[1]}


def test_dropped_trades_are_still_in_rest() -> None:
    exchange = Exchange(faults={"drop_trades": "0.5"})
    peer = exchange.open("/ws/btcusdt@trade")
    exchange.run(2)
    streamed = {row["t"] for row in sent(peer)}
    kept = {row["id"] for row in exchange.get("/api/v3/historicalTrades", symbol="BTCUSDT", limit=1000)[1]}
    assert streamed < kept == set(known(exchange, "trade"))


@pytest.mark.parametrize("value", ["0.3", "1"])
def test_a_lost_update_breaks_the_chain(value: str) -> None:
    exchange = Exchange(UsdmScript, {"break_chain": value})
    peer = exchange.open("/public/ws/btcusdt@depth@100ms")
    exchange.run(3)
    rows = sent(peer)
    breaks = [after for before, after in pairwise(rows) if after["pu"] != before["u"]]
    assert len(breaks) == 1 if value == "1" else breaks


def test_rest_faults_strike_first_and_again_after_a_connection_ended() -> None:
    exchange = Exchange(faults={"rest_418": "1", "rest_429": "2", "stale_snapshot": "1"})
    exchange.run(0.5)
    assert [exchange.get("/api/v3/ping")[0] for _ in range(4)] == [418, 429, 429, 200]
    exchange.script.disconnect(exchange.open(), exchange.now_ns)
    assert [exchange.get("/api/v3/ping")[0] for _ in range(4)] == [418, 429, 429, 200]
    stale, fresh = (exchange.get("/api/v3/depth", symbol="BTCUSDT")[1]["lastUpdateId"] for _ in range(2))
    assert stale < fresh


def test_faults_end_when_the_exchange_heals() -> None:
    faults = {"silent_stream": "btcusdt@trade", "drop_trades": "1", "na_trades": "1", "break_chain": "0.9",
              "close_after": "5", "rest_429": "2", "funding_every": "60"}  # fmt: skip
    exchange = Exchange(UsdmScript, faults)
    exchange.run(0.5)
    exchange.script.heal(exchange.now_ns)
    peer = exchange.open("/public/ws/btcusdt@trade/btcusdt@depth@100ms")
    exchange.run(6)
    rows = sent(peer)
    assert [row["t"] for row in rows if row["e"] == "trade"] == known(exchange, "trade")
    updates = [row for row in rows if row["e"] == "depthUpdate"]
    assert all(after["pu"] == before["u"] for before, after in pairwise(updates))
    assert not peer.closed
    rates = exchange.get("/fapi/v1/fundingRate", symbol="BTCUSDT", limit=2)[1]
    assert rates[1]["fundingTime"] - rates[0]["fundingTime"] == 60_000


def test_values_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="fault close_after=soon needs a number"):
        Exchange(faults={"close_after": "soon"})
    with pytest.raises(ConfigError, match="between 0 and 1"):
        Exchange(UsdmScript, {"na_trades": "3"})


# Over the wire


def test_it_serves_sockets_and_http_on_one_port() -> None:
    async def body() -> None:
        async with Simulator(SpotScript, rate=2000, run_s=0.3) as simulator:
            with pytest.raises(InvalidStatus):
                await connect(f"{simulator.ws_url}/ws/")
            url = f"{simulator.ws_url}/stream?streams=btcusdt@trade/btcusdt@depth@100ms"
            async with connect(url, compression=None, max_queue=None) as socket:
                await simulator.quiet()
                await socket.send('{"method":"LIST_SUBSCRIPTIONS","id":1}')
                trades = updates = 0
                while "result" not in (row := json.loads(await socket.recv())):
                    trades += row["stream"] == "btcusdt@trade"
                    updates += row["stream"] == "btcusdt@depth@100ms"
                assert [event.type for event in simulator.truth.events].count("trade") == trades > 20
                assert [event.type for event in simulator.truth.events].count("book_delta") == updates > 2
                for number in range(9):
                    await socket.send(f'{{"method":"LIST_SUBSCRIPTIONS","id":{number}}}')
                with contextlib.suppress(ConnectionClosed):
                    while True:
                        await socket.recv()
                assert (socket.close_code, socket.close_reason) == (1008, "Too many requests")

    asyncio.run(body())


@pytest.mark.parametrize("script", ALL)
def test_demo_subscriptions_are_well_formed_and_listed(script: type[BinanceScript]) -> None:
    symbols = {item.symbol for item in script.listings}
    for text in script.demo:
        subscription = Subscription.parse(text)
        assert subscription.exchange == script.exchange
        assert subscription.symbol in symbols
