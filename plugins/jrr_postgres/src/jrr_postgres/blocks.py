"""Blocks: some seconds or minutes of one stream's rows, column by column, in a few bytes each.

`pack` takes the columns of rows that follow each other, `unpack` gives the same
back: times in ns UTC, numbers as the digits the exchange wrote, `levels` as
`price,amount;...|price,amount;...` without the letters of the row tables. What has
no exact form here (numbers of more than 62 bits, digits written in several ways
side by side) raises Unpackable and stays a row. `packing` builds the SQL readers
from the same COLUMNS; their order is the order in the block.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from attrs import define

from .codec import Reader, Unpackable, Writer

Kind = Literal["number", "chained", "time", "flag", "decimal", "text", "delta_levels", "snapshot_levels"]
Columns = dict[str, list[Any]]

_PRICES: Mapping[str, tuple[Kind, int | None]] = {
    "bid_price": ("decimal", 1), "bid_amount": ("decimal", 1),
    "ask_price": ("decimal", 1), "ask_amount": ("decimal", 1),
}  # fmt: skip
_TIMES: Mapping[str, tuple[Kind, int | None]] = {"ts_recv": ("time", 1), "ts_event": ("time", 1)}
_SEQUENCE: Mapping[str, tuple[Kind, int | None]] = {"sequence": ("number", 1)}

COLUMNS: Mapping[str, Mapping[str, tuple[Kind, int | None]]] = {
    "trades": {
        "trade_id": ("number", 1), **_TIMES, "count": ("number", None), "side": ("flag", None), "price": ("decimal", 1),
        "amount": ("decimal", None), "kind": ("text", None), "trade_uid": ("text", None),
    },
    "quotes": {**_SEQUENCE, **_TIMES, **_PRICES},
    "book_snapshots": {**_SEQUENCE, **_TIMES, "checksum_ok": ("flag", None), "levels": ("snapshot_levels", None)},
    "book_deltas": {
        **_SEQUENCE, "first_sequence": ("chained", 0), "previous_sequence": ("chained", 0), **_TIMES,
        "levels": ("delta_levels", None),
    },
}  # fmt: skip
"""By relation, what a block holds: kind and `lag` (see `codec`) by column, the key first."""

_ROWS_BITS = 32
_canonical = re.compile(r"(?:-?+(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?,)*").fullmatch
_negative_zero = re.compile(r"-0(?:\.0*+)?,").search


@define(frozen=True)
class _Form:
    """How a kind of column is written and read back; `before` is the block's key column."""

    write: Callable[[Writer, Sequence[Any], int | None, Sequence[Any]], None]
    read: Callable[[Reader, int, Sequence[Any]], list[Any]]


def pack(relation: str, columns: Mapping[str, Sequence[Any]]) -> bytes:
    """Return the block of these rows, given as one list for each of COLUMNS.

    Raises Unpackable if any of them has no exact form in a block.
    """
    kinds = COLUMNS[relation]
    key = columns[next(iter(kinds))]
    writer = Writer()
    writer.put(len(key), _ROWS_BITS)
    for name, (kind, lag) in kinds.items():
        _FORMS[kind].write(writer, columns[name], lag, key)
    return writer.block()


def unpack(relation: str, block: bytes) -> Columns:
    """Return the rows of a block as one list for each of COLUMNS. Raises Unpackable for a block of a newer format."""
    reader = Reader(block)
    count = reader.take(_ROWS_BITS)
    found: Columns = {}
    key: Sequence[Any] = ()
    for name, (kind, _) in COLUMNS[relation].items():
        found[name] = _FORMS[kind].read(reader, count, key)
        key = key or found[name]
    return found


def _write_numbers(writer: Writer, numbers: Sequence[int | None], lag: int | None, _: Sequence[Any]) -> None:
    writer.optional(numbers, lag)


def _read_numbers(reader: Reader, count: int, _: Sequence[Any]) -> list[int | None]:
    return reader.optional(count)


def _write_times(writer: Writer, times: Sequence[int | None], lag: int | None, _: Sequence[Any]) -> None:
    if any(time is not None and time < 0 for time in times):
        raise Unpackable("a time before 1970")
    writer.optional(times, lag)


def _read_flags(reader: Reader, count: int, _: Sequence[Any]) -> list[bool | None]:
    return [None if number is None else bool(number) for number in reader.optional(count)]


def _write_chained(writer: Writer, numbers: Sequence[int | None], lag: int | None, key: Sequence[int]) -> None:
    """Write numbers that continue the key of the row before: as what they are above it."""
    before = (key[0], *key)
    writer.optional([None if n is None else n - last for n, last in zip(numbers, before, strict=False)], lag)


def _read_chained(reader: Reader, count: int, key: Sequence[int]) -> list[int | None]:
    before = (key[0], *key)
    return [None if n is None else n + last for n, last in zip(reader.optional(count), before, strict=False)]


def _write_decimals(writer: Writer, texts: Sequence[str | None], lag: int | None, _: Sequence[Any]) -> None:
    scale, trimmed, numbers = _scaled([text for text in texts if text is not None])
    writer.put(scale, 6)
    writer.put(trimmed, 1)
    rest = iter(numbers)
    writer.optional([None if text is None else next(rest) for text in texts], lag)


