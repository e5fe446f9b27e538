"""What a worker is to do: a part that no other has, under names that no other has."""

import pytest

from jrr_core.config import Config, RunSettings
from jrr_core.errors import ConfigError
from jrr_core.shard import Shard
from jrr_core.subscription import Subscription
from jrr_core.workers.part import part_of

STREAMS = [Subscription("x", "trade", f"S{number}") for number in range(200)]


def shards(config: Config, count: int) -> list[Shard]:
    return [Shard.parse(part_of(config, number, count).run.shard) for number in range(1, count + 1)]


@pytest.mark.parametrize("whole", ["", "1/3", "2/3", "3/3"])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_parts_have_each_stream_of_the_whole_once(whole: str, count: int) -> None:
    parts = shards(Config(run=RunSettings(shard=whole)), count)
    for stream in STREAMS:
        assert sum(part.has(stream) for part in parts) == Shard.parse(whole).has(stream)


def test_no_two_workers_share_a_name_or_a_folder_and_none_listens() -> None:
    config = Config()
    config.capture.path = "captures/live"
    parts = [part_of(config, number, 2) for number in (1, 2)]
    assert [part.run.instance for part in parts] == ["w1", "w2"]
    for what in ("spool.path", "capture.path", "run.quarantine"):
        section, key = what.split(".")
        found = {getattr(getattr(part, section), key) for part in (*parts, config)}
        assert len(found) == 3, what
    assert parts[0].capture.path == "captures/live-w1"
    assert {part.control.path + part.metrics.listen for part in parts} == {""}


def test_a_folder_that_is_not_wanted_stays_so() -> None:
    config = Config()
    config.spool.path = config.capture.path = ""
    assert part_of(config, 1, 2).spool.path == part_of(config, 1, 2).capture.path == ""


def test_a_named_collector_gives_its_name_to_its_workers() -> None:
    assert part_of(Config(run=RunSettings(instance="spot")), 2, 2).run.instance == "spot-w2"


def test_a_name_without_room_for_the_number_is_refused() -> None:
    with pytest.raises(ConfigError, match="29 characters at most"):
        part_of(Config(run=RunSettings(instance="x" * 30)), 1, 2)


def test_a_shard_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a part of a whole"):
        part_of(Config(run=RunSettings(shard="4/3")), 1, 2)
