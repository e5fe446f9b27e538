"""Names of files: no symbol leads elsewhere, and different symbols have different names."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.export.place import file_of, safe_name
from jrr_core.testing import hostile


@pytest.mark.parametrize("symbol", hostile.NAMES, ids=lambda name: ascii(name[:20]))
def test_hostile_symbols_stay_in_their_folder(tmp_path: Path, symbol: str) -> None:
    file = file_of(tmp_path, "trades", "x", symbol, 20_000, "csv")
    file.parent.mkdir(parents=True)
    file.write_text("here")
    assert file.resolve().is_relative_to(tmp_path.resolve())
    assert file.relative_to(tmp_path).parts[:2] == ("x", "trades")
    assert len(file.relative_to(tmp_path).parts) == 4
    assert file.name == "2024-10-04.csv"


@given(st.text(max_size=300), st.text(max_size=300))
def test_different_symbols_have_different_names(one: str, other: str) -> None:
    assert (safe_name(one) == safe_name(other)) is (one == other)
    assert 0 < len(safe_name(one)) <= 255
    assert not set(safe_name(one)) & set('/\\:*?"<>|\0')


@pytest.mark.parametrize(
    ("symbol", "name"),
    [("BTCUSDT", "BTCUSDT"), ("BTC-USDT-SWAP", "BTC-USDT-SWAP"), ("BTC/USD", "BTC%2FUSD"), ("..", "%2E%2E"),
     ("NUL", "%4EUL"), ("con.x", "%63on.x"), ("", "%"), ("币", "%E5%B8%81")],
)  # fmt: skip
def test_usual_symbols_keep_theirs(symbol: str, name: str) -> None:
    assert safe_name(symbol) == name
