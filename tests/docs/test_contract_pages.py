"""The contract pages name all there is: every method and attribute, every hook, request and error."""

import inspect
import re
from pathlib import Path
from typing import get_args

import attrs
import pytest

from jrr_core import errors, frame, hookspecs
from jrr_core.connector import Connector, ListsInPages, SessionPlan
from jrr_core.errors import JrrError
from jrr_core.parser import Extending, Parser, Refilling
from jrr_core.sink import BatchPolicy, ResumableSink, Sink
from jrr_core.store import QueryStore, Store
from jrr_core.subscriber import Subscriber
from jrr_core.testing.script import Heals, HearsPings, Peer, Script
from jrr_core.volume import Measurable

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "plugins"
CONTRACTS: dict[str, tuple[type, ...]] = {
    "connectors": (Connector, ListsInPages),
    "parsers": (Parser, Refilling, Extending),
    "sinks": (Sink, ResumableSink, Store, QueryStore, Measurable),
    "subscribers": (Subscriber,),
    "simulators": (Script, Peer, HearsPings, Heals),
}
SECTIONS = ("What core promises", "Cancellation", "Errors")


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text("utf-8")


def named(text: str) -> set[str]:
    """Return the names that stand in backticks, without what is in brackets behind them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return {part for code in re.findall(r"`([^`]+)`", prose) for part in re.findall(r"\w+", code.partition("(")[0])}


def members(contract: type) -> set[str]:
    own = {**vars(contract), **getattr(contract, "__annotations__", {})}
    return {name for name in own if not name.startswith("_")}


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_page_names_every_method_and_attribute_of_its_contracts(name: str) -> None:
    there = named(page(name))
    for contract in CONTRACTS[name]:
        assert members(contract), contract
        assert not members(contract) - there, f"docs/plugins/{name}.md says nothing of these of {contract.__name__}"


@pytest.mark.parametrize(("name", "shape"), [("connectors", SessionPlan), ("sinks", BatchPolicy)])
def test_what_is_handed_over_is_named_field_by_field(name: str, shape: type) -> None:
    assert not {field.name for field in attrs.fields(shape)} - named(page(name))


@pytest.mark.parametrize("name", [*CONTRACTS, "hooks"])
def test_a_page_has_the_sections_of_a_contract(name: str) -> None:
    headings = re.findall(r"^## (.+)$", page(name), re.MULTILINE)
    promises = "What the server promises" if name == "simulators" else SECTIONS[0]
    assert {promises, *SECTIONS[1:]} <= set(headings)
    assert any(heading.startswith("What a") and heading.endswith("promises") for heading in headings)


def test_every_request_a_parser_can_make_is_named() -> None:
    assert not {kind.__name__ for kind in get_args(frame.Request)} - named(page("parsers"))


def test_every_hook_is_named_with_what_it_takes() -> None:
    text = page("hooks")
    found = {name: hook for name, hook in vars(hookspecs).items() if hasattr(hook, "jrr_spec")}
    assert len(found) == 5
    for name, hook in found.items():
        assert f"`{name}({', '.join(inspect.signature(hook).parameters)})`" in text


def test_every_error_is_named_with_what_it_means() -> None:
    rows = set(re.findall(r"^\| `(\w+)` \|", page("index"), re.MULTILINE))
    kinds = {kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, JrrError)}
    assert kinds - {"JrrError"} <= rows


def test_the_first_page_leads_to_all_others() -> None:
    assert (
        not {path.name for path in FOLDER.glob("*.md")} - {"index.md"} - set(re.findall(r"\((\w+\.md)", page("index")))
    )
