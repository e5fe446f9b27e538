"""Records as table, CSV and JSON lines; none of them waits for the end of what it is given."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from jrr_core.cli.records import FORMS, Form, each, write

TS = 1_786_526_400_123_456_789
COLUMNS = ("exchange", "ts", "price", "side", "closed", "note")
RECORDS: list[dict[str, Any]] = [
    {"exchange": "x", "ts": TS, "price": Decimal("1E+3"), "side": "buy", "closed": True, "note": None},
    {"exchange": "x", "ts": None, "price": Decimal("0.10"), "side": None, "closed": False, "note": 'a,"b'},
]  # fmt: skip


def written(form: Form, records: list[dict[str, Any]] = RECORDS, hidden: tuple[str, ...] = ()) -> str:
    out = io.StringIO()
    assert asyncio.run(write(each(records), COLUMNS, form, out, hidden)) == len(records)
    return out.getvalue()


def test_json_lines_have_exact_text_and_null() -> None:
    assert [json.loads(line) for line in written("json").splitlines()] == [
        {"exchange": "x", "ts": TS, "price": "1000", "side": "buy", "closed": True, "note": None},
        {"exchange": "x", "ts": None, "price": "0.10", "side": None, "closed": False, "note": 'a,"b'},
    ]  # fmt: skip


def test_csv_has_a_header_and_the_same_fields() -> None:
    assert list(csv.reader(io.StringIO(written("csv")))) == [
        list(COLUMNS),
        ["x", "1786526400123456789", "1000", "buy", "true", ""],
        ["x", "", "0.10", "", "false", 'a,"b'],
    ]


def test_a_table_is_aligned_with_readable_times() -> None:
    assert written("table", hidden=("exchange",)).splitlines() == [
        "ts                          price  side  closed  note",
        "2026-08-12 09:20:00.123456   1000  buy   true    -",
        "-                            0.10  -     false   a,\"b",
    ]  # fmt: skip


def test_of_nothing_csv_has_its_header_and_the_others_nothing() -> None:
    assert [written(form, []) for form in ("table", "csv", "json")] == ["", ",".join(COLUMNS) + "\n", ""]


def test_a_wider_row_further_down_widens_the_table_from_there_on() -> None:
    rows = [RECORDS[0]] * 1000 + [{**RECORDS[0], "side": "something long"}]
    lines = written("table", rows).splitlines()
    assert len(lines) == 1002
    assert len({len(line) for line in lines[1:-1]}) == 1
    assert lines[-1].endswith("  something long  true    -")


@pytest.mark.parametrize("form", FORMS)
def test_an_endless_source_is_written_as_it_comes(form: Form) -> None:
    class Reader(io.StringIO):
        def write(self, text: str) -> int:
            if self.tell() > 100_000:
                raise BrokenPipeError
            return super().write(text)

    async def endless() -> AsyncIterator[dict[str, Any]]:
        while True:
            yield RECORDS[0]

    with pytest.raises(BrokenPipeError):
        asyncio.run(write(endless(), COLUMNS, form, Reader()))
