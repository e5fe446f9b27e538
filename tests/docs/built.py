"""Goes through a built site, `built.py FOLDER`: what its pages lead to is there, nothing is loaded from elsewhere."""

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_ELSEWHERE = ("http", "https", "mailto", "data")


class _Page(HTMLParser):
    """The anchors of a page, what it leads to, and what a browser loads with it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors = {""}
        self.leads: set[str] = set()
        self.loads: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value for name, value in attrs if value is not None}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.leads.add(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "prev", "next") and "href" in given:
            self.loads.add(given["href"])
        if "src" in given:
            self.loads.add(given["src"])


_page = cache(lambda path: _Page(path.read_text("utf-8")))


def findings(site: Path) -> Iterator[str]:
    """Yield a line for each link that leads nowhere, and for each thing that would be loaded from elsewhere."""
    for path in sorted(site.rglob("*.html")):
        page = _page(path)
        place = path.relative_to(site)
        for url in sorted(page.loads):
            if urlsplit(url).netloc:
                yield f"{place}: loads {url}"
        for url in sorted(page.leads | page.loads):
            parts = urlsplit(url)
            if parts.scheme in _ELSEWHERE or parts.netloc:
                continue
            name = unquote(parts.path)
            target = (site / name[1:] if name.startswith("/") else path.parent / name) if name else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file():
                yield f"{place}: {url} is not there"
            elif target.suffix == ".html" and unquote(parts.fragment) not in _page(target.resolve()).anchors:
                yield f"{place}: {url} has no such place"


if __name__ == "__main__":
    found = list(findings(Path(sys.argv[1]).resolve()))
    print(*found, sep="\n")
    sys.exit(bool(found))
