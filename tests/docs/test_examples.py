"""Every example of the documentation runs, or says in its source why there is nothing to run."""

import asyncio
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jrr_postgres import StorageConfig as PostgresConfig
from jrr_sqlite import StorageConfig as SqliteConfig

import jrr_core
from jrr_core.config import load_config
from jrr_core.hookspecs import API_VERSION
from jrr_core.testing.samples import samples
from tests.docs.examples import EVERY, PAGES, ROOT, WALKED, Block, blocks_of
from tests.docs.reader import Reader, Urls, listening

pytestmark = pytest.mark.e2e

EXCHANGES = (
    "binance", "binance-coinm", "binance-usdm", "bybit", "bybit-linear", "gateio", "gateio-futures", "kraken", "okx",
)  # fmt: skip
TYPED = sorted({block.page for block in EVERY if block.commands})


def place(thing: Block | Path) -> str:
    return thing.place if isinstance(thing, Block) else str(thing.relative_to(ROOT))


def of(page: str, words: str) -> str:
    """Return the one python block of a page that holds the words."""
    (code,) = [b.code for b in blocks_of(ROOT / page) if b.language == "python" and words in b.code]
    return code


@pytest.fixture(scope="module")
def urls() -> Iterator[Urls]:
    """Where simulated exchanges listen."""
    with listening(*EXCHANGES) as found:
        yield found


