"""Envelopes, routes, control replies and REST replies; payload rules are in test_messages."""

import json
from collections.abc import Sequence

import pytest
from jrr_binance.connector import CoinM, CoinmSettings, Spot, SpotSettings, UsdM, UsdmSettings
from jrr_binance.parser import Parser

from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, FundingRate, Message
from jrr_core.frame import Absent, Acked, Frame, Hole, HttpGet, Refused, Rotate
from jrr_core.subscription import Subscription

S = 10**9
CONNECTORS = {"binance": Spot(SpotSettings()), "binance-usdm": UsdM(UsdmSettings(rest_url="http://r/")),
              "binance-coinm": CoinM(CoinmSettings())}  # fmt: skip


def live(*texts: str) -> Parser:
    subscriptions = [Subscription.parse(text) for text in texts]
    return CONNECTORS[subscriptions[0].exchange].parser(subscriptions)


def replay(exchange: str = "binance") -> Parser:
    return CONNECTORS[exchange].parser(None)


def read(parser: Parser, payload: object, tag: str | None = None, status: int = 200, at: int = S) -> Sequence[Message]:
    text = payload if isinstance(payload, str) else json.dumps(payload)
    return parser.receive(Frame("x", text, at, tag, status))


def types(events: Sequence[Message]) -> list[tuple[str, str]]:
    return [(event.channel, event.symbol) for event in events]


TRADE = {"e": "trade", "E": 1786183200055, "s": "BTCUSDT", "t": 7, "p": "1.5", "q": "2", "T": 1786183200055, "m": True}
MARK = {"e": "markPriceUpdate", "E": 1791382993000, "s": "BTCUSDT", "p": "8", "i": "9", "r": "0.1", "T": 1791388800000}
QUOTE = {"u": 4, "s": "BTCUSDT", "b": "1", "B": "1", "a": "2", "A": "1"}
TOP = {"lastUpdateId": 160, "bids": [["1", "2"]], "asks": [["3", "4"]]}
CANDLE = {"e": "kline", "E": 1672515782136, "s": "BTCUSDT", "k": {
    "t": 1672515780000, "T": 1672515839999, "i": "1m", "o": "1", "h": "1", "l": "1", "c": "1", "v": "1", "x": True,
}}  # fmt: skip


def update(first: int, last: int, symbol: str = "BTCUSDT", previous: int | None = None) -> dict[str, object]:
    row: dict[str, object] = {"e": "depthUpdate", "E": 1788376136014, "s": symbol, "U": first, "u": last}
    return row | ({} if previous is None else {"pu": previous}) | {"b": [["1", "1"]], "a": []}


def wrapped(stream: str, data: object) -> dict[str, object]:
    return {"stream": stream, "data": data}


def test_streams_not_asked_for_give_nothing() -> None:
    parser = live("binance:trade:BTCUSDT")
    assert types(read(parser, wrapped("btcusdt@trade", TRADE))) == [("trade", "BTCUSDT")]
    assert read(parser, wrapped("btcusdt@bookTicker", QUOTE)) == ()
    assert read(parser, wrapped("ethusdt@trade", TRADE)) == ()


def test_replay_takes_every_stream_and_asks_for_nothing() -> None:
    parser = replay()
    assert types(read(parser, wrapped("btcusdt@trade", TRADE))) == [("trade", "BTCUSDT")]
    assert types(read(parser, wrapped("BTCUSDT@bookTicker", QUOTE))) == [("quote", "BTCUSDT")]
    assert not read(parser, wrapped("btcusdt@depth@100ms", update(1, 2)))
    assert read(parser, wrapped("btcusdt@ticker", {"e": "24hrTicker", "s": "BTCUSDT"})) == ()
    assert parser.requests == []


def test_other_books_stay_out_of_the_ordinary_one() -> None:
    parser = replay("binance-usdm")
    read(parser, wrapped("btcusdt@depth@100ms", update(1, 2, previous=0)))
    assert read(parser, wrapped("btcusdt@rpiDepth@500ms", update(5, 6, previous=4))) == ()
    assert len(read(parser, json.dumps(TOP | {"lastUpdateId": 1}))) == 2


