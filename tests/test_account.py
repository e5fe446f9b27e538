"""The stats, the verdict, and their names."""

from jrr_core.account import Account
from jrr_core.buffer import Buffer
from jrr_core.counters import SinkCounters
from jrr_core.drain import Drain
from jrr_core.notify import CallbackSubscriber, Notifier
from jrr_core.sink import BatchPolicy
from tests.test_exchange import exchange, wanted
from tests.toy import MemorySink, trade


def drain() -> Drain:
    counters = SinkCounters()
    return Drain(MemorySink(), Buffer(BatchPolicy(), 10, counters), counters, lambda *entry: None)


def notifier() -> Notifier:
    counters = SinkCounters()
    return Notifier(CallbackSubscriber("trade", lambda event: None), Buffer(BatchPolicy(), 10, counters), counters)


def test_a_clean_run_has_no_failings() -> None:
    assert Account([exchange()], [drain()], [notifier()]).failings() == []


def test_everything_lost_or_failed_is_named() -> None:
    at, to = exchange(), drain()
    at.carriage.wanted["toy:trade:X"] = wanted("trade:X")[0]
    at.unresolved += wanted("trade:Q*")
    counters = at.around.desk.counters
    counters.rejected, counters.refused, counters.interruptions, counters.breaks = 1, 2, 3, 4
    counters.missing, counters.backfilled = 7, 2
    to.counters.dropped, to.counters.quarantined = 6, 7
    to.buffer.put(trade(1))
    found = Account([at], [to], []).failings()
    for words in (
        "never connected", "1 frames not understood", "2 subscriptions refused", "3 interruptions of streams",
        "4 gaps of unknown size", "5 events missing", "1 subscriptions never resolved", "memory: 6 events dropped",
        "memory: 7 events refused", "memory: 1 events not stored",
    ):  # fmt: skip
        assert any(words in text for text in found), words


def test_two_of_one_name_are_both_in_the_stats() -> None:
    stats = Account([], [drain(), drain()], [notifier(), notifier()]).stats()
    assert list(stats["sinks"]) == ["memory", "memory-2"]
    assert len(stats["subscribers"]) == 2


def test_an_exchange_shows_while_wanted_or_once_it_worked() -> None:
    idle, asked, worked = exchange(), exchange(), exchange()
    asked.carriage.wanted["toy:trade:X"] = wanted("trade:X")[0]
    worked.around.desk.counters.connections = 1
    assert [bool(Account([each], [], []).stats()["exchanges"]) for each in (idle, asked, worked)] == [False, True, True]


def test_without_streams_the_stats_are_the_same_but_for_their_list() -> None:
    at = exchange()
    at.carriage.wanted["toy:trade:X"] = wanted("trade:X")[0]
    at.around.desk.board.expect("trade", "X", 0)
    account = Account([at], [], [])
    (full,), (brief,) = (account.stats(each)["exchanges"].values() for each in (True, False))
    assert [stream["symbol"] for stream in full["streams"]] == ["X"]
    assert brief == {**full, "streams": []}


def test_the_pulse_is_part_of_the_stats() -> None:
    at = exchange()
    at.carriage.wanted["toy:trade:X"] = wanted("trade:X")[0]
    account = Account([at], [drain()], [])
    pulse, stats = account.pulse(), account.stats()
    assert pulse["sinks"] == stats["sinks"]
    assert pulse["exchanges"] == {name: {"transit": each["transit"]} for name, each in stats["exchanges"].items()}
