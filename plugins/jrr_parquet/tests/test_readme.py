"""The examples on the plugin's page run, on a store that holds what they ask for."""

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from jrr_parquet import StorageConfig

from jrr_core.events import Connected, Gap

Run = Callable[..., Any]
PAGE = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def run(example: str, folder: Path, store: Run, trade: Run, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    told = [
        Connected("sim", "BTCUSDT", None, 10**18, "trade", "s1", ts_from=10**18),
        Gap("sim", "BTCUSDT", None, 10**18 + 9, "trade", "s1", "sequence", 2, 10**18 + 5, 10**18 + 8),
    ]
    store([trade(1), trade(2), trade(3, "1000"), *told])
    folder.rename(folder.parent / "market-parquet")
    monkeypatch.chdir(folder.parent)
    names: dict[str, Any] = {}
    exec(compile(example, "README.md", "exec"), names)
    return names


@pytest.mark.parametrize("example", [text for text in EXAMPLES if "trades" in text], ids=["duckdb", "pandas", "polars"])
def test_an_example_gives_the_trades_of_the_symbol(
    example: str, folder: Path, store: Run, trade: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    trades = run(example, folder, store, trade, monkeypatch)["trades"]
    frame = trades.df() if hasattr(trades, "df") else trades.to_pandas() if hasattr(trades, "to_pandas") else trades
    assert [*frame["symbol"]] == ["BTCUSDT"] * 2
    assert [*frame["price"]] == [61837.63] * 2
    assert [Decimal(amount) for amount in frame["amount"]] == [Decimal("0.0120")] * 2
    assert sorted({str(at)[:19] for at in frame["at"]}) == ["2023-11-14 22:13:20"]


def test_the_gaps_are_found(folder: Path, store: Run, trade: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (example,) = [text for text in EXAMPLES if "gaps" in text]
    gaps = run(example, folder, store, trade, monkeypatch)["gaps"].fetchall()
    assert [row[:5] for row in gaps] == [("sim", "trade", "BTCUSDT", "sequence", 2)]


def test_every_setting_is_on_the_page_with_its_default() -> None:
    listed = dict(re.findall(r"^\| `(\w+)` \| `?([^`|]+?)`? \|", PAGE, re.MULTILINE))
    assert listed == {field.name: str(field.default) for field in attrs.fields(StorageConfig)}
