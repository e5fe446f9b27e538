"""What was asked for, and what newer lists make of it."""

from jrr_core.instrument import Instrument, Instruments
from jrr_core.subscription import Subscription
from jrr_core.wishes import Changes, Wishes

PATTERN = Subscription("toy", "trade", "*USDT")
NOW = 1_000


def listed(*symbols: str, expiry: int | None = None, active: bool = True) -> Instruments:
    return Instruments("toy", [
        Instrument("toy", s, s, "USDT", None, "spot", None, None, None, None, f"{s}-", expiry, "", active)
        for s in symbols
    ])  # fmt: skip


def trades(*symbols: str) -> tuple[Subscription, ...]:
    return tuple(Subscription("toy", "trade", symbol) for symbol in symbols)


def wishing(wish: Subscription, *symbols: str) -> Wishes:
    wishes = Wishes()
    wishes.add(wish, trades(*symbols))
    return wishes


def test_what_comes_to_fit_a_pattern_is_new_once() -> None:
    wishes = wishing(PATTERN, "AUSDT")
    newer = listed("AUSDT", "BUSDT", "CEUR")
    assert wishes.changes(newer, NOW) == Changes(trades("BUSDT"), (), ())
    assert wishes.changes(newer, NOW) == Changes((), (), ())
    assert wishes.streams_of(PATTERN) == set(trades("AUSDT", "BUSDT"))


def test_what_is_missing_from_one_list_is_doubted_and_from_two_over() -> None:
    wishes = wishing(PATTERN, "AUSDT", "BUSDT")
    assert wishes.changes(listed("AUSDT"), NOW) == Changes((), (), trades("BUSDT"))
    assert wishes.changes(listed("AUSDT", "BUSDT"), NOW) == Changes((), (), ())
    assert wishes.changes(listed("AUSDT"), NOW).doubtful == trades("BUSDT")
    assert wishes.changes(listed("AUSDT"), NOW) == Changes((), trades("BUSDT"), ())
    assert wishes.changes(listed("AUSDT"), NOW) == Changes((), (), ())


def test_what_has_expired_is_over_at_once_and_what_does_not_trade_counts_as_missing() -> None:
    wishes = wishing(PATTERN, "AUSDT")
    assert wishes.changes(listed("AUSDT", expiry=NOW + 1), NOW) == Changes((), (), ())
    assert wishes.changes(listed("AUSDT", expiry=NOW), NOW) == Changes((), trades("AUSDT"), ())
    halted = wishing(PATTERN, "AUSDT")
    assert halted.changes(listed("AUSDT", active=False), NOW).doubtful == trades("AUSDT")


def test_a_symbol_that_was_named_is_kept_while_it_is_listed_and_comes_back_with_it() -> None:
    (named,) = trades("AUSDT")
    wishes = wishing(named, "AUSDT")
    assert wishes.changes(listed("AUSDT", active=False), NOW) == Changes((), (), ())
    wishes.changes(listed("B"), NOW)
    assert wishes.changes(listed("B"), NOW).over == (named,)
    assert wishes.changes(listed("AUSDT"), NOW).fresh == (named,)


def test_a_stream_is_over_only_when_no_wish_has_it() -> None:
    (named,) = trades("AUSDT")
    wishes = wishing(PATTERN, "AUSDT", "BUSDT")
    wishes.add(named, [named])
    assert wishes.retract([PATTERN]) == list(trades("BUSDT"))
    assert list(wishes) == [named]
    assert wishes.retract([named, PATTERN]) == [named]


def test_dropping_streams_forgets_who_named_them_but_no_pattern() -> None:
    (named,) = trades("AUSDT")
    wishes = wishing(PATTERN, "AUSDT")
    wishes.add(named, [named])
    wishes.drop([], [named])
    assert list(wishes) == [PATTERN]
    assert wishes.changes(listed("AUSDT"), NOW) == Changes((), (), ())
    wishes.drop([PATTERN], [])
    assert not list(wishes)
