"""Events name where, when and what; their keys tell the same event from another."""

import pickle
from decimal import Decimal

import attrs
import pytest

from jrr_core.events import ALL_EVENTS, MARKET_EVENTS, STREAM_EVENTS, BookSnapshot, Candle, Gap, Message, Quote, Trade
from jrr_core.levels import EMPTY
from jrr_core.subscription import CHANNELS
from jrr_core.testing.samples import samples

PRICE = Decimal("61837.63")
everything = [event for kind in ALL_EVENTS for event in samples(kind)]


@pytest.mark.parametrize("event", everything, ids=lambda event: event.type)
class TestEveryEvent:
    def test_data_gives_its_own_fields_by_name(self, event: Message) -> None:
        own = [name for name in attrs.asdict(event, recurse=False) if name not in _base]
        assert list(event.data) == own
        assert dict(event.data) == {name: getattr(event, name) for name in own}
        assert len(event.data) == len(own)
        assert repr(event.data) == repr(dict(event.data))

    def test_data_has_no_other_names(self, event: Message) -> None:
        for name in ("exchange", "KEY", "type", "key", "__class__"):
            assert name not in event.data
            with pytest.raises(KeyError):
                event.data[name]

    def test_key_is_hashable_and_made_of_its_fields(self, event: Message) -> None:
        hash(event.key())
        assert len(event.key()) == len(event.KEY)
        assert set(event.KEY) <= set(_base) | set(event.fields())

    def test_has_no_room_for_other_attributes(self, event: Message) -> None:
        with pytest.raises(AttributeError):
            event.surprise = 1  # type: ignore[attr-defined]  # the test is that it fails

    def test_survives_pickling(self, event: Message) -> None:
        assert pickle.loads(pickle.dumps(event)) == event


_base = ("exchange", "symbol", "ts_event", "ts_recv")


def test_each_class_has_a_type_of_its_own() -> None:
    assert len({kind.type for kind in ALL_EVENTS}) == len(ALL_EVENTS)


@pytest.mark.parametrize("kind", MARKET_EVENTS)
def test_market_events_belong_to_a_channel_one_can_subscribe(kind: type[Message]) -> None:
    assert {event.channel.partition("@")[0] for event in samples(kind)} <= set(CHANNELS)


@pytest.mark.parametrize("kind", STREAM_EVENTS)
def test_stream_events_belong_to_the_stream_they_speak_of(kind: type[Message]) -> None:
    assert [event.channel for event in samples(kind)] == ["trade", "book"]


def test_price_is_read_by_name() -> None:
    trade = Trade("example", "BTC-USDT", 1, 2, PRICE, Decimal("0.1"), "buy", "7")
    assert trade.data["price"] is trade.price
    assert trade.count == 1
    assert trade.channel == trade.type == "trade"


def test_same_id_in_another_id_space_is_another_trade() -> None:
    trade = Trade("example", "BTC-USDT", 1, 2, PRICE, PRICE, None, "7")
    assert trade.key() != attrs.evolve(trade, id_space="agg").key()
    assert trade.key() == attrs.evolve(trade, price=Decimal(1), ts_recv=99).key()


@pytest.mark.parametrize(("sequence", "ts_event", "key"), [(5, 1, 5), (0, 1, 0), (None, 1, 1), (None, None, 2)])
def test_key_is_the_sequence_or_else_the_best_time_known(sequence: int | None, ts_event: int | None, key: int) -> None:
    quote = Quote("example", "BTC-USDT", ts_event, 2, None, None, PRICE, PRICE, sequence)
    assert quote.key() == (key,)
    snapshot = BookSnapshot("example", "BTC-USDT", ts_event, 2, EMPTY, EMPTY, 5, sequence)
    assert snapshot.key() == (5, key)


def test_snapshot_channel_tells_full_from_partial() -> None:
    full = BookSnapshot("example", "BTC-USDT", 1, 2, EMPTY, EMPTY, None, 3)
    assert full.channel == "book"
    assert attrs.evolve(full, depth=10).channel == "book_snapshot_10"


def test_closed_candle_has_the_key_of_the_open_one() -> None:
    candle: Candle = samples(Candle)[0]
    assert candle.channel == "candle_1m"
    assert attrs.evolve(candle, closed=False, close=PRICE).key() == candle.key()


def test_gap_needs_only_its_stream() -> None:
    gap = Gap("example", "BTC-USDT", None, 2, "book", "")
    assert (gap.reason, gap.count, gap.sequences) == (None, None, None)
