"""Where rows of one stream and date lie: the hive path, and names that every reader decodes to the exact text.

Pure. A name must never leave its folder, whatever an exchange calls a symbol.
"""

from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

from attrs import define

DAY_NS = 86_400 * 10**9
_EPOCH = date(1970, 1, 1)
_NAME_BYTES = 255  # of most file systems
# Hive's own word for NULL, which pyarrow and polars look for after decoding.
_NO_VALUE = "__HIVE_DEFAULT_PARTITION__"


@define(frozen=True)
class Partition:
    """The rows of one relation, stream and date; `day` counts from 1970-01-01 UTC."""

    relation: str
    exchange: str
    channel: str
    symbol: str
    day: int

    def folder(self, root: Path) -> Path:
        """Return its folder beneath `root`; raises ValueError for a name that no folder can have."""
        parts = {"exchange": self.exchange, "channel": self.channel, "symbol": self.symbol}
        names = [f"{key}={encoded(value)}" for key, value in parts.items()]
        long = next((name for name in names if len(name) > _NAME_BYTES), None)
        if long is not None:
            raise ValueError(f"{long[:60]}... is longer than the {_NAME_BYTES} bytes a folder's name may have")
        return root.joinpath(self.relation, *names, f"date={_EPOCH + timedelta(days=self.day)}")


def encoded(value: str) -> str:
    """Return the text of a path that hive readers decode to `value`; raises ValueError where there is none.

    `null` is NULL to DuckDB in any case of letters, unless one is encoded.
    """
    if value in ("", _NO_VALUE):
        raise ValueError(f"{value!r} stands for no value in the name of a folder")
    if value.lower() == "null":
        return f"%{ord(value[0]):02X}{value[1:]}"
    return quote(value, safe="")
