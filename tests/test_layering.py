"""The walls of the house: who may import whom, what the core may not know, what plugins may rely on."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "jrr_core"
API_PAGE = ROOT / "docs" / "plugins" / "api.md"

# A module imports only from layers above its own line. What each layer is for: docs/design.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "exact", "levels", "book_side", "events", "instrument", "subscription", "frame", "setting", "dotenv",
     "redact"),
    ("book", "candles", "connector", "parser", "playback", "sink", "store", "subscriber", "volume"),
    (
        "hookspecs", "alarms", "heap", "sequence", "book_stream", "buffer", "bus", "backfill", "backoff", "continuity",
        "counters",
        "coverage", "desk", "endpoints", "eventloop", "holes", "intake",
        "journal", "ladder", "lead", "lines", "network", "numbered",
        "packing", "pace", "pages", "printable", "private", "quarantine", "rates", "resync", "rising", "route",
        "seeded_book", "segment", "shard", "stream", "structure", "systemd", "tape", "timelines", "track",
        "tracks", "unhealed", "vigil", "wanted_topics", "wire", "wishes",
    ),
    ("transport", "session", "rest", "fetch", "drain", "notify", "spool", "spooler", "inventory", "capture",
     "interview", "plan", "stocktake", "audit", "clock", "digest", "export", "control", "observe"),
    ("loading", "plugins", "config", "base_connector", "line"),
    ("exchange", "account", "bundle", "carriage", "crew", "following", "manager", "builder", "replay", "scaffold",
     "remote", "lookout", "top", "checkup", "workers"),
    ("cli",),
)  # fmt: skip

# Imports within a layer, beside those of layer 0, which may all see each other.
WITHIN = {
    "connector": {"parser"},
    "store": {"book", "sink"},
    "backfill": {"endpoints", "pages"},
    "book_stream": {"ladder", "resync"},
    "buffer": {"counters"},
    "alarms": {"journal"},
    "continuity": {"holes", "lead", "stream", "track", "tracks"},
    "endpoints": {"pages"},
    "desk": {"continuity", "counters", "coverage", "journal", "stream", "tape"},
    "intake": {"coverage", "desk", "journal", "stream", "tape", "wire"},
    "journal": {"printable"},
    "lead": {"track"},
    "numbered": {"coverage", "holes"},
    "plugins": {"loading"},
    "quarantine": {"private"},
    "route": {"network"},
    "stocktake": {"plan"},
    "stream": {"track"},
    "timelines": {"coverage"},
    "track": {"holes"},
    "tracks": {"holes", "lead", "numbered", "track"},
    "fetch": {"rest"},
    "interview": {"fetch"},
    "clock": {"fetch", "interview"},
    "inventory": {"spool"},
    "spooler": {"spool"},
    "drain": {"spool", "spooler"},
    "account": {"exchange"},
    "crew": {"exchange", "following"},
    "following": {"exchange"},
    "carriage": {"bundle"},
    "exchange": {"carriage"},
    "manager": {"account", "crew", "exchange"},
    "builder": {"exchange", "lookout", "manager"},
    "checkup": {"builder", "exchange"},
    "lookout": {"exchange"},
    "remote": {"manager"},
    "workers": {"builder", "manager", "remote"},
}

PRODUCTS = (
    "binance", "okx", "okex", "bybit", "kraken", "coinbase", "gate.io", "gateio", "bitmex", "deribit", "bitfinex",
    "bitget", "kucoin", "huobi", "hyperliquid", "bitstamp", "upbit", "sqlite", "postgres", "duckdb", "clickhouse",
    "mysql", "mariadb", "mongodb", "questdb", "influxdb", "timescale", "redis", "kafka", "parquet",
)  # fmt: skip
FILE_FORMATS = frozenset({"parquet"})
"""Names that are also a file format's: the export writes such files itself, whatever store they come from."""
EXPORT = {CORE / "export", CORE / "cli" / "export.py"}

LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}


def test_every_module_has_a_layer() -> None:
    homeless = {name_of(path) for path in core_files()} - set(LEVEL) - {"__init__", "testing"}
    assert not homeless, f"give these modules a layer in {Path(__file__).name}: {sorted(homeless)}"


def test_modules_import_only_from_lower_layers() -> None:
    wrong = [
        f"{module} (layer {LEVEL[module]}) imports {used} (layer {LEVEL[used]})"
        for module, used in core_imports()
        if module in LEVEL and used in LEVEL and not allowed(module, used)
    ]
    assert not wrong, "\n".join(wrong)


def test_imports_have_no_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for path in core_files():
        if path.name != "__init__.py":
            own = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            graph[own] = {module for module, _ in imports_of(path) if is_module(module)}
    TopologicalSorter(graph).prepare()


def test_nothing_imports_the_kit_but_the_command_line() -> None:
    for path in core_files():
        if name_of(path) not in ("testing", "cli"):
            kit = [module for module, _ in imports_of(path) if module.startswith("jrr_core.testing")]
            assert not kit, f"{path.relative_to(ROOT)} imports {kit}: only cli may"


def test_collecting_does_not_load_the_kit() -> None:
    """Commands are modules of their own; those that simulate may import the kit, the others not."""
    loaded = (
        "import sys, jrr_core.cli.run; print(*[name for name in sys.modules if name.startswith('jrr_core.testing')])"
    )
    result = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.split() == []


