"""docs/security.md tells the limits that hold, and every setting and name it speaks of is there."""

import re
from pathlib import Path

import attrs
import pytest

from jrr_core import rest, route
from jrr_core.cli import tell
from jrr_core.testing import hostile
from jrr_core.transport.socket import MAX_MESSAGE_BYTES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text("utf-8")


def row(begins: str) -> str:
    """Return the one row of a table that begins with these words."""
    (found,) = [line for line in PAGE.splitlines() if line.startswith(f"| {begins}")]
    return found


@pytest.mark.parametrize(
    ("begins", "limit"),
    [
        ("a WebSocket message", f"{MAX_MESSAGE_BYTES // 2**20} MiB"),
        ("a REST body", f"{rest.MAX_BODY_BYTES // 2**20} MiB"),
        ("a REST answer in all", f"{rest._IDLE_S:g} s without a byte, {rest._TOTAL_S:g} s in all"),
        ("redirects of REST", f"{rest._MAX_REDIRECTS};"),
    ],
)
def test_limits_are_those_of_the_code(begins: str, limit: str) -> None:
    assert limit in row(begins)


def test_every_setting_of_the_network_is_explained() -> None:
    for field in attrs.fields(route.NetworkSettings):
        assert f"{field.alias} = " in PAGE


def test_every_kind_of_proxy_is_in_the_table() -> None:
    assert set(re.findall(r"^\| `(\w+)://HOST:PORT` \|", PAGE, re.MULTILINE)) == set(route._PORTS)


def test_tables_cut_names_where_the_page_says() -> None:
    assert f"after {tell.CELL} characters" in PAGE
    assert hostile.__name__ in PAGE
