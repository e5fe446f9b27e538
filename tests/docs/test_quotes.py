"""Code on pages is the code it says it is, and runs."""

import ast
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

from jrr_core.config import load_config
from jrr_core.connector import ExchangeSettings
from jrr_core.frame import Frame

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "writing-an-exchange.md"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")])

_quote = re.compile(r"^<!-- quoted from (\S+) -->\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
_python = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
_toml = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)
_any_block = re.compile(r"^```(?:python|toml|json)$", re.MULTILINE)


QUOTES = [(page, *found) for page in PAGES for found in _quote.findall(page.read_text("utf-8"))]


@pytest.mark.parametrize(("page", "file", "code"), QUOTES)
def test_what_a_page_quotes_stands_in_the_file_to_the_letter(page: Path, file: str, code: str) -> None:
    assert code in (page.parent / file).read_text("utf-8")


def test_every_block_of_the_guide_is_a_quotation() -> None:
    text = GUIDE.read_text("utf-8")
    assert len(_quote.findall(text)) == len(_any_block.findall(text))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_on_pages_is_python(page: Path) -> None:
    for code in _python.findall(page.read_text("utf-8")):
        if (page, code) in {(where, quoted) for where, _, quoted in QUOTES}:
            continue
        compile(code, str(page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_exchange_of_the_readme_reads_a_trade() -> None:
    code = next(code for code in _python.findall((ROOT / "README.md").read_text("utf-8")) if "class Mine" in code)
    names: dict[str, object] = {}
    exec(code, names)
    hand_over = names["jrr_connectors"]
    assert callable(hand_over)
    (mine,) = hand_over()
    text = '{"symbol": "A-B", "ns": 7, "price": "1.50", "size": "2", "side": "buy", "id": "9"}'
    (trade,) = mine(ExchangeSettings()).parser(None).receive(Frame("mine", text, 8))
    assert (str(trade.price), trade.side, trade.ts_recv) == ("1.50", "buy", 8)


def test_the_settings_of_the_quickstart_are_settings(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "quickstart.md").read_text("utf-8")
    (tmp_path / "jrr.toml").write_text("".join(_toml.findall(text)))
    config = load_config(folder=tmp_path, environ={})
    assert {subscription.exchange for subscription in config.subscriptions} == {"binance", "okx"}
    assert config.sinks == {"sqlite": {"path": "live.db"}}


def test_the_page_of_layers_is_what_the_test_of_layers_enforces() -> None:
    rows = re.findall(r"^\| \d \| ([^|]*) \|", (ROOT / "docs/design/layers.md").read_text("utf-8"), re.MULTILINE)
    layers = _module(ROOT / "tests" / "test_layering.py").LAYERS
    there = {path.stem for path in (ROOT / "jrr_core").iterdir()}
    assert [set(re.findall(r"`(\w+)`", row)) for row in rows] == [set(layer) & there for layer in layers]


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"_read_by_{__name__.rpartition('.')[2]}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        spec.loader.exec_module(module)
    finally:
        del sys.modules[spec.name]
    return module
