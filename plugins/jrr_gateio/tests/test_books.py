"""Gate's two books: `obu` whole in the stream, `order_book_update` begun over REST."""

from collections.abc import Sequence
from contextlib import suppress

import pytest
from jrr_gateio.connector import Futures, GateSettings, Spot
from jrr_gateio.parser import GateParser

from jrr_core.errors import ParseError
from jrr_core.events import BookDelta, BookSnapshot, Gap, Message
from jrr_core.frame import Frame, HttpGet, Request, Send
from jrr_core.subscription import Subscription
from jrr_core.wire import decode, encode

T0 = 1_754_006_400_000


def obu(
    first: int | None,
    last: int,
    levels: bool = True,
    full: bool = False,
    stream: str = "ob.X_USDT.400",
    ms: int | None = None,
) -> str:
    row: dict[str, object] = {"t": T0 + (last if ms is None else ms), "s": stream, "u": last}
    row |= {"full": True} if full else {}
    row |= {"U": first} if first is not None else {}
    row |= {"b": [["100", str(last)]], "a": [["101", "1"]]} if levels else {}
    return encode({"time": 1, "channel": "spot.obu", "event": "update", "result": row})


def whole(number: int, first: int | None = None) -> str:
    return obu(first, number, full=True)


def diff(first: int, last: int, full: bool = False, channel: str = "spot") -> str:
    level: object = {"p": "100", "s": last} if channel == "futures" else ["100", str(last)]
    row = {"t": T0 + last, "s": "X_USDT", "U": first, "u": last, "b": [level], "a": []}
    row |= {"full": True} if full else {}
    return encode({"time": 1, "channel": f"{channel}.order_book_update", "event": "update", "result": row})


class Client:
    """A parser of X_USDT's book, and what it asks for."""

    def __init__(self, *channels: str, futures: bool = False, **settings: str) -> None:
        connector = (Futures if futures else Spot)(
            (Futures.Settings if futures else GateSettings)(rest_url="http://sim", **settings)  # type: ignore[arg-type]
        )
        wanted = [Subscription(connector.exchange, channel, "X_USDT") for channel in channels or ("book",)]
        self.parser: GateParser = connector.parser(wanted)
        self.exchange = connector.exchange

    def take(self, *texts: str) -> list[Message]:
        return [event for text in texts for event in self.parser.receive(Frame(self.exchange, text, T0 * 10**6))]

    def seed(self, number: int, status: int = 200) -> list[Message]:
        body = encode({"id": number, "asks": [["101", "1"]], "bids": [["99", "1"]]})
        return list(self.parser.receive(Frame(self.exchange, body, T0 * 10**6, "seed:X_USDT", status)))

    def asked(self) -> list[Request]:
        asked, self.parser.requests = self.parser.requests, []
        return asked


def kinds(events: Sequence[Message]) -> list[str]:
    return [event.type for event in events]


def test_rows_chain_by_their_first_number_one_without_levels_too() -> None:
    client = Client()
    events = client.take(whole(10), obu(11, 14), obu(15, 17, levels=False), obu(18, 18))
    numbers = [(e.first_sequence, e.sequence) for e in events if isinstance(e, BookDelta)]
    assert numbers == [(11, 14), (15, 17), (18, 18)]
    assert client.asked() == []


def test_a_whole_book_may_come_again_and_old_rows_after_it_are_left_out() -> None:
    client = Client()
    assert kinds(client.take(whole(10), whole(10), obu(8, 10), obu(11, 12))) == ["book_snapshot", "book_delta"]
    assert client.asked() == []


def test_a_hole_is_told_and_the_topic_asked_for_anew() -> None:
    client = Client("book", "book_snapshot_5")
    client.take(whole(10))
    gaps = client.take(obu(13, 14))
    assert [(gap.what, gap.reason, gap.sequences) for gap in gaps if isinstance(gap, Gap)] == [
        (channel, "13 came after 10", (10, 13)) for channel in ("book", "book_snapshot_5")
    ]
    leave, again = client.asked()
    assert isinstance(leave, Send)
    assert isinstance(again, Send)
    text = again.text.replace("{now_s}", "1")
    assert (decode(text)["event"], decode(text)["payload"]) == ("subscribe", ["ob.X_USDT.400"])
    assert leave.acks == ()
    assert kinds(client.take(whole(20))) == ["gap", "gap", "book_snapshot", "book_snapshot"]


def test_a_whole_book_that_does_not_follow_on_is_a_gap() -> None:
    client = Client()
    assert kinds(client.take(whole(10), whole(15), whole(18, first=16))) == [
        "book_snapshot", "gap", "book_snapshot", "book_snapshot",
    ]  # fmt: skip


def test_numbers_that_begin_anew_are_a_gap_and_the_topic_is_asked_for() -> None:
    client = Client()
    client.take(whole(1000), obu(1001, 1005))
    assert kinds(client.take(obu(1, 3, ms=2000), obu(4, 6, ms=2100))) == ["gap"]
    assert len(client.asked()) == 2
    assert kinds(client.take(obu(None, 9, full=True, ms=2200), obu(10, 12, ms=2300))) == [
        "gap", "book_snapshot", "book_delta",
    ]  # fmt: skip


@pytest.mark.parametrize("bad", [obu(None, 11), obu(12, 11), obu(11, 11, stream="ob.X_USDT.50")])
def test_a_bad_row_leaves_no_trace(bad: str) -> None:
    client = Client()
    client.take(whole(10))
    with suppress(ParseError):
        assert client.take(bad) == []
    assert kinds(client.take(obu(11, 12))) == ["book_delta"]


def test_diffs_wait_for_their_snapshot_which_is_asked_for_once() -> None:
    client = Client("book", "book_snapshot_5", book_stream="order_book_update")
    assert client.take(diff(5, 7), diff(8, 9)) == []
    (get,) = client.asked()
    assert isinstance(get, HttpGet)
    assert get.url == "http://sim/api/v4/spot/order_book?currency_pair=X_USDT&limit=100&with_id=true"
    assert (get.tag, get.pool) == ("seed:X_USDT", "gateio")
    events = client.seed(7)
    assert kinds(events) == ["book_snapshot", "book_snapshot", "book_delta", "book_snapshot"]
    assert kinds(client.take(diff(10, 12))) == ["book_delta", "book_snapshot"]
    assert kinds(client.take(diff(14, 15))) == ["gap"]
    assert len(client.asked()) == 1


def test_a_whole_book_among_the_diffs_begins_the_book() -> None:
    client = Client(book_stream="order_book_update")
    assert kinds(client.take(diff(5, 7, full=True), diff(8, 9))) == ["book_snapshot", "book_delta"]


def test_a_refused_snapshot_is_told_and_asked_for_again_later() -> None:
    client = Client(book_stream="order_book_update")
    client.take(diff(5, 7))
    client.asked()
    with pytest.raises(ParseError, match="HTTP 400"):
        client.seed(7, 400)
    (again,) = client.asked()
    assert isinstance(again, HttpGet)
    assert again.after_s >= 60


def test_levels_of_futures_are_objects() -> None:
    client = Client(futures=True, book_stream="order_book_update")
    (snapshot,) = client.take(diff(5, 7, full=True, channel="futures"))
    assert isinstance(snapshot, BookSnapshot)
    assert list(snapshot.bids) == [("100", "7")]