def test_unwrapped_payloads_are_told_by_their_type() -> None:
    parser = live("binance:trade:BTCUSDT", "binance:quote:BTCUSDT", "binance:candle_1m:BTCUSDT")
    assert types(read(parser, TRADE)) == [("trade", "BTCUSDT")]
    assert types(read(parser, QUOTE)) == [("quote", "BTCUSDT")]
    assert types(read(parser, CANDLE)) == [("candle_1m", "BTCUSDT")]
    assert read(parser, TRADE | {"s": "ETHUSDT"}) == ()
    assert read(parser, {"e": "24hrTicker", "s": "BTCUSDT"}) == ()


def test_unwrapped_array_is_read_row_by_row() -> None:
    rows = [MARK | {"st": 1}, MARK | {"s": "BTCUSD_PERP", "st": 2}, {"e": "24hrTicker", "s": "X"}]
    events = read(replay("binance-usdm"), rows)
    assert ("mark_price", "BTCUSDT") in types(events)
    parser = live("binance-usdm:!markPrice@arr")
    assert types(read(parser, rows)) == [("mark_price", "BTCUSDT"), ("funding", "BTCUSDT")]


@pytest.mark.parametrize(
    ("exchange", "kept"), [("binance-usdm", ["BTCUSDT", "BTCUSDT_261225"]), ("binance-coinm", ["BTCUSD_PERP"])]
)
@pytest.mark.parametrize("marked", [True, False])
def test_all_market_rows_are_of_the_product(exchange: str, kept: list[str], marked: bool) -> None:
    families = {"BTCUSDT": 1, "BTCUSD_PERP": 2, "BTCUSDT_261225": 1}
    rows = [QUOTE | {"s": symbol, "T": 1} | ({"st": st} if marked else {}) for symbol, st in families.items()]
    marks = [MARK | {"s": symbol, "r": ""} | ({"st": st} if marked else {}) for symbol, st in families.items()]
    parser = live(f"{exchange}:!bookTicker", f"{exchange}:!markPrice@arr@1s", f"{exchange}:!forceOrder@arr")
    assert [e.symbol for row in rows for e in read(parser, wrapped("!bookTicker", row))] == kept
    assert [e.symbol for e in read(parser, wrapped("!markPrice@arr@1s", marks))] == kept
    order = {"s": "BTCUSD_PERP", "S": "BUY", "q": "1", "p": "2", "T": 5} | ({"st": 2} if marked else {})
    forced = read(parser, wrapped("!forceOrder@arr", {"e": "forceOrder", "E": 5, "o": order}))
    assert len(forced) == (exchange == "binance-coinm")


def test_mark_price_stream_gives_what_was_asked_of_it() -> None:
    frame = wrapped("btcusdt@markPrice@1s", MARK)
    assert types(read(live("binance-usdm:funding:BTCUSDT"), frame)) == [("funding", "BTCUSDT")]
    assert types(read(live("binance-usdm:mark_price:BTCUSDT"), frame)) == [("mark_price", "BTCUSDT")]
    both = live("binance-usdm:mark_price:BTCUSDT", "binance-usdm:funding:BTCUSDT")
    native = live("binance-usdm:btcusdt@markPrice@1s")
    assert types(read(both, frame)) == types(read(native, frame)) == [("mark_price", "BTCUSDT"), ("funding", "BTCUSDT")]
    assert not any(isinstance(event, FundingRate) for event in read(both, wrapped(frame["stream"], MARK | {"r": ""})))  # type: ignore[arg-type]  # the name


def test_spot_top_of_book_takes_its_symbol_from_the_stream() -> None:
    (event,) = read(live("binance:book_snapshot_5:币安人生USDT"), wrapped("币安人生usdt@depth5@100ms", TOP))
    assert isinstance(event, BookSnapshot)
    assert (event.symbol, event.depth, event.sequence, event.ts_event) == ("币安人生USDT", 5, 160, None)


