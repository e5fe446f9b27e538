"""Reading an exchange's list of instruments: page by page, once each, and the plugin's faults laid to the plugin."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from jrr_core.errors import ConfigError, ParseError, PluginError
from jrr_core.fetch import Fetch, FetchFailed
from jrr_core.frame import Frame, HttpGet
from jrr_core.instrument import Instrument
from jrr_core.interview import asked, list_instruments
from tests.toy import ToyConnector, ToySettings, toy_server


def text_of(frame: Frame) -> str:
    return frame.payload if isinstance(frame.payload, str) else frame.payload.decode()


class PagedConnector(ToyConnector):
    """The toy exchange with a list in pages: symbols, and behind `>` where the next page is."""

    def instruments(self, frame: Frame) -> Sequence[Instrument]:
        symbols = text_of(frame).partition(">")[0]
        return super().instruments(Frame(frame.exchange, symbols, frame.ts_recv, frame.tag))

    def next_instruments(self, frame: Frame) -> HttpGet | None:
        path = text_of(frame).partition(">")[2]
        return HttpGet(f"{self.settings.rest_url}{path}", "instruments") if path else None


def listed(kind: type[ToyConnector], pages: dict[str, str]) -> tuple[list[str], list[str]]:
    """Return the symbols found and the paths asked for."""

    async def main() -> tuple[list[str], list[str]]:
        async with toy_server() as server:
            server.pages.update({path: (200, body, {}) for path, body in pages.items()})
            connector = kind(ToySettings(ws_url=server.url, rest_url=server.rest_url, lists=True))
            found = await list_instruments(connector, Fetch("toy", {}))
            return [item.symbol for item in found], server.asked

    return asyncio.run(main())


def test_a_list_is_one_reply_or_as_many_as_there_are_pages() -> None:
    assert listed(ToyConnector, {"/instruments": "A B"}) == (["A", "B"], ["/instruments"])
    pages = {"/instruments": "A B>/more", "/more": "C>/last", "/last": "D"}
    assert listed(PagedConnector, pages) == (["A", "B", "C", "D"], ["/instruments", "/more", "/last"])


def test_pages_that_lead_back_are_no_list() -> None:
    with pytest.raises(ParseError, match="/instruments leads back to itself"):
        listed(PagedConnector, {"/instruments": "A>/more", "/more": "B>/instruments"})


def test_a_page_that_cannot_be_had_fails_the_whole_list() -> None:
    with pytest.raises(FetchFailed, match="/more answered HTTP 404"):
        listed(PagedConnector, {"/instruments": "A>/more"})


def test_what_a_connector_must_not_raise_is_the_plugins_fault() -> None:
    def broken(value: Any) -> None:
        raise value

    with pytest.raises(PluginError, match=r"x: its connector's broken\(\) failed: KeyError"):
        asked("x", broken, KeyError("a"))
    with pytest.raises(ConfigError, match="yours"):
        asked("x", broken, ConfigError("yours"))
