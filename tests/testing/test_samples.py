"""The kit's own events: valid, all different, and new objects each time."""

import pytest

from jrr_core.events import ALL_EVENTS, Trade
from jrr_core.instrument import Instrument
from jrr_core.testing.samples import samples, trade


@pytest.mark.parametrize("kind", [*ALL_EVENTS, Instrument])
def test_samples_of_a_class_are_all_different_events(kind: type) -> None:
    made = samples(kind)
    assert {type(event) for event in made} == {kind}
    if kind is not Instrument:
        assert len({(event.exchange, event.symbol, event.key()) for event in made}) == len(made)


def test_samples_are_new_objects_each_time() -> None:
    one, two = samples(Trade), samples(Trade)
    assert one == two
    assert one[0] is not two[0]


def test_unknown_classes_have_no_samples() -> None:
    with pytest.raises(LookupError, match="override samples"):
        samples(str)


def test_a_trade_can_be_changed_field_by_field() -> None:
    assert trade(5, symbol="ETH-USDT").symbol == "ETH-USDT"
    assert trade(5).trade_id != trade(6).trade_id