def test_futures_top_of_book_is_a_snapshot_each_time() -> None:
    parser = live("binance-usdm:book_snapshot_20:BTCUSDT")
    for number in (5, 9):
        (event,) = read(parser, wrapped("btcusdt@depth20@100ms", update(number, number, previous=1)))
        assert isinstance(event, BookSnapshot)
        assert (event.depth, event.sequence) == (20, number)
    assert parser.requests == []


def test_microseconds_are_understood() -> None:
    (event,) = read(replay(), wrapped("btcusdt@trade", TRADE | {"T": 1786183200055123}))
    assert event.ts_event == 1786183200055123000


def test_aggregate_and_single_trades_are_numbered_apart() -> None:
    parser = live("binance:btcusdt@trade", "binance:btcusdt@aggTrade")
    agg = TRADE | {"e": "aggTrade", "a": 900, "f": 7, "l": 7}
    spaces = [
        event.data["id_space"]
        for stream, row in (("btcusdt@trade", TRADE), ("btcusdt@aggTrade", agg))
        for event in read(parser, wrapped(stream, row))
    ]
    assert spaces == [None, "agg"]


def test_ids_used_up_without_a_trade_are_absent_where_ids_leave_none_out() -> None:
    used_up = TRADE | {"p": "0", "q": "0"}
    parser = live("binance:btcusdt@trade", "binance:btcusdt@aggTrade")
    assert read(parser, wrapped("btcusdt@trade", used_up)) == ()
    assert read(parser, wrapped("btcusdt@aggTrade", used_up | {"e": "aggTrade", "a": 900, "f": 7, "l": 7})) == ()
    assert parser.requests == [
        Absent(Hole("trade", "BTCUSDT", None, 7, 7, 1)), Absent(Hole("trade", "BTCUSDT", "agg", 900, 900, 1)),
    ]  # fmt: skip
    futures = live("binance-usdm:btcusdt@trade")
    assert read(futures, wrapped("btcusdt@trade", used_up | {"X": "NA"})) == ()
    assert futures.requests == []


