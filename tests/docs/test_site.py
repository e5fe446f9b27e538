"""The site has every page in its nav, loads nothing from elsewhere, and a page that leads nowhere is noticed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.docs.built import findings
from tests.docs.examples import PAGES, ROOT

SITE = yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))


def _pages(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    else:
        for inner in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(inner)


def test_every_page_has_its_place_in_the_nav() -> None:
    listed = list(_pages(SITE["nav"]))
    assert len(listed) == len(set(listed))
    # Frames' sources are for who reads the frames; a page beside Python code is that code.
    pages = {str(page.relative_to(ROOT)) for page in PAGES if page.name != "SOURCES.md"}
    missing = pages - set(listed)
    assert not missing, f"mkdocs.yml: nav leaves out {sorted(missing)}"
    for name in set(listed) - pages:
        assert (ROOT / name).exists() or (ROOT / name).with_suffix(".py").exists(), f"mkdocs.yml: no {name}"


def test_the_theme_asks_nobody_for_fonts() -> None:
    assert SITE["theme"]["font"] is False
    assert not {"extra_javascript", "extra_css"} & set(SITE)


def test_what_leads_nowhere_and_what_is_loaded_from_elsewhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "index.html").write_text('<h1 id="one">1</h1><a href="../b.html#two">b</a><img src="gone.png">')
    (tmp_path / "b.html").write_text(
        '<a href="a/#one">a</a><a href="#here">h</a><a href="a/c.html">c</a><a href="https://example.org/x">x</a>'
        '<script src="https://example.org/x.js"></script><link rel="stylesheet" href="//example.org/x.css">'
    )
    assert list(findings(tmp_path)) == [
        "a/index.html: ../b.html#two has no such place",
        "a/index.html: gone.png is not there",
        "b.html: loads //example.org/x.css",
        "b.html: loads https://example.org/x.js",
        "b.html: #here has no such place",
        "b.html: a/c.html is not there",
    ]
