"""Makes the site of these pages: a hook of mkdocs, named in mkdocs.yml.

The site is laid out as the repository is, so that a link that works in the
repository works on the site. A link to Python code leads to a page: the
reference of the module where plugins or programs may import it, the code itself
otherwise. Must never add a page that the repository does not have beside these.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel

ROOT = Path(__file__).resolve().parent.parent
# jrr_core itself is the Python API; the others are those of the contract with plugins.
PUBLIC = [
    "jrr_core",
    *re.findall(r"^\| `([\w.]+)` \|", (ROOT / "docs/plugins/api.md").read_text("utf-8"), re.MULTILINE),
]

_PAGES = ("*.md", "docs/**/*.md", "plugins/*/README.md", "benchmarks/README.md", "benchmarks/results/bench.md")
_CODE = ("examples/*.py", "benchmarks/*.py", "docs/examples/*/*.py", "docs/examples/*/tests/*.py")
_DATA = ("LICENSE", "constraints.txt", "pyproject.toml", "deploy/**/*", "docs/**/*.svg", "docs/**/*.png")
_link = re.compile(r"(\[[^\]]*\]\([^)\s#]+)\.py\)")


def on_config(config: MkDocsConfig) -> None:
    """Put the reference at the end of the nav, and give headings the anchors that forges give them."""
    assert config.nav is not None
    config.nav.append({"Reference": [{module: _reference(module)} for module in PUBLIC]})
    config.mdx_configs["toc"] = {"permalink": True, "slugify": slug}


def slug(heading: str, _separator: str = "-") -> str:
    """Return the anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Return the files of the theme and ours, in place of what lies in docs/."""
    theirs = [file for file in files if file.src_dir != config.docs_dir]
    return Files([*theirs, *_files(config)])


def _files(config: MkDocsConfig) -> Iterator[File]:
    for module in PUBLIC:
        yield File.generated(config, _reference(module), content=f"# {module}\n\n::: {module}\n")
    for path in _found(_CODE):
        code = f"# {path.name}\n\n````python\n{path.read_text('utf-8')}````\n"
        name = _name(path.with_suffix(".md"))
        yield File.generated(config, name, content=code, inclusion=InclusionLevel.NOT_IN_NAV)
    for path in _found((*_PAGES, *_DATA)):
        yield File(_name(path), str(ROOT), config.site_dir, config.use_directory_urls)


def _found(patterns: tuple[str, ...]) -> Iterator[Path]:
    yield from (path for pattern in patterns for path in sorted(ROOT.glob(pattern)) if path.is_file())


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _reference(module: str) -> str:
    """Return the page of a module, which lies beside its code."""
    code = ROOT.joinpath(*module.split("."))
    return _name(code / "__init__.md" if code.is_dir() else code.with_suffix(".md"))


def on_page_markdown(markdown: str, page: Any, config: MkDocsConfig, files: Files) -> str:
    """Let links to Python code lead to its page."""
    return _link.sub(r"\1.md)", markdown)