def test_trades_are_numbered_as_each_product_does() -> None:
    numbering = {exchange: connector.trade_numbering for exchange, connector in CONNECTORS.items()}
    assert numbering == {
        "binance": {None: "each", "agg": "each"}, "binance-usdm": {"agg": "each"}, "binance-coinm": {"agg": "each"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("payload", "request_"),
    [
        ({"result": None, "id": 1}, Acked("1")),
        ({"result": ["btcusdt@aggTrade"], "id": 3}, Acked("3")),
        ({"result": True, "id": 2}, Acked("2")),
        ({"error": {"code": 2, "msg": "Invalid request"}, "id": 4}, Refused("4", "", "2 Invalid request")),
        ({"code": 4, "msg": "Too many", "id": 5}, Refused("5", "", "4 Too many")),
        ({"error": {"code": 3, "msg": "Invalid JSON"}}, Refused("", "", "3 Invalid JSON")),
        ({"e": "serverShutdown", "E": 1}, Rotate("the exchange announced a shutdown")),
        (wrapped("!serverShutdown", {"e": "serverShutdown"}), Rotate("the exchange announced a shutdown")),
    ],
)
def test_control_frames_become_requests(payload: object, request_: object) -> None:
    parser = live("binance:trade:BTCUSDT")
    assert read(parser, payload) == ()
    assert parser.requests == [request_]


def test_an_answer_without_id_is_to_nobody() -> None:
    parser = live("binance:trade:BTCUSDT")
    assert read(parser, {"result": None, "id": None}) == ()
    assert parser.requests == []


@pytest.mark.parametrize(
    "payload", ["", "{}", "[", "null", "7", '{"stream":1}', '{"stream":"btcusdt@trade"}', '{"id":1}', "\ud800"]
)
def test_what_is_neither_payload_nor_reply_is_a_parse_error(payload: str) -> None:
    with pytest.raises(ParseError):
        read(live("binance:trade:BTCUSDT"), payload)


def test_book_asks_for_its_snapshot_after_the_first_update() -> None:
    parser = live("binance-usdm:book:币安人生USDT")
    assert parser.requests == []
    read(parser, wrapped("币安人生usdt@depth@100ms", update(5, 6, "币安人生USDT", 4)))
    assert parser.requests == [
        HttpGet("http://r/fapi/v1/depth?limit=1000&symbol=%E5%B8%81%E5%AE%89%E4%BA%BA%E7%94%9FUSDT",
                "depth:币安人生USDT", 20, "binance-futures", 0.0)
    ]  # fmt: skip
    events = read(parser, TOP | {"lastUpdateId": 5, "T": 1788376136000}, "depth:币安人生USDT")
    assert [type(event) for event in events] == [BookSnapshot, BookDelta]


def test_refused_snapshot_is_said_once_and_asked_for_again_a_minute_later() -> None:
    parser = live("binance:book:BTCUSDT")
    read(parser, wrapped("btcusdt@depth@100ms", update(5, 6)))
    parser.requests = []
    with pytest.raises(ParseError, match=r"BTCUSDT: no book snapshot: HTTP 400: -1121 Invalid symbol\."):
        read(parser, {"code": -1121, "msg": "Invalid symbol."}, "depth:BTCUSDT", 400)
    assert read(parser, "<html>", "depth:BTCUSDT", 403) == ()
    waits = [request.after_s for request in parser.requests if isinstance(request, HttpGet)]
    assert waits == [60.0, 60.0]
    assert len(read(parser, TOP | {"lastUpdateId": 5}, "depth:BTCUSDT")) == 2


def test_garbled_snapshot_is_asked_for_again() -> None:
    parser = live("binance:book:BTCUSDT")
    read(parser, wrapped("btcusdt@depth@100ms", update(5, 6)))
    parser.requests = []
    with pytest.raises(ParseError):
        read(parser, TOP | {"bids": [["x", "1"]]}, "depth:BTCUSDT")
    assert len(parser.requests) == 1


def test_update_of_another_symbol_does_not_open_a_book() -> None:
    parser = live("binance:book:BTCUSDT")
    with pytest.raises(ParseError, match="ETHUSDT"):
        read(parser, wrapped("btcusdt@depth@100ms", update(5, 6, "ETHUSDT")))
    assert parser.requests == []


def test_recorded_snapshot_without_tag_seeds_the_only_book() -> None:
    parser = replay()
    read(parser, wrapped("btcusdt@depth@100ms", update(5, 6)))
    assert types(read(parser, TOP | {"lastUpdateId": 5})) == [("book", "BTCUSDT"), ("book", "BTCUSDT")]


def test_recorded_snapshot_before_its_book_waits_for_the_first_symbol() -> None:
    parser = replay()
    assert read(parser, TOP | {"lastUpdateId": 5}) == ()
    events = read(parser, wrapped("btcusdt@depth@100ms", update(6, 7)))
    assert [type(event) for event in events] == [BookSnapshot, BookDelta]
    assert {event.symbol for event in events} == {"BTCUSDT"}


def test_recorded_snapshot_that_names_its_symbol_needs_no_guess() -> None:
    parser = replay("binance-coinm")
    for symbol in ("BTCUSD_PERP", "ETHUSD_PERP"):
        read(parser, wrapped(f"{symbol.lower()}@depth@100ms", update(5, 6, symbol, 4)))
    named = read(parser, TOP | {"lastUpdateId": 5, "symbol": "ETHUSD_PERP"})
    assert {event.symbol for event in named} == {"ETHUSD_PERP"}
    with pytest.raises(ParseError, match="names no symbol"):
        read(parser, TOP)


def test_recorded_open_interest_needs_no_tag() -> None:
    reply = {"symbol": "BTCUSDT", "openInterest": "95744.938", "time": 1791382984119}
    assert types(read(replay("binance-usdm"), reply)) == [("open_interest", "BTCUSDT")]
    with pytest.raises(ParseError):
        read(live("binance-usdm:open_interest:BTCUSDT"), reply)


def test_of_early_snapshots_the_latest_begins_the_book() -> None:
    parser = replay()
    for sequence in (5, 7):
        assert read(parser, TOP | {"lastUpdateId": sequence}) == ()
    book = wrapped("btcusdt@depth@100ms", update(7, 8))
    assert [event.sequence for event in read(parser, book) if isinstance(event, BookSnapshot)] == [7]


def test_early_snapshots_of_several_symbols_are_told_once() -> None:
    parser = replay()
    for sequence in (5, 7):
        read(parser, TOP | {"lastUpdateId": sequence})
    read(parser, wrapped("btcusdt@depth@100ms", update(7, 8)))
    other = wrapped("ethusdt@depth@100ms", update(7, 8, "ETHUSDT"))
    with pytest.raises(ParseError, match="BTCUSDT may have begun from another's"):
        read(parser, other)
    assert not read(parser, other)


def test_snapshots_without_symbol_and_without_end_are_refused() -> None:
    parser = replay()
    for _ in range(10):
        assert read(parser, TOP) == ()
    with pytest.raises(ParseError, match="names no symbol"):
        read(parser, TOP)


def test_mark_prices_of_a_pair_come_as_one_array() -> None:
    rows = [MARK | {"s": symbol, "st": 2} for symbol in ("BTCUSD_PERP", "BTCUSD_261225")]
    marks = read(replay("binance-coinm"), wrapped("btcusd@markPrice", rows))
    assert {event.symbol for event in marks} == {"BTCUSD_PERP", "BTCUSD_261225"}


def test_snapshot_from_our_own_capture_is_known_by_its_tag() -> None:
    parser = replay()
    for symbol in ("BTCUSDT", "ETHUSDT"):
        read(parser, wrapped(f"{symbol.lower()}@depth@100ms", update(5, 6, symbol)))
    events = read(parser, TOP | {"lastUpdateId": 5}, "depth:ETHUSDT")
    assert {event.symbol for event in events} == {"ETHUSDT"}
    assert read(parser, '{"symbols":[]}', "instruments") == ()


def test_open_interest_is_polled_by_the_clock_of_the_mark_price() -> None:
    parser = live("binance-usdm:open_interest:BTCUSDT")
    frame = wrapped("btcusdt@markPrice", MARK)

    def polls(at: int) -> int:
        assert not read(parser, frame, at=at)
        requests, parser.requests = parser.requests, []
        assert all(isinstance(r, HttpGet) and r.url == "http://r/fapi/v1/openInterest?symbol=BTCUSDT" for r in requests)
        return len(requests)

    assert [polls(at * S) for at in (100, 103, 170)] == [1, 0, 0]
    reply = {"symbol": "BTCUSDT", "openInterest": "95744.938", "time": 1791382984119}
    assert types(read(parser, reply, "open_interest:BTCUSDT")) == [("open_interest", "BTCUSDT")]
    assert [polls(at * S) for at in (171, 174)] == [1, 0]
    with pytest.raises(ParseError, match="BTCUSDT: no open interest: HTTP 400"):
        read(parser, {"code": -4108, "msg": "closed"}, "open_interest:BTCUSDT", 400)
    assert read(parser, {"code": -4108, "msg": "closed"}, "open_interest:BTCUSDT", 400) == ()
    assert [polls(at * S) for at in (230, 231)] == [0, 1]
    assert polls(231 * S + 10 * 60 * S) == 1


def test_streams_that_join_are_read_and_widen_a_route_but_disturb_no_book() -> None:
    parser = live("binance-usdm:mark_price:BTCUSDT", "binance-usdm:book:BTCUSDT")
    mark = {"e": "markPriceUpdate", "E": 1, "s": "BTCUSDT", "p": "1", "i": "1", "r": "0.1", "T": 5}
    assert [event.type for event in read(parser, wrapped("btcusdt@markPrice@1s", mark))] == ["mark_price"]
    assert parser.extend([Subscription.parse("binance-usdm:funding:BTCUSDT")])
    assert [e.type for e in read(parser, wrapped("btcusdt@markPrice@1s", mark))] == ["mark_price", "funding"]
    assert not parser.extend([Subscription.parse("binance-usdm:book:BTCUSDT")])
    assert parser.extend([Subscription.parse("binance-usdm:book:ETHUSDT")])
    read(parser, wrapped("ethusdt@depth@100ms", update(5, 6, "ETHUSDT", 4)))
    assert [request.tag for request in parser.requests if isinstance(request, HttpGet)] == ["depth:ETHUSDT"]
