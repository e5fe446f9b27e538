"""Frames find their stream; control frames become requests; whatever else is refused. See test_conformance too."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jrr_okx.connector import OkxConnector, OkxSettings
from jrr_okx.parser import OkxParser

from jrr_core.errors import ParseError
from jrr_core.events import BookSnapshot, Message
from jrr_core.frame import Acked, Frame, Refused, Rotate, Send
from jrr_core.subscription import Subscription
from jrr_core.wire import decode, encode

RECV = 1_786_540_436_100_000_000
MISSING = (
    "Wrong URL or channel:trades,instId:BTC-USDT doesn't exist. "
    "Please use the correct URL, channel and parameters referring to API document."
)


def live(*texts: str) -> tuple[OkxParser, list[Send]]:
    """Return the parser of one connection and the messages that subscribe it."""
    connector = OkxConnector(OkxSettings())
    (plan,) = connector.sessions([Subscription.parse(f"okx:{text}") for text in texts])
    return connector.parser(plan.subscriptions), list(plan.subscribe(plan.subscriptions))


def feed(parser: OkxParser, payload: object, ts_recv: int = RECV) -> list[Message]:
    text = payload if isinstance(payload, str | bytes) else encode(payload)
    return list(parser.receive(Frame("okx", text, ts_recv)))


def trade(symbol: str = "BTC-USDT", trade_id: int = 5) -> dict[str, Any]:
    row = {"instId": symbol, "tradeId": str(trade_id), "px": "1", "sz": "2", "side": "buy", "ts": "1786540436090"}
    return {"arg": {"channel": "trades", "instId": symbol}, "data": [row]}


def book(symbol: str, sequence: int, previous: int, action: str = "update") -> dict[str, Any]:
    row = {
        "asks": [["101", "2", "0", "1"]], "bids": [["100", "1", "0", "1"]], "ts": "1786540436090", "checksum": 0,
        "seqId": sequence, "prevSeqId": previous,
    }  # fmt: skip
    return {"arg": {"channel": "books", "instId": symbol}, "action": action, "data": [row]}


def test_only_what_was_asked_for_is_read() -> None:
    parser, _ = live("trade:BTC-USDT")
    assert [event.symbol for event in feed(parser, trade())] == ["BTC-USDT"]
    assert feed(parser, trade("ETH-USDT")) == []
    assert feed(parser, book("BTC-USDT", 10, -1, "snapshot")) == []


def test_replay_reads_every_symbol_and_keeps_them_apart() -> None:
    parser, events = OkxParser(None), list[Message]()
    for number in range(1, 20):
        for symbol in ("BTC-USDT", "ETH-USDT-SWAP", "BTC-USD-261225"):
            action = "snapshot" if number == 1 else "update"
            events += feed(parser, book(symbol, number * 7 + len(symbol), (number - 1) * 7 + len(symbol), action))
            events += feed(parser, trade(symbol, number + len(symbol)))
    assert {event.type for event in events} == {"book_snapshot", "book_delta", "trade"}
    assert len(events) == 19 * 3 * 2


def test_replay_passes_over_channels_without_an_event() -> None:
    parser = OkxParser(None)
    assert feed(parser, {"arg": {"channel": "tickers", "instId": "BTC-USDT"}, "data": [{"last": "1"}]}) == []
    assert feed(parser, {"arg": {"channel": "status"}, "data": [{"state": "ongoing"}]}) == []


def test_replies_of_rest_are_passed_over() -> None:
    assert OkxParser(None).receive(Frame("okx", "<html>", RECV, tag="instruments:SPOT")) == ()


def test_acknowledgement_before_its_arg_or_after_proves_the_stream() -> None:
    parser, sends = live("trade:BTC-USDT", "quote:BTC-USDT")
    feed(
        parser, {"id": "b1", "event": "subscribe", "arg": {"channel": "trades", "instId": "BTC-USDT"}, "connId": "4a0"}
    )
    feed(parser, trade())
    feed(parser, {"arg": {"channel": "bbo-tbt", "instId": "BTC-USDT"}, "event": "subscribe", "connId": "4a0"})
    acked = [request for request in parser.requests if isinstance(request, Acked)]
    assert [request.key for request in acked] == list(sends[0].acks)
    assert [str(stream) for request in acked for stream in request.proves] == [
        "okx:trade:BTC-USDT",
        "okx:quote:BTC-USDT",
    ]


def test_acknowledgement_in_the_order_of_a_push_is_not_taken_for_one() -> None:
    parser, _ = live("trade:BTC-USDT")
    feed(parser, trade())
    assert feed(parser, {"arg": {"channel": "trades", "instId": "BTC-USDT"}, "event": "subscribe"}) == []
    assert [type(request) for request in parser.requests] == [Acked]


def test_book_is_proved_by_its_snapshot_not_by_the_acknowledgement() -> None:
    parser, _ = live("book:BTC-USDT")
    feed(parser, {"event": "subscribe", "arg": {"channel": "books", "instId": "BTC-USDT"}})
    assert parser.requests == [Acked("books:BTC-USDT", ())]


@pytest.mark.parametrize("code", ["60018", "60011", "64003"])
def test_error_that_names_its_stream_refuses_that_one(code: str) -> None:
    parser, _ = live("trade:BTC-USDT", "quote:BTC-USDT")
    feed(parser, {"event": "error", "msg": MISSING, "code": code, "connId": "a4"})
    assert parser.requests == [Refused("trades:BTC-USDT", "trades:BTC-USDT", f"{code}: {MISSING}")]


def test_error_of_a_whole_request_refuses_all_its_streams() -> None:
    parser, sends = live("trade:BTC-USDT", "quote:BTC-USDT")
    feed(parser, {"id": decode(sends[0].text)["id"], "event": "error", "code": "60012", "msg": "Invalid request: {}"})
    assert [request.key for request in parser.requests if isinstance(request, Refused)] == list(sends[0].acks)


def test_error_of_one_of_several_streams_says_which_it_could_be() -> None:
    parser, sends = live("trade:BTC-USDT", "quote:BTC-USDT")
    feed(parser, {"id": decode(sends[0].text)["id"], "event": "error", "code": "60011", "msg": "Please log in"})
    assert parser.requests == [Refused("", "one of trades:BTC-USDT, bbo-tbt:BTC-USDT", "60011: Please log in")]


def test_error_of_a_request_with_one_stream_is_that_streams() -> None:
    parser, sends = live("trade:BTC-USDT")
    feed(parser, {"id": decode(sends[0].text)["id"], "event": "error", "code": "60011", "msg": "Please log in"})
    assert parser.requests == [Refused("trades:BTC-USDT", "trades:BTC-USDT", "60011: Please log in")]


def test_error_that_names_nothing_is_reported_all_the_same() -> None:
    parser, _ = live("trade:BTC-USDT")
    feed(parser, {"event": "error", "code": "60012", "msg": "Invalid request: x"})
    assert parser.requests == [Refused("", "a request", "60012: Invalid request: x")]


def test_upgrade_notice_asks_for_a_successor() -> None:
    parser = OkxParser(None)
    feed(parser, {"event": "notice", "code": "64008", "msg": "The connection will soon be closed.", "connId": "a4"})
    assert parser.requests == [Rotate("The connection will soon be closed.")]


@pytest.mark.parametrize(
    "payload",
    [
        "pong", b"pong", {"event": "notice", "code": "1", "msg": "hello"},
        {"event": "channel-conn-count", "channel": "orders", "connCount": "2", "connId": "a4"},
        {"event": "channel-conn-count-error", "channel": "orders", "connCount": "30", "connId": "a4"},
        {"event": "unsubscribe", "arg": {"channel": "trades", "instId": "BTC-USDT"}},
    ],
)  # fmt: skip
def test_frames_about_nothing_to_do_are_control(payload: object) -> None:
    parser = OkxParser(None)
    assert feed(parser, payload) == []
    assert parser.requests == []


@pytest.mark.parametrize(
    "payload",
    [
        "", "ping", "{", "[]", "null", b"\xff", '{"event":"party"}', '{"event":"subscribe"}', "{}",
        '{"arg":{"channel":"trades"},"data":[]}', '{"arg":{"channel":"trades","instId":"a b"},"data":[]}',
        '{"arg":{"channel":"trades","instId":"BTC-USDT"}}', '{"arg":{"channel":"books","instId":"X"},"data":[]}',
    ],
)  # fmt: skip
def test_anything_else_is_refused(payload: str | bytes) -> None:
    with pytest.raises(ParseError):
        feed(OkxParser(None), payload)


def test_broken_book_unsubscribes_and_subscribes_its_topic() -> None:
    parser, _ = live("book:BTC-USDT", "book:ETH-USDT")
    for symbol in ("BTC-USDT", "ETH-USDT"):
        feed(parser, book(symbol, 10, -1, "snapshot"))
    feed(parser, book("BTC-USDT", 30, 20))
    said = [decode(request.text) for request in parser.requests if isinstance(request, Send)]
    assert [(text["op"], text["args"]) for text in said] == [
        (op, [{"channel": "books", "instId": "BTC-USDT"}]) for op in ("unsubscribe", "subscribe")
    ]
    assert [request.acks for request in parser.requests if isinstance(request, Send)] == [(), ("books:BTC-USDT",)]
    assert [event.type for event in feed(parser, book("ETH-USDT", 20, 10))] == ["book_delta"]


def test_depths_okx_lacks_are_read_off_its_book() -> None:
    parser, _ = live("book_snapshot_10:BTC-USDT", "book_snapshot_20:BTC-USDT")
    events = feed(parser, book("BTC-USDT", 10, -1, "snapshot"))
    assert [event.depth for event in events if isinstance(event, BookSnapshot)] == [10, 20]


def test_liquidations_are_those_of_the_wanted_symbols() -> None:
    parser, _ = live("liquidation:BTC-USDT-SWAP")
    details = [{"bkPx": "1", "sz": "2", "side": "buy", "posSide": "short", "ts": "1786540436090"}]
    rows = [{"instId": symbol, "details": details} for symbol in ("BTC-USDT-SWAP", "ETH-USDT-SWAP")]
    events = feed(parser, {"arg": {"channel": "liquidation-orders", "instType": "SWAP"}, "data": rows})
    assert [event.symbol for event in events] == ["BTC-USDT-SWAP"]


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(["event", "arg", "data", "channel", "instId", "action", "code", "msg", "id"]),
                      inner | st.sampled_from(["trades", "books", "subscribe", "error", "notice", "BTC-USDT"])),
    max_leaves=12,
))  # fmt: skip
def test_any_json_gives_events_nothing_or_parse_error(value: object) -> None:
    parser, _ = live("trade:BTC-USDT", "book:BTC-USDT", "book_snapshot_20:BTC-USDT")
    feed(parser, book("BTC-USDT", 10, -1, "snapshot"))
    with suppress(ParseError):
        feed(parser, value)
    assert [event.type for event in feed(parser, trade())] == ["trade"]


def joins(parser: OkxParser, *texts: str) -> bool:
    return parser.extend([Subscription.parse(f"okx:{text}") for text in texts])


def test_streams_that_join_are_read_proved_and_refused_as_the_first_ones() -> None:
    parser, _ = live("trade:BTC-USDT", "liquidation:BTC-USDT-SWAP")
    assert feed(parser, trade("ETH-USDT")) == []
    assert joins(parser, "trade:ETH-USDT", "liquidation:ETH-USDT-SWAP", "trade:FOO-USDT")
    assert [event.symbol for event in feed(parser, trade("ETH-USDT"))] == ["ETH-USDT"]
    assert [event.symbol for event in feed(parser, trade())] == ["BTC-USDT"]
    feed(parser, {"event": "subscribe", "arg": {"channel": "liquidation-orders", "instType": "SWAP"}})
    (acked,) = parser.requests
    assert isinstance(acked, Acked)
    assert [item.symbol for item in acked.proves] == ["BTC-USDT-SWAP", "ETH-USDT-SWAP"]


def test_a_book_that_is_kept_is_not_disturbed_by_one_made_from_it() -> None:
    parser, _ = live("book:BTC-USDT")
    feed(parser, book("BTC-USDT", 5, -1, "snapshot"))
    assert not joins(parser, "trade:BTC-USDT", "book_snapshot_10:BTC-USDT")
    assert feed(parser, trade()) == []
    assert [event.type for event in feed(parser, book("BTC-USDT", 6, 5))] == ["book_delta"]
    assert joins(parser, "book:ETH-USDT")
    assert [event.symbol for event in feed(parser, book("ETH-USDT", 5, -1, "snapshot"))] == ["ETH-USDT"]
