"""Parts of a whole: disjoint, complete, and unmoved by what else there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.errors import ConfigError
from jrr_core.shard import Shard
from jrr_core.subscription import Subscription

streams = st.builds(
    Subscription, st.sampled_from(["toy", "other"]), st.sampled_from(["trade", "book"]), st.text(max_size=12)
)


@given(st.lists(streams, unique=True, max_size=50), st.integers(1, 9))
def test_the_parts_are_the_whole_and_no_stream_is_in_two(some: list[Subscription], count: int) -> None:
    parts = [[stream for stream in some if Shard(index, count).has(stream)] for index in range(1, count + 1)]
    assert sorted(map(str, some)) == sorted(str(stream) for part in parts for stream in part)


@given(streams, streams, st.integers(1, 9))
def test_all_streams_of_a_symbol_are_in_one_part(one: Subscription, other: Subscription, count: int) -> None:
    same = Subscription(one.exchange, other.channel, one.symbol)
    assert [Shard(i, count).has(one) for i in range(1, count + 1)] == [
        Shard(i, count).has(same) for i in range(1, count + 1)
    ]


def test_parts_stay_what_they_are_from_release_to_release() -> None:
    symbols = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT", "ADAUSDT", "DOGEUSDT")
    assert [s for s in symbols if Shard(1, 2).has(Subscription("toy", "trade", s))] == ["BTCUSDT", "ADAUSDT"]


def test_parts_are_of_about_one_size() -> None:
    sizes = [sum(Shard(i, 4).has(Subscription("toy", "trade", f"A{n}USDT")) for n in range(2000)) for i in (1, 2, 3, 4)]
    assert min(sizes) > 420


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/", "/2", "-1/2", "1/0", "1/2/3", "²/2"])
def test_what_is_no_part_is_told_with_examples(text: str) -> None:
    with pytest.raises(ConfigError, match=r"run.shard = .* write for example 1/3"):
        Shard.parse(text)


def test_nothing_written_is_the_whole() -> None:
    assert Shard.parse("") == Shard() == Shard.parse("1/1")
    assert Shard().has(Subscription("toy", "trade", "X"))
