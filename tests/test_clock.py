"""This machine's clock beside an exchange's: of a few requests the quickest counts, half of its way taken off."""

import asyncio
import time
from collections.abc import Sequence

import pytest
from jrr_binance.connector import Spot
from jrr_bybit.connector import Linear
from jrr_gateio.connector import Spot as GateSpot
from jrr_kraken.connector import KrakenConnector
from jrr_okx.connector import OkxConnector

from jrr_core.clock import clock_offset_s
from jrr_core.errors import ParseError
from jrr_core.fetch import Fetch, FetchFailed
from jrr_core.frame import Frame, HttpGet
from jrr_core.testing.simulator import Simulator

S = 10**9


class Telling:
    """A connector and its exchange, whose clock is `ahead_s` ahead of ours."""

    exchange = "toy"

    def __init__(self, ahead_s: float, ways_s: Sequence[float], status: int = 200) -> None:
        self.ahead_s, self.ways_s, self.status = ahead_s, list(ways_s), status

    def time_request(self) -> HttpGet:
        return HttpGet("http://x", "time")

    def server_time(self, frame: Frame) -> int:
        if frame.payload == b"?":
            raise ParseError("no time")
        return int(frame.payload)

    async def timed_get(self, request: HttpGet) -> tuple[int, Frame]:
        began = time.time_ns()
        way_s = self.ways_s.pop(0)
        await asyncio.sleep(way_s / 2)
        theirs = time.time_ns() + int(self.ahead_s * S)
        await asyncio.sleep(way_s / 2)
        payload = b"?" if way_s == 0 else str(theirs).encode()
        return began, Frame("toy", payload, time.time_ns(), "time", self.status)


def measured(toy: Telling) -> float | None:
    return asyncio.run(clock_offset_s(toy, toy))  # type: ignore[arg-type]  # both in one


@pytest.mark.parametrize("ahead_s", [-30.0, 0.0, 2.5])
def test_the_offset_is_ours_minus_theirs(ahead_s: float) -> None:
    found = measured(Telling(ahead_s, (0.2, 0.02, 0.1)))
    assert found is not None
    assert abs(found + ahead_s) < 0.05


def test_an_answer_that_tells_no_time_is_said() -> None:
    with pytest.raises(ParseError, match="toy answered with what is no time"):
        measured(Telling(0, (0,)))
    with pytest.raises(FetchFailed, match="HTTP 451"):
        measured(Telling(0, (0.01,), status=451))


def test_a_connector_that_tells_no_time_has_no_offset() -> None:
    assert asyncio.run(clock_offset_s(object(), None)) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("cls", [Spot, Linear, GateSpot, KrakenConnector, OkxConnector])
def test_each_exchange_tells_its_time(cls: type) -> None:
    from importlib import import_module

    module, _, name = cls.simulator.partition(":")  # type: ignore[attr-defined]

    async def main() -> float | None:
        async with Simulator(getattr(import_module(module), name), rate=1) as simulator:
            connector = cls(cls.Settings(rest_url=simulator.rest_url))  # type: ignore[attr-defined]
            return await clock_offset_s(connector, Fetch(connector.exchange, {}))

    found = asyncio.run(main())
    assert found is not None
    assert abs(found) < 0.7
