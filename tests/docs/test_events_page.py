"""Every event, field, KEY and hook is on the page of concepts, and its words are in the glossary."""

import inspect
import re
from pathlib import Path

import attrs
import pytest

from jrr_core import hookspecs
from jrr_core.events import ALL_EVENTS, MARKET_EVENTS, Message
from jrr_core.instrument import Instrument
from jrr_core.subscription import short_channels

DOCS = Path(__file__).resolve().parents[2] / "docs"
CONCEPTS = (DOCS / "concepts.md").read_text("utf-8")
TERMS = {
    term.strip().lower()
    for heading in re.findall(r"^### (.+)$", (DOCS / "glossary.md").read_text("utf-8"), re.MULTILINE)
    for term in heading.split(",")
}
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("jrr_")}


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=lambda kind: kind.type)
def test_fields_of_events_are_documented(kind: type[Message]) -> None:
    assert _documented(_section(kind.type)) >= set(kind.fields())


@pytest.mark.parametrize("kind", MARKET_EVENTS, ids=lambda kind: kind.type)
def test_no_field_is_documented_that_does_not_exist(kind: type[Message]) -> None:
    assert _documented(_section(kind.type)) <= set(kind.fields())


def test_fields_common_to_all_events_are_documented() -> None:
    common = {attribute.name for attribute in attrs.fields(Message)}
    properties = {name for name, value in vars(Message).items() if isinstance(value, property)}
    assert _documented(_section("Events", "##")) >= common | properties | {"type"}


def test_fields_of_instruments_are_documented() -> None:
    assert _documented(_section("instrument")) == {attribute.name for attribute in attrs.fields(Instrument)}


@pytest.mark.parametrize("kind", ALL_EVENTS, ids=lambda kind: kind.type)
def test_keys_are_documented(kind: type[Message]) -> None:
    rows = [line for line in _section("Keys", "##").splitlines() if kind.type in _first_cell(line)]
    assert rows, f"no KEY of {kind.type}"
    missing = [name for name in kind.KEY if f"`{name}`" not in rows[0]]
    assert not missing


def test_channels_are_documented() -> None:
    page = _section("Subscriptions", "##")
    missing = [c for c in short_channels() if f"`{c.replace('<interval>', '1s')}`" not in page]
    assert not missing


@pytest.mark.parametrize("name", HOOKS)
def test_hooks_are_documented_with_their_arguments(name: str) -> None:
    arguments = ", ".join(inspect.signature(HOOKS[name]).parameters)
    assert f"`{name}({arguments})`" in _section("Plugins", "##")


@pytest.mark.parametrize("kind", [*ALL_EVENTS, Instrument], ids=lambda kind: kind.type)
def test_events_are_in_the_glossary(kind: type[Message]) -> None:
    assert kind.type.replace("_", " ") in TERMS


@pytest.mark.parametrize("name", [attribute.name for attribute in attrs.fields(Message)])
def test_common_fields_are_in_the_glossary(name: str) -> None:
    assert name in TERMS


@pytest.mark.parametrize("term", ["amount", "id space", "KEY", "level", "sequence", "session", "side", "taker"])
def test_words_that_fields_are_explained_with_are_in_the_glossary(term: str) -> None:
    assert term.lower() in TERMS


def test_the_glossary_is_in_order() -> None:
    text = (DOCS / "glossary.md").read_text("utf-8")
    headings = [heading.lower() for heading in re.findall(r"^### (.+)$", text, re.MULTILINE)]
    assert headings == sorted(headings)


def _section(title: str, level: str = "###") -> str:
    """Return what stands under a heading of concepts.md that names `title`, deeper headings left out."""
    for part in re.split(rf"^{level} ", CONCEPTS, flags=re.MULTILINE)[1:]:
        heading, _, body = part.partition("\n")
        if title in [name.strip() for name in heading.split(",")]:
            return re.split(r"^#+ ", body, maxsplit=1, flags=re.MULTILINE)[0]
    raise AssertionError(f"docs/concepts.md has no heading {title!r}")


def _documented(section: str) -> set[str]:
    """Return the names in the first cells of the section's tables."""
    return {name for line in section.splitlines() for name in re.findall(r"`(\w+)`", _first_cell(line))}


def _first_cell(line: str) -> str:
    return line.split("|")[1] if line.startswith("|") else ""
