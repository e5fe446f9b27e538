"""Answers to requests: acknowledged streams are proved, one bad topic takes no other with it."""

import pytest
from jrr_bybit.connector import Linear
from jrr_bybit.parser import BybitParser

from jrr_core.errors import ParseError
from jrr_core.frame import Acked, Frame, Refused, Request, Send
from jrr_core.subscription import Subscription
from jrr_core.wire import decode, encode

STREAMS = ("trade:BTCUSDT", "book:BTCUSDT", "trade:NOSUCH", "mark_price:BTCUSDT", "funding:BTCUSDT")


class Client:
    """A connection: what it said first, and what its parser asks for after an answer."""

    def __init__(self, *streams: str) -> None:
        connector = Linear(Linear.Settings())
        (self.plan,) = connector.sessions([Subscription.of("bybit-linear", stream) for stream in streams])
        self.said = self.plan.subscribe(self.plan.subscriptions)
        self.parser: BybitParser = connector.parser(self.plan.subscriptions)

    def hear(self, **answer: object) -> list[Request]:
        frame = Frame("bybit-linear", encode({"conn_id": "c", "op": "subscribe", **answer}), 0)
        assert list(self.parser.receive(frame)) == []
        asked, self.parser.requests = self.parser.requests, []
        return asked


def topics(request: Request) -> list[str]:
    assert isinstance(request, Send)
    return list(decode(request.text)["args"])


def test_an_acknowledgement_proves_all_but_books_which_their_snapshots_prove() -> None:
    client = Client("trade:BTCUSDT", "book:BTCUSDT", "quote:BTCUSDT", "mark_price:BTCUSDT", "funding:BTCUSDT")
    (send,) = client.said
    (acked,) = client.hear(success=True, ret_msg="", req_id=send.acks[0])
    assert isinstance(acked, Acked)
    assert acked.key == send.acks[0]
    assert {item.channel for item in acked.proves} == {"trade", "mark_price", "funding"}


@pytest.mark.parametrize("named", [True, False])
def test_a_refused_request_is_asked_again_topic_by_topic_and_the_bad_one_refused_by_name(named: bool) -> None:
    client = Client(*STREAMS)
    (send,) = client.said
    reason = "Invalid topic: publicTrade.NOSUCH"
    acked, *singles = client.hear(success=False, ret_msg=reason, **({"req_id": send.acks[0]} if named else {}))
    assert acked == Acked(send.acks[0])
    assert [topics(single) for single in singles] == [
        ["publicTrade.BTCUSDT"], ["orderbook.1000.BTCUSDT"], ["publicTrade.NOSUCH"], ["tickers.BTCUSDT"],
    ]  # fmt: skip
    (refused,) = client.hear(success=False, ret_msg=reason)
    bad = singles[2]
    assert isinstance(bad, Send)
    assert refused == Refused(bad.acks[0], "publicTrade.NOSUCH", reason)
    good = singles[0]
    assert isinstance(good, Send)
    (proved,) = client.hear(success=True, req_id=good.acks[0])
    assert proved == Acked(good.acks[0], (Subscription("bybit-linear", "trade", "BTCUSDT"),))


def test_a_refusal_that_names_nothing_is_told_with_its_words() -> None:
    assert Client("trade:BTCUSDT").hear(success=False, ret_msg="system error") == [Refused("", "", "system error")]


def test_answers_to_pings_and_unsubscribes_mean_nothing() -> None:
    client = Client("trade:BTCUSDT")
    assert client.hear(success=True, ret_msg="pong", op="ping") == []
    assert client.hear(success=True, ret_msg="", op="unsubscribe") == []


@pytest.mark.parametrize("answer", [{"op": "dance"}, {"op": "subscribe", "success": None}, {"op": None}])
def test_an_undocumented_answer_is_a_parse_error(answer: dict[str, object]) -> None:
    with pytest.raises(ParseError, match="does not document"):
        Client("trade:BTCUSDT").hear(**answer)


def test_a_broken_book_is_asked_for_anew_and_its_answer_is_known() -> None:
    client = Client("book:BTCUSDT")
    data = {"s": "BTCUSDT", "b": [], "a": [], "u": 9, "seq": 9}
    text = encode({"topic": "orderbook.1000.BTCUSDT", "type": "delta", "ts": 1, "data": data})
    client.parser.receive(Frame("bybit-linear", text, 10**18))
    leave, again = client.parser.requests
    client.parser.requests = []
    assert isinstance(leave, Send)
    assert isinstance(again, Send)
    assert [decode(send.text)["op"] for send in (leave, again)] == ["unsubscribe", "subscribe"]
    assert (leave.acks, topics(again)) == ((), ["orderbook.1000.BTCUSDT"])
    assert client.hear(success=True, req_id=again.acks[0]) == [Acked(again.acks[0])]


def test_streams_that_join_are_answered_for_unless_their_topic_is_read_already() -> None:
    client = Client("mark_price:BTCUSDT")
    joining = [Subscription.of("bybit-linear", "trade:ETHUSDT")]
    assert not client.parser.extend([*joining, Subscription.of("bybit-linear", "funding:BTCUSDT")])
    assert client.parser.extend(joining)
    (send,) = client.plan.subscribe(joining)
    (acked,) = client.hear(success=True, ret_msg="", req_id=send.acks[0])
    assert acked == Acked(send.acks[0], tuple(joining))
