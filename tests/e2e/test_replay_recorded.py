"""Recorded exchange data through `jrr replay`: the store equals what an independent reading of the file gives."""

import gzip
import json
import sqlite3
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from jrr_core.cli import main

Side = dict[str, str]
Book = tuple[int, dict[Decimal, Decimal], dict[Decimal, Decimal]]
FILES = [("binance-usdm", "binance-usdm_btcusdt_20240808.gz"), ("binance", "binance_btcusdt_20240808.gz")]


def rows_of(file: Path) -> list[dict[str, Any]]:
    with gzip.open(file, "rt") as lines:
        return [json.loads(line.split(" ", 1)[1]) for line in lines]


def final_book(rows: list[dict[str, Any]]) -> Book:
    """Apply to the one snapshot every update that ends behind it."""
    (snapshot,) = [row for row in rows if "stream" not in row]
    sequence = snapshot["lastUpdateId"]
    sides: tuple[Side, Side] = ({}, {})
    put(sides, snapshot["bids"], snapshot["asks"])
    for row in rows:
        if "@depth" in row.get("stream", "") and row["data"]["u"] > sequence:
            put(sides, row["data"]["b"], row["data"]["a"])
            sequence = row["data"]["u"]
    return sequence, exact(sides[0]), exact(sides[1])


def put(sides: tuple[Side, Side], bids: list[list[str]], asks: list[list[str]]) -> None:
    for side, levels in zip(sides, (bids, asks), strict=True):
        for price, amount in levels:
            if amount.strip("0."):
                side[price] = amount
            else:
                side.pop(price, None)


def exact(side: Side) -> dict[Decimal, Decimal]:
    return {Decimal(price): Decimal(amount) for price, amount in side.items()}


def stored_book(store: sqlite3.Connection) -> Book:
    """Apply what is stored, checking that every delta continues the one before."""
    sides: tuple[Side, Side] = ({}, {})
    ((sequence, bids, asks),) = store.execute("SELECT sequence, bids, asks FROM book_snapshots WHERE depth IS NULL")
    put(sides, json.loads(bids), json.loads(asks))
    began = sequence
    deltas = store.execute(
        "SELECT first_sequence, sequence, previous_sequence, bids, asks FROM book_deltas ORDER BY sequence"
    )
    for first, last, previous, bids, asks in deltas:
        if sequence == began:
            assert first <= began + 1 <= last + 1
        else:
            assert previous == sequence if previous is not None else first == sequence + 1
        sequence = last
        put(sides, json.loads(bids), json.loads(asks))
    return sequence, exact(sides[0]), exact(sides[1])


@pytest.mark.parametrize(("exchange", "name"), FILES)
def test_the_store_equals_the_recording(realdata: Path, tmp_path: Path, exchange: str, name: str) -> None:
    file, database = realdata / "hftbacktest" / name, tmp_path / "market.db"
    command = ["replay", str(file), "--exchange", exchange, "--plugins", "sqlite"]
    command += ["--set", f"sinks.sqlite.path={database}", "--set", f"run.quarantine={tmp_path / 'quarantine'}"]
    first = CliRunner().invoke(main, command)
    assert first.exit_code == 0, first.output
    again = CliRunner().invoke(main, command)
    assert " 0 written + " in again.stdout
    rows = rows_of(file)
    with sqlite3.connect(database) as store:
        sent = {
            str(data["t"]): (Decimal(data["p"]), Decimal(data["q"]), "sell" if data["m"] else "buy")
            for data in (row["data"] for row in rows if row.get("stream", "").endswith("@trade"))
        }
        kept = store.execute("SELECT trade_id, price, amount, side FROM trades").fetchall()
        assert len(kept) == len(sent)
        assert {trade_id: (Decimal(price), Decimal(amount), side) for trade_id, price, amount, side in kept} == sent
        assert stored_book(store) == final_book(rows)
        quotes = {row["data"]["u"] for row in rows if row.get("stream", "").endswith("@bookTicker")}
        assert {sequence for (sequence,) in store.execute("SELECT sequence FROM quotes")} == quotes
        assert {state for (state,) in store.execute("SELECT state FROM coverage")} == {"complete"}
    store.close()