@pytest.fixture(scope="module")
def store(urls: Urls, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of another day, for pages whose commands only look at one."""
    reader = Reader(tmp_path_factory.mktemp("earlier"), urls, "")
    reader.sit_down()
    typed = reader.type(
        "jrr run --plugins binance,okx,sqlite --subscribe binance:trade:BTCUSDT --subscribe okx:book:BTC-USDT-SWAP"
    )
    assert typed.returncode == 0, typed.stderr
    return reader.folder / "market.db"


@pytest.mark.parametrize("block", EVERY, ids=place)
def test_somebody_runs_each_block_or_it_says_what_it_is(block: Block) -> None:
    if block.mark == "run by":
        assert not _not_run(block), f"{block.place}: {_not_run(block)}"
    elif block.mark == "needs the internet:":
        assert block.language in ("", "sh"), f"{block.place}: only commands need the internet"
    elif block.mark in ("shown:", "quoted from"):
        assert block.words
    else:
        known = block.language in ("", "sh", "toml") or any(block.code == code for code in PYTHON)
        assert known, f"{block.place}: nobody runs it; see tests/docs/examples.py for the marks"


def _not_run(block: Block) -> str:
    """Return why the test that is to run a block does not, "" if it does."""
    file, _, name = block.words.partition("::")
    if not (ROOT / file).is_file():
        return f"{file} is no file"
    text = (ROOT / file).read_text("utf-8")
    if name:
        return "" if f"def {name}(" in text else f"{file} has no {name}"
    page = block.page if block.page.name != "README.md" or block.page.parent == ROOT else block.page.parent
    if page.name not in re.split(r"[\s\"'/]+", text):
        return f"{file} does not name the page"
    taken = re.search(rf"```\(?[\w|?:]*\b{block.language}\b", text) if block.language else None
    return (
        "" if taken or "blocks_of(" in text else f"{file} takes no such blocks off the page: name the test, FILE::TEST"
    )


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ("tests/docs/gone.py", "no file"),
        ("tests/docs/test_examples.py::test_nothing", "no test_nothing"),
        ("tests/docs/test_examples.py::test_the_pages_are_all_there", ""),
        ("tests/test_layering.py", "does not name the page"),
    ],
)
def test_a_mark_that_names_what_runs_nothing_is_found(words: str, why: str) -> None:
    said = _not_run(Block(ROOT / "docs" / "quickstart.md", 1, "sh", "run by", words, ""))
    assert why in said
    assert bool(why) == bool(said)


def test_blocks_in_lists_are_blocks(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "1. First:\n\n   <!-- shown: it -->\n   ```sh\n   jrr plugins\n     more\n   ```\n\n```toml\na = 1\n```\n"
    )
    assert [(b.line, b.language, b.mark, b.words, b.code) for b in blocks_of(page)] == [
        (4, "sh", "shown:", "it", "jrr plugins\n  more\n"), (9, "toml", "", "", "a = 1\n"),
    ]  # fmt: skip


def test_the_pages_are_all_there() -> None:
    assert len(PAGES) > 30
    assert WALKED in PAGES
    assert len(EVERY) > 80


@pytest.mark.parametrize("page", TYPED, ids=place)
def test_the_commands_of_a_page_do_what_they_say(page: Path, urls: Urls, store: Path, dsn: str, tmp_path: Path) -> None:
    reader = Reader(tmp_path, urls, dsn)
    reader.sit_down(store)
    for block in blocks_of(page):
        if "-c jrr.toml" in block.code:
            (tmp_path / "jrr.toml").write_text(HERE)
        if block.commands:
            typed = reader.type(block.code)
            said = f"{block.place}\n{typed.stdout[-2000:]}\n{typed.stderr[-2000:]}"
            if block.mark:
                assert typed.returncode, said
                assert block.words in typed.stderr, said
            else:
                assert typed.returncode == 0, said
                assert "Traceback" not in typed.stderr, said
        elif block.code in GOES_ON:
            ran = reader.run_python(f"import sqlite3, pandas\n{block.code}")
            assert ran.returncode == 0, f"{block.place}\n{ran.stderr}"


def _filled_in(toml: str) -> str:
    named = toml.replace("EXCHANGE", "binance").replace("STORE", "sqlite")
    return named.replace("a stream as the exchange names it", "btcusdt@trade")


@pytest.mark.parametrize("block", [b for b in EVERY if b.language == "toml" and not b.mark], ids=place)
def test_settings_on_pages_are_settings(block: Block, tmp_path: Path) -> None:
    (tmp_path / "jrr.toml").write_text(_filled_in(block.code))
    load_config(folder=tmp_path, environ={})


def _pointed(urls: Urls) -> type:
    """Return a builder whose exchanges are simulated and whose run ends after a second."""

    class Pointed(jrr_core.ManagerBuilder):
        def add_exchange(self, name: str, **settings: Any) -> "Pointed":
            ws_url, rest_url = urls[name]
            super().add_exchange(name, ws_url=ws_url, rest_url=rest_url, **settings)
            return self

        async def build(self) -> jrr_core.Manager:
            manager = await super().build()
            asyncio.get_running_loop().call_later(1.0, lambda: asyncio.ensure_future(manager.stop()))
            return manager

    return Pointed


MANAGER = of("README.md", "start_all_listeners")
PROGRAM = of("docs/python-api.md", "asyncio.run(main())")
BOOK = of("docs/python-api.md", "book.top")
SUITES = of("docs/plugins/conformance.md", "class TestMyParser")
SIMULATOR = of("docs/plugins/conformance.md", "class TestMySimulator")
SINK = of("docs/plugins/conformance.md", "class TestMySink")
API = of("docs/plugins/stability.md", "jrr_api")
GOES_ON = (
    of("README.md", "sqlite3.connect"), of("docs/quickstart.md", "read_sql"), of("docs/stores.md", "read_sql"),
)  # fmt: skip
HERE = """plugins = ["binance", "sqlite"]
[[subscribe]]
exchange = "binance"
channels = ["trade"]
symbols = ["BTCUSDT"]
"""
PYTHON = (MANAGER, PROGRAM, BOOK, SUITES, SIMULATOR, SINK, API, *GOES_ON)


def test_the_readme_collects_from_python(
    urls: Urls, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code = "async def main():\n" + "".join(f"    {line}\n" for line in MANAGER.splitlines())
    names: dict[str, Any] = {"ManagerBuilder": _pointed(urls), "StorageConfig": SqliteConfig}
    exec(compile(code, "README.md", "exec"), names)
    asyncio.run(names["main"]())
    assert (tmp_path / "live.db").is_file()
    assert capsys.readouterr().out.startswith("BTCUSDT ")


def test_the_program_of_the_python_api_collects(
    urls: Urls, dsn: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(jrr_core, "ManagerBuilder", _pointed(urls))
    monkeypatch.setattr("jrr_postgres.StorageConfig", lambda **_: PostgresConfig(dsn=dsn))
    exec(compile(PROGRAM, "python-api.md", "exec"), {})
    assert {line.split()[0] for line in capsys.readouterr().out.splitlines()} == {"BTCUSDT", "BTC-USDT"}


def test_a_book_is_kept_as_the_python_api_says() -> None:
    from jrr_core.events import BookSnapshot

    whole = next(event for event in samples(BookSnapshot) if event.depth is None)
    names: dict[str, Any] = {"message": whole}
    exec(BOOK, names)
    assert names["bids"] == sorted(whole.bids.decimals(), reverse=True)[:5]


def test_the_suites_are_declared_as_the_kit_reads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    from jrr_core.testing.connector_suite import ConnectorSuite
    from jrr_core.testing.parser_suite import ParserSuite
    from jrr_core.testing.simulator_suite import SimulatorSuite
    from jrr_core.testing.sink_suite import SinkSuite

    mine = types.ModuleType("jrr_myexchange")
    mine.__dict__.update(MyConnector=object, MyParser=object)
    monkeypatch.setitem(sys.modules, "jrr_myexchange", mine)
    names: dict[str, Any] = {
        "__file__": "tests/test_conformance.py", "MyScript": object, "MyConnector": object, "SinkSuite": SinkSuite,
        "Path": Path, "MySink": object, "rows_of": lambda sink, kind: [],
    }  # fmt: skip
    for code in (SUITES, SIMULATOR, SINK):
        exec(code, names)
    for name, suite in (
        ("TestMyParser", ParserSuite), ("TestMyConnector", ConnectorSuite), ("TestMySimulator", SimulatorSuite),
        ("TestMySink", SinkSuite),
    ):  # fmt: skip
        declared = {key for key in vars(names[name]) if not key.startswith("__")}
        known = {key for kind in suite.__mro__ for key in (*vars(kind), *getattr(kind, "__annotations__", {}))}
        assert declared
        assert declared <= known, f"{name} declares what {suite.__name__} does not read"


def test_the_api_version_on_the_page_is_this_cores() -> None:
    names: dict[str, Any] = {}
    exec(API, names)
    assert names["jrr_api"] == API_VERSION
