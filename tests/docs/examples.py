"""The code blocks of all pages, and who runs each: the mark above a block, else what its language stands for.

<!-- quoted from FILE -->   its text stands in that file (test_quotes)
<!-- run by FILE -->        that test, which names the page, takes blocks of this language off it
<!-- run by FILE::TEST -->  that test carries it out
<!-- needs the internet: WHAT -->  commands not run here; test_cli_page checks that they exist
<!-- fails with: TEXT -->   commands of which the last one ends with an error that says so
<!-- shown: WHAT -->        nothing to run: a drawing, output, a file of somebody else's
without a mark: shell and bare blocks are commands, toml is jrr.toml, python goes on where the commands ended
"""

import re
import textwrap
from pathlib import Path

from attrs import define

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("plugins/*/README.md")], key=lambda path: str(path)
)
# Followed to the letter by tests/e2e/walkthrough.py, which has marks of its own and misses none.
WALKED = ROOT / "docs" / "plugins" / "tutorial.md"

# In a list a block is indented, and its mark with it.
_block = re.compile(r"^( *)(?:<!-- ([^\n]*) -->\n\1)?```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_mark = re.compile(r"(quoted from|run by|fails with:|needs the internet:|shown:) (\S.*)").fullmatch


@define(frozen=True)
class Block:
    """One code block: where it stands, its language ("" for none), its mark, its text."""

    page: Path
    line: int
    language: str
    mark: str
    words: str
    code: str

    @property
    def place(self) -> str:
        """Page and line, as editors understand them."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> bool:
        """Whether a shell runs it."""
        return self.mark in ("", "fails with:") and self.language in ("", "sh")


def blocks_of(page: Path) -> list[Block]:
    """Return the code blocks of a page in order."""
    text = page.read_text("utf-8")
    found = []
    for match in _block.finditer(text):
        mark = _mark(match[2] or "")
        line = text.count("\n", 0, match.start(3)) + 1
        code = textwrap.dedent(match[4])
        found.append(Block(page, line, match[3], mark[1] if mark else "", mark[2] if mark else "", code))
    return found


EVERY = [block for page in PAGES if page != WALKED for block in blocks_of(page)]
