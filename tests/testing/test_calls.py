"""Calls that reach outside are noticed, by whatever name the code knows them."""

import datetime
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from time import time_ns

import pytest

from jrr_core.testing import calls

Look = Callable[[Callable[[], object]], list[str]]


def read_file() -> None:
    Path(__file__).read_bytes()


def open_socket() -> None:
    socket.socket().close()


@pytest.mark.parametrize(
    ("look", "run", "found"),
    [
        (calls.clocks, lambda: time_ns(), ["time.time_ns"]),
        (calls.clocks, lambda: [time.monotonic() for _ in range(3)], ["time.monotonic"]),
        (calls.clocks, lambda: datetime.datetime.now(datetime.UTC), ["type.now"]),
        (calls.chances, lambda: random.random(), ["Random.random"]),
        (calls.waiting, lambda: time.sleep(0), ["time.sleep"]),
        (calls.waiting, read_file, ["io.open"]),
        (calls.waiting, open_socket, ["socket.close"]),
        (calls.waiting, lambda: time_ns(), []),
        (calls.clocks, lambda: sorted([3, 1]), []),
    ],
)
def test_calls_that_reach_outside_are_named(look: Look, run: Callable[[], object], found: list[str]) -> None:
    assert look(run) == found
