"""The page of mutants, made from the mutants: `python -m tests.conformance.table > docs/plugins/mutants.md`."""

from collections.abc import Iterator
from types import ModuleType

from tests.conformance.killing import KINDS, mutants

PAGE = "docs/plugins/mutants.md"
_HEAD = """# Mutants

`tests/conformance/mutants/` holds small wrong plugins, each right but for one thing. They are to the
[conformance kit](conformance.md) what bugs are to a plugin: the kit has to find them. The right plugins they are made
from stand in `tests/conformance/reference/` and pass every test. {killed} of {all} mutants are killed.

This page is generated: `.venv/bin/python -m tests.conformance.table > {page}`.
"""


def page() -> str:
    """Return the page; the tests hold each mutant to the rule it names."""
    everything = [mutant for module in KINDS for mutant in mutants(module)]
    killed = [mutant for mutant in everything if not hasattr(mutant, "survives")]
    parts = [_HEAD.format(killed=len(killed), all=len(everything), page=PAGE)]
    parts += ["\n".join(_section(module)) for module in KINDS]
    parts.append("\n".join(_survivors()))
    return "\n".join(parts)


def _section(module: ModuleType) -> Iterator[str]:
    yield f"## {module.__name__.rpartition('.')[2].capitalize()}\n"
    yield "| Mutant | What is wrong | Killed by the rule |"
    yield "|---|---|---|"
    for mutant in mutants(module):
        rule = getattr(mutant, "rule", None)
        if rule is not None:
            yield f"| `{mutant.__name__}` | {_wrong(mutant)} | [{rule}](conformance.md#{rule}) |"
    yield ""


def _survivors() -> Iterator[str]:
    yield "## Survivors\n"
    yield "| Mutant | What is wrong | Why the kit cannot tell |"
    yield "|---|---|---|"
    for module in KINDS:
        for mutant in mutants(module):
            if hasattr(mutant, "survives"):
                yield f"| `{mutant.__name__}` | {_wrong(mutant)} | {mutant.survives} |"
    yield ""


def _wrong(mutant: type) -> str:
    return " ".join((mutant.__doc__ or "").split())


if __name__ == "__main__":
    print(page(), end="")
