"""Parquet: decimals of fixed point, times as timestamps of ns in UTC, levels as lists of price and amount.

`pyarrow` is needed for this alone. A column whose numbers do not fit the usual
decimals is written again in wider ones, and as text where these are too narrow;
the file's metadata says which.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, get_args

from attrs import fields

from ..errors import ConfigError
from ..levels import Levels
from .kind import BOOK, Kind

_GROUP = 50_000
_BOOK_TYPES: Mapping[str, Any] = {"exchange": str, "symbol": str, "ts_event": int, "ts_recv": int, "is_snapshot": bool,
                                  "sequence": int, "bids": Levels, "asks": Levels}  # fmt: skip


class TooNarrow(Exception):  # noqa: N818 - says what happened, not whose fault
    """A number does not fit; the file has to be begun again with the next width."""


WIDTHS = ("decimal128", "decimal256", "text")
"""How numbers are kept, the usual way first: 20 digits before the point and 18 behind, 38 and 38, any."""


class ParquetFile:
    """A Parquet file being written."""

    def __init__(self, path: Path, kind: Kind, width: str, about: Mapping[str, str]) -> None:
        """Begin; raises ConfigError without pyarrow."""
        try:
            import pyarrow
            import pyarrow.parquet as parquet
        except ImportError:
            raise ConfigError(
                "--format parquet needs pyarrow: pip install 'jrr-core[parquet]', or choose --format csv"
            ) from None
        self._arrow = pyarrow
        self._kind, self._width = kind, width
        self._schema = pyarrow.schema(
            [(name, self._type(name)) for name in kind.columns], metadata={**about, "jrr.numbers": width}
        )
        self._out = parquet.ParquetWriter(path, self._schema, compression="zstd")
        self._rows: list[Mapping[str, Any]] = []

    def write(self, row: Mapping[str, Any]) -> None:
        """Take a row."""
        self._rows.append(row)
        if len(self._rows) >= _GROUP:
            self._flush()

    def close(self) -> None:
        """Write what is left, and the end of the file."""
        if self._rows:
            self._flush()
        self._out.close()

    def _flush(self) -> None:
        arrow = self._arrow
        try:
            columns = [
                arrow.array([self._value(row[name]) for row in self._rows], type=self._schema.field(name).type)
                for name in self._kind.columns
            ]
        except (arrow.ArrowInvalid, arrow.ArrowTypeError) as error:
            if self._width == WIDTHS[-1]:
                raise
            self._out.close()
            raise TooNarrow(str(error)) from None
        self._out.write_table(arrow.Table.from_arrays(columns, schema=self._schema))
        self._rows.clear()

    def _value(self, value: Any) -> Any:
        if isinstance(value, Levels):
            return [
                {"price": self._value(Decimal(price)), "amount": self._value(Decimal(amount))}
                for price, amount in value
            ]
        if isinstance(value, Decimal) and self._width == WIDTHS[-1]:
            return f"{value:f}"
        return value

    def _type(self, name: str) -> Any:
        arrow = self._arrow
        number = {
            "decimal128": arrow.decimal128(38, 18), "decimal256": arrow.decimal256(76, 38), "text": arrow.string(),
        }[self._width]  # fmt: skip
        if name.startswith("ts_") or name.endswith("_time"):
            return arrow.timestamp("ns", tz="UTC")
        kind = _plain_type(self._kind, name)
        if kind is Levels:
            return arrow.list_(arrow.struct([("price", number), ("amount", number)]))
        return {Decimal: number, int: arrow.int64(), bool: arrow.bool_()}.get(kind, arrow.string())


def _plain_type(kind: Kind, name: str) -> Any:
    """Return the type of a column, without the None it may have."""
    if kind is BOOK:
        return _BOOK_TYPES[name]
    found = next(attribute.type for attribute in fields(kind.event) if attribute.name == name)
    return next((part for part in get_args(found) if part in (Decimal, int, bool, Levels)), found)
