"""Stored rows and events brought to one form, so that 1.50 equals 1.5 and JSON text equals pairs."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

_numbers = {
    "price", "amount", "open", "high", "low", "close", "volume", "quote_volume", "rate", "value",
    "bid_price", "bid_amount", "ask_price", "ask_amount", "mark_price", "index_price",
    "tick_size", "lot_size", "contract_size",
}  # fmt: skip
_flags = {"closed", "predicted", "active", "checksum_ok"}


def comparable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row with numbers as Decimal, levels as pairs of Decimal and flags as bool.

    A float equals nothing: it is turned into a text that says so.
    """
    return {name: _value(name, value) for name, value in row.items()}


def differences(event: Any, rows: list[dict[str, Any]]) -> dict[str, tuple[Any, Any]]:
    """Return {field: (written, read)} against the comparable row nearest to the event; empty if one equals it."""
    wanted = comparable(attrs.asdict(event, recurse=False))
    nearest = max(rows, key=lambda row: sum(row.get(k, row) == v for k, v in wanted.items()), default={})
    return {k: (v, nearest.get(k, "missing")) for k, v in wanted.items() if k not in nearest or nearest[k] != v}


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, float):
        return f"float {value!r}"
    if name in ("bids", "asks"):
        pairs = json.loads(value) if isinstance(value, str) else value
        return [(Decimal(price), Decimal(amount)) for price, amount in pairs]
    if name in _numbers:
        return Decimal(value)
    return bool(value) if name in _flags else value