def _read_decimals(reader: Reader, count: int, _: Sequence[Any]) -> list[str | None]:
    scale, trimmed = reader.take(6), bool(reader.take(1))
    return _digits(reader.optional(count), scale, trimmed)


def _scaled(texts: Sequence[str]) -> tuple[int, bool, list[int]]:
    """Return decimals as whole numbers of 10**-scale, and whether they are written without trailing zeros.

    Otherwise all are written with `scale` decimals. Raises Unpackable if it is neither.
    """
    joined = ",".join([*texts, ""])
    if _canonical(joined) is None or _negative_zero(joined) is not None:
        raise Unpackable("a number written in an unusual way")
    parts = [text.partition(".") for text in texts]
    lengths = {len(decimals) for _, _, decimals in parts}
    scale = max(lengths, default=0)
    if len(lengths) < 2:
        return scale, False, [int(whole + decimals) for whole, _, decimals in parts]
    if any(decimals[-1:] == "0" for _, _, decimals in parts):
        raise Unpackable("numbers with and without trailing zeros")
    return scale, True, [int(whole + decimals.ljust(scale, "0")) for whole, _, decimals in parts]


def _digits(numbers: Sequence[int | None], scale: int, trimmed: bool) -> list[str | None]:
    """Return whole numbers of 10**-scale as text."""
    if scale == 0:
        return [None if number is None else str(number) for number in numbers]
    found: list[str | None] = []
    for number in numbers:
        if number is None:
            found.append(None)
            continue
        digits = str(number) if number >= 0 else str(-number)
        if len(digits) <= scale:
            digits = digits.rjust(scale + 1, "0")
        text = f"{'-' if number < 0 else ''}{digits[:-scale]}.{digits[-scale:]}"
        found.append(text.rstrip("0").rstrip(".") if trimmed else text)
    return found


def _write_texts(writer: Writer, texts: Sequence[str | None], lag: int | None, _: Sequence[Any]) -> None:
    """Write the different texts once, then for each row which one it has."""
    words = {text: place for place, text in enumerate(dict.fromkeys(text for text in texts if text is not None))}
    encoded = [word.encode() for word in words]
    writer.put(len(words), 16)
    writer.ints([len(word) for word in encoded])
    writer.raw(b"".join(encoded))
    writer.optional([None if text is None else words[text] for text in texts], lag)


def _read_texts(reader: Reader, count: int, _: Sequence[Any]) -> list[str | None]:
    lengths = reader.ints(reader.take(16))
    reader.raw(0)
    words = [reader.raw(length).decode() for length in lengths]
    return [None if place is None else words[place] for place in reader.optional(count)]


def _write_deltas(writer: Writer, texts: Sequence[str], lag: int | None, key: Sequence[Any]) -> None:
    """Write books' levels: how many of each side, all prices as differences, all amounts."""
    _write_levels(writer, texts, key, steady=False)


def _write_snapshots(writer: Writer, texts: Sequence[str], lag: int | None, key: Sequence[Any]) -> None:
    """Write snapshots, as differences to the one before where all have as many levels."""
    _write_levels(writer, texts, key, steady=True)


def _write_levels(writer: Writer, texts: Sequence[str], key: Sequence[Any], steady: bool) -> None:
    flat = [text.replace("|", "").replace(";", ",").split(",")[:-1] for text in texts]
    counts = []
    for text in texts:
        bids, _, asks = text.partition("|")
        counts.append((bids.count(";"), asks.count(";")))
    for side in (0, 1):
        writer.ints([count[side] for count in counts])
    values = [value for message in flat for value in message]
    prices, amounts = values[::2], values[1::2]
    size = sum(counts[0])
    same = steady and len(set(counts)) == 1 and size < 1 << 16
    _write_decimals(writer, prices, size if same else 1, key)
    _write_decimals(writer, amounts, size if same else None, key)


def _read_levels(reader: Reader, count: int, key: Sequence[Any]) -> list[str]:
    bids, asks = reader.ints(count), reader.ints(count)
    size = sum(bids) + sum(asks)
    prices, amounts = _read_decimals(reader, size, key), _read_decimals(reader, size, key)
    levels = [f"{price},{amount};" for price, amount in zip(prices, amounts, strict=True)]
    found, at = [], 0
    for bid, ask in zip(bids, asks, strict=True):
        middle, end = at + bid, at + bid + ask
        found.append(f"{''.join(levels[at:middle])}|{''.join(levels[middle:end])}")
        at = end
    return found


_FORMS: Mapping[Kind, _Form] = {
    "number": _Form(_write_numbers, _read_numbers),
    "chained": _Form(_write_chained, _read_chained),
    "time": _Form(_write_times, _read_numbers),
    "flag": _Form(_write_numbers, _read_flags),
    "decimal": _Form(_write_decimals, _read_decimals),
    "text": _Form(_write_texts, _read_texts),
    "delta_levels": _Form(_write_deltas, _read_levels),
    "snapshot_levels": _Form(_write_snapshots, _read_levels),
}
