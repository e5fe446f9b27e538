"""The Sink contract, by the kit every sink is held to: rows in the journal, and rows in files."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from attrs import asdict
from jrr_parquet import ParquetSink, StorageConfig
from jrr_parquet.journal import file_of

from jrr_core.testing import samples
from jrr_core.testing.sink_suite import SinkSuite


class TestParquetSink(SinkSuite):
    roll_s = 60.0

    def make_sink(self, folder: Path) -> ParquetSink:
        return ParquetSink(StorageConfig(path=str(folder / "market"), roll_s=self.roll_s, busy_timeout_s=0.5))

    def make_broken_sink(self, folder: Path) -> ParquetSink:
        return self.make_sink(folder / "missing")

    def refused(self) -> Sequence[Any]:
        changes: list[dict[str, Any]] = [{"symbol": "x" * 300}, {"price": Decimal("NaN")}, {"count": 2**63}]
        return [samples.trade(90 + number, **change) for number, change in enumerate(changes)]

    async def read_back(self, sink: Any, kind: type) -> Sequence[Mapping[str, Any]]:
        return [asdict(event, recurse=False) async for event in sink.read(kind)]

    @contextmanager
    def away(self, sink: Any) -> Iterator[None]:
        with closing(sqlite3.connect(file_of(Path(sink.settings.path)), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield


class TestRollingAllTheTime(TestParquetSink):
    """The same with files that grow while batches come."""

    roll_s = 0.001
