"""Every failure of the kit points at a section that exists."""

import ast
import re
from pathlib import Path

import pytest

from jrr_core.testing.contract import PAGE, broken

ROOT = Path(__file__).resolve().parents[2]
TESTING = (ROOT / "jrr_core" / "testing").glob("*.py")
SUITES = sorted(path for path in TESTING if "import broken" in path.read_text("utf-8"))


@pytest.mark.parametrize("suite", SUITES, ids=lambda path: path.stem)
def test_every_rule_is_explained_on_the_page(suite: Path) -> None:
    headings = re.findall(r"^### (.+)$", (ROOT / PAGE).read_text("utf-8"), flags=re.MULTILINE)
    sections = {heading.lower().replace(" ", "-") for heading in headings}
    calls = [node for node in ast.walk(ast.parse(suite.read_text("utf-8"))) if isinstance(node, ast.Call)]
    named = [call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id == "broken"]
    anchors = {node.value for node in named if isinstance(node, ast.Constant)}
    assert anchors
    assert anchors <= sections


def test_a_failure_says_rule_finding_and_place() -> None:
    text = broken("no-float", "No floats.", 0.5)
    assert text == "No floats. Found: 0.5. See docs/plugins/conformance.md#no-float"


def test_long_findings_are_cut() -> None:
    assert len(broken("no-float", "No floats.", "x" * 10_000)) < 500