def test_loading_the_core_loads_the_lowest_layer_only() -> None:
    for module, at_start in imports_of(CORE / "__init__.py"):
        if module.startswith("jrr_core.") and at_start:
            assert LEVEL[module.split(".")[1]] == 0, f"jrr_core/__init__.py loads {module} at start"


def test_core_names_no_exchange_and_no_database() -> None:
    found = []
    for path in CORE.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            text = f"{path.name}\n{path.read_text('utf-8', errors='replace')}".lower()
            allowed = FILE_FORMATS if EXPORT & {path, path.parent} else frozenset()
            found += [f"{path.relative_to(ROOT)}: {name}" for name in PRODUCTS if name in text and name not in allowed]
    assert not found, f"what is true of one product lives in its plugin: {found}"


def test_every_package_is_typed() -> None:
    packages = [CORE, *(path.parent for path in ROOT.glob("plugins/*/src/*/__init__.py"))]
    assert [path.name for path in packages if not (path / "py.typed").is_file()] == []


def test_no_module_is_a_drawer() -> None:
    drawers = {"util", "utils", "helper", "helpers", "common", "misc", "shared", "tools"}
    found = [path for path in [*core_files(), *plugin_files()] if {path.stem, path.parent.name} & drawers]
    assert not found, f"name these for what is in them: {found}"


def test_plugins_import_public_modules_only() -> None:
    public = public_modules()
    for path in plugin_files():
        for module, _ in imports_of(path):
            if module.split(".")[0] == "jrr_core":
                assert module in public, (
                    f"{path.relative_to(ROOT)} imports {module}, which {API_PAGE.relative_to(ROOT)} does not promise"
                )


def test_plugins_import_no_private_names() -> None:
    for path in plugin_files():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("jrr_core"):
                private = [alias.name for alias in node.names if alias.name.startswith("_")]
                assert not private, f"{path.relative_to(ROOT)} imports {private} of {node.module}"


def test_plugins_do_not_import_each_other() -> None:
    own = {path.parent.name for path in ROOT.glob("plugins/*/src/*/__init__.py")}
    for path in plugin_files():
        package = path.relative_to(ROOT / "plugins").parts[2] if path.is_relative_to(ROOT / "plugins") else ""
        others = {module.split(".")[0] for module, _ in imports_of(path)} & own - {package}
        assert not others, f"{path.relative_to(ROOT)} imports {others}"


def test_public_modules_exist_and_hold_the_contracts() -> None:
    public = public_modules()
    missing = [name for name in public if not (is_module(name) or is_package(name))]
    assert not missing, f"{API_PAGE.name} promises modules that do not exist: {missing}"
    contracts = {f"jrr_core.{module}" for module in (*LAYERS[0], *LAYERS[1])}
    assert contracts <= public, f"{API_PAGE.name} leaves out {sorted(contracts - public)}"


def allowed(module: str, used: str) -> bool:
    """Return whether `module` may import `used`."""
    if LEVEL[used] == LEVEL[module]:
        return LEVEL[module] == 0 or used in WITHIN.get(module, set())
    return LEVEL[used] < LEVEL[module]


def core_files() -> list[Path]:
    return sorted(CORE.rglob("*.py"))


def plugin_files() -> list[Path]:
    """Return the code of our plugins and of the example plugins, without their tests."""
    examples = [path for path in ROOT.glob("docs/examples/**/*.py") if "tests" not in path.parts]
    return sorted([*ROOT.glob("plugins/*/src/**/*.py"), *examples])


def name_of(path: Path) -> str:
    """Return a core file's module, the package for files inside one."""
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def core_imports() -> Iterator[tuple[str, str]]:
    """Yield (module, imported core module) for every import statement, wherever in the file it stands."""
    for path in core_files():
        for module, _ in imports_of(path):
            used = module.removeprefix("jrr_core").lstrip(".").split(".")[0] or "__init__"
            if module.split(".")[0] == "jrr_core" and name_of(path) not in (used, "testing"):
                yield name_of(path), used


def imports_of(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield (dotted module, whether it is imported when the file loads) for every import of a file."""
    tree = ast.parse(path.read_text("utf-8"))
    inside = {
        id(n) for f in ast.walk(tree) if isinstance(f, (ast.FunctionDef, ast.AsyncFunctionDef)) for n in ast.walk(f)
    }
    inside |= {id(n) for i in ast.walk(tree) if is_type_checking(i) for n in ast.walk(i)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(path, node)
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                yield whole if is_module(whole) else base, id(node) not in inside


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def absolute(path: Path, node: ast.ImportFrom) -> str:
    """Return the dotted name of what a relative import of a core file starts from."""
    if not node.level or not path.is_relative_to(CORE):
        return "." * node.level + (node.module or "")
    package = path.relative_to(ROOT).parent.parts
    parts = [*package[: len(package) - node.level + 1], *([node.module] if node.module else [])]
    return ".".join(parts)


def is_module(dotted: str) -> bool:
    return dotted.startswith("jrr_core") and (ROOT / Path(*dotted.split("."))).with_suffix(".py").is_file()


def is_package(dotted: str) -> bool:
    return (ROOT / Path(*dotted.split(".")) / "__init__.py").is_file()


def public_modules() -> set[str]:
    """Return the modules the first column of the API page names, and `jrr_core` itself."""
    rows = re.findall(r"^\| `(jrr_core[a-z_.]*)`", API_PAGE.read_text("utf-8"), flags=re.MULTILINE)
    return {"jrr_core", *rows}
