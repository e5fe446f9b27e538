"""docs/configuration.md is what the settings classes say."""

from pathlib import Path

from jrr_core.plugins import Plugins
from jrr_core.testing.settings_page import page

_ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_what_the_settings_classes_say() -> None:
    names = sorted(folder.name.removeprefix("jrr_") for folder in (_ROOT / "plugins").glob("jrr_*"))
    written = (_ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert written == page(Plugins.load(names)), (
        f"stale: .venv/bin/python -m jrr_core.testing.settings_page {' '.join(names)} > docs/configuration.md"
    )


def test_every_setting_has_its_help() -> None:
    rows = [line for line in page(Plugins.load()).splitlines() if line.startswith("| `")]
    assert len(rows) > 20
    without = [row for row in rows if row.count(" | ") == 3 and row.endswith(" |  |")]
    assert without == []
