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
            assert first <= began + 1 <= last + 1 or previous == began
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


def one_symbol(realdata: Path, name: str, symbol: str) -> tuple[list[str], str]:
    """Return lines `<receive ns> <JSON>` of one symbol of a recording of several, and that of its REST snapshot."""
    folder, kept, snapshot = realdata / "cryptofeed", [], ""
    for part in (f"{name}.ws.1.0.jsonl.gz", f"{name}.http.0.0.jsonl.gz"):
        with gzip.open(folder / part, "rt") as items:
            for item in map(json.loads, items):
                line = f"{int(item['t'] * 1e9)} {item.get('raw')}"
                if item["kind"] == "http" and f"symbol={symbol}&" in item["url"]:
                    snapshot = line
                elif item["kind"] == "recv" and json.loads(item["raw"]).get("data", {}).get("s") == symbol:
                    kept.append(line)
    return kept, snapshot


@pytest.mark.parametrize(
    ("exchange", "name", "symbol"),
    [
        ("binance", "BINANCE", "NKNUSDT"),
        ("binance-usdm", "BINANCE_FUTURES", "SUSHIUSDT"),
        ("binance-coinm", "BINANCE_DELIVERY", "BTCUSD_211231"),
    ],
)
def test_the_snapshot_may_stand_anywhere(realdata: Path, tmp_path: Path, exchange: str, name: str, symbol: str) -> None:
    updates, snapshot = one_symbol(realdata, name, symbol)
    rows = [json.loads(line.partition(" ")[2]) for line in (snapshot, *updates)]
    trades = [row["data"] for row in rows if row.get("stream", "").endswith("@aggTrade")]
    for number, at in enumerate((0, 5, len(updates))):
        file, database = tmp_path / f"{number}.txt", tmp_path / f"{number}.db"
        file.write_text("\r\n".join([*updates[:at], snapshot, *updates[at:]]), "utf-8-sig")
        command = ["replay", str(file), "--exchange", exchange, "--plugins", "sqlite"]
        done = CliRunner().invoke(main, [*command, "--set", f"sinks.sqlite.path={database}"])
        assert done.exit_code == 0, done.output
        with sqlite3.connect(database) as store:
            assert stored_book(store) == final_book(rows)
            kept = dict(store.execute("SELECT trade_id, price FROM trades").fetchall())
            assert kept == {str(trade["a"]): trade["p"] for trade in trades}
        store.close()
