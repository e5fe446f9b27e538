"""`jrr spool`: lists what waits on disk, stores it, and says what stays."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import Result

from jrr_core.packing import pack
from jrr_core.spool import Spool, files
from jrr_core.testing.samples import samples, trade

Jrr = Callable[..., Result]


@pytest.fixture
def store(folder: Path) -> Path:
    """Return the working directory, with a jrr.toml that names the toy store."""
    (folder / "jrr.toml").write_text('plugins = ["toy"]\n[sinks.shelf]\npath = "shelf.jsonl"\n')
    return folder


def left(folder: Path, numbers: range, sink: str = "shelf") -> Path:
    """Leave trades in the spool, as a stopped run does; return the file."""
    spool = Spool(folder / "spool" / sink)
    spool.open()
    spool.append([(pack([trade(number) for number in numbers]), len(numbers))])
    spool.close()
    return files(spool.folder)[-1][1]


def stored(folder: Path) -> list[str]:
    return [line.split()[2] for line in (folder / "shelf.jsonl").read_text().splitlines()]


def test_an_empty_spool_is_told(store: Path, jrr: Jrr) -> None:
    assert jrr("spool").stdout == jrr("spool", "list").stdout == "nothing waits in the spool spool\n"
    assert jrr("spool", "list", "--json").stdout == "[]\n"
    assert jrr("spool", "drain").stdout == "nothing waits in the spool spool\n"


def test_what_waits_is_listed(store: Path, jrr: Jrr) -> None:
    left(store, range(100))
    file = left(store, range(100, 110))
    other = left(store, range(3), "other")
    result = jrr("spool")
    assert result.exit_code == 0
    head, *rows = [line.split() for line in result.stdout.splitlines()]
    assert head == ["sink", "files", "events", "bytes", "oldest", "newest", "damaged"]
    assert [(row[0], row[1], row[2], row[-1]) for row in rows] == [("other", "1", "3", "0"), ("shelf", "2", "110", "0")]
    assert "2024-01-01 00:00:00.002" in result.stdout
    listed = json.loads(jrr("spool", "--json").stdout)
    assert listed[1] == {
        "sink": "shelf", "segments": 2, "events": 110, "damaged": 0,
        "bytes": sum(path.stat().st_size for _, path in files(file.parent)),
        "oldest_ns": trade(0).ts_recv, "newest_ns": trade(109).ts_recv,
    }  # fmt: skip
    assert other.exists()


def test_damage_is_listed(store: Path, jrr: Jrr) -> None:
    file = left(store, range(10))
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    (listed,) = json.loads(jrr("spool", "--json").stdout)
    assert (listed["events"], listed["damaged"], listed["oldest_ns"]) == (0, 1, None)


def test_draining_stores_all_in_order_and_deletes_it(store: Path, jrr: Jrr) -> None:
    left(store, range(100))
    left(store, range(100, 450))
    result = jrr("spool", "drain")
    assert result.exit_code == 0, result.output
    assert stored(store) == [str(1000 + number) for number in range(450)]
    assert "shelf: 450 events = 450 written + 0 duplicate + 0 dropped" in result.stdout
    assert result.stdout.splitlines()[-1] == "the spool is empty now"
    assert not (store / "spool").exists()


def test_the_spool_of_a_sink_that_is_not_among_the_settings_stays(store: Path, jrr: Jrr) -> None:
    left(store, range(5))
    file = left(store, range(3), "other")
    result = jrr("spool", "drain")
    assert result.exit_code == 1
    assert len(stored(store)) == 5
    assert "other: left in the spool, for no sink of the settings has this name" in result.stdout
    assert file.exists()


def test_a_store_that_stays_away_keeps_its_events_in_the_spool(
    store: Path, jrr: Jrr, install: Callable[..., str]
) -> None:
    install("gone", GONE)
    file = left(store, range(5), "gone")
    result = jrr("spool", "drain", "--plugins", "gone", "--set", "run.stop_timeout_s=0.5")
    assert result.exit_code == 1
    assert "gone is away, trying again: nobody home" in result.stderr
    assert "gone: 5 events left in the spool" in result.stdout
    assert file.exists()


GONE = """
from jrr_core.errors import SinkUnavailable
from jrr_core.events import ALL_EVENTS
from jrr_core.hookspecs import hookimpl
from jrr_core.sink import BatchPolicy
from attrs import define

@define
class Settings:
    pass

class Gone:
    name, Settings, embedded, accepts, batch = "gone", Settings, False, ALL_EVENTS, BatchPolicy()

    def __init__(self, settings):
        pass

    async def open(self):
        raise SinkUnavailable("nobody home")

    async def write(self, batch):
        raise SinkUnavailable("nobody home")

    async def close(self):
        pass

@hookimpl
def jrr_sinks():
    return [Gone]
"""


@pytest.fixture
def collector(store: Path) -> Iterator[Spool]:
    """A spool that somebody uses."""
    left(store, range(5))
    spool = Spool(store / "spool" / "shelf")
    spool.open()
    yield spool
    spool.close()


def test_draining_is_refused_while_a_collector_uses_the_spool_and_listing_is_not(collector: Spool, jrr: Jrr) -> None:
    result = jrr("spool", "drain")
    assert result.exit_code == 2
    assert "is using the spool spool/shelf and stores what is in it; stop it first" in result.stderr
    assert json.loads(jrr("spool", "--json").stdout)[0]["events"] == 5


def test_no_spool_is_told(store: Path, jrr: Jrr) -> None:
    result = jrr("spool", "--set", "spool.path=")
    assert result.exit_code == 2
    assert "spool.path is empty" in result.stderr


def test_listing_needs_no_store_that_can_be_used(store: Path, jrr: Jrr) -> None:
    left(store, range(5))
    assert jrr("spool", "--set", "sinks.shelf.pat=x").exit_code == 0


def test_events_without_a_time_have_none_in_the_list(store: Path, jrr: Jrr) -> None:
    from jrr_core.instrument import Instrument

    spool = Spool(store / "spool" / "shelf")
    spool.open()
    spool.append([(pack(samples(Instrument)), 3)])
    spool.close()
    (listed,) = json.loads(jrr("spool", "--json").stdout)
    assert (listed["events"], listed["newest_ns"]) == (3, None)
    assert "shelf  1      3" in jrr("spool").stdout
