"""Every event that the code logs, by its stable name: read from the source, not from a run."""

import ast
from collections.abc import Iterator
from pathlib import Path

from attrs import Factory, define

ROOT = Path(__file__).resolve().parents[2]
_LEVELS = {"10": "debug", "20": "info", "30": "warning", "40": "error"}


@define
class Event:
    """What is known of one event: the levels it is logged at, and the fields it may have."""

    levels: set[str] = Factory(set)
    fields: set[str] = Factory(set)


def events() -> dict[str, Event]:
    """Return every event of core and plugins, alarms among them."""
    found: dict[str, Event] = {}
    for file in [*(ROOT / "jrr_core").rglob("*.py"), *ROOT.glob("plugins/*/src/**/*.py")]:
        for name, level, fields in _calls(ast.parse(file.read_text("utf-8"))):
            event = found.setdefault(name, Event())
            event.levels.add(level)
            event.fields |= fields
    return found


def _calls(tree: ast.AST) -> Iterator[tuple[str, str, set[str]]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        named = {keyword.arg for keyword in node.keywords if keyword.arg}
        if called in ("say", "say_seldom") and len(node.args) >= 3 and isinstance(node.args[1], ast.Constant):
            folded = {"folded"} if called == "say_seldom" else set()
            yield str(node.args[1].value), _level(node.args[0]), named | folded
        elif called == "set" and len(node.args) >= 4 and isinstance(node.args[0], ast.Constant):
            yield str(node.args[0].value), "warning", (named - {"exchange"}) | {"exchange", "subject", "cure"}
        elif called == "_switch" and isinstance(node.args[2], ast.Constant):
            yield str(node.args[2].value), "warning", {"exchange", "subject", "cure"}


def _level(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr.lower()
    return _LEVELS.get(ast.unparse(node), ast.unparse(node))
