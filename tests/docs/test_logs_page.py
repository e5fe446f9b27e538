"""The pages of logs and alarms have every event and alarm of the code, with its levels and fields, and no other."""

import re
from pathlib import Path

from tests.docs.log_events import Event, events

DOCS = Path(__file__).resolve().parents[2] / "docs"
# One call tells both of these.
_BY_NAME = {name: Event({"info"}, {"exchange", "symbols", "streams"}) for name in ("listed", "delisted")}


def test_every_event_is_on_the_page_with_its_levels_and_fields() -> None:
    page = (DOCS / "logs.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| ([^|]*) \| ([^|]+) \|$", page, re.MULTILINE)
    told = {name: (set(levels.split(", ")), set(re.findall(r"`(\w+)`", fields))) for name, levels, fields, _ in rows}
    known = {**events(), **_BY_NAME}
    assert told == {name: (event.levels, event.fields - {"folded"}) for name, event in known.items()}
    assert all(len(meaning) > 8 for _, _, _, meaning in rows)


def test_every_alarm_has_its_own_section_in_its_page() -> None:
    page, logs = (DOCS / "alarms.md").read_text("utf-8"), (DOCS / "logs.md").read_text("utf-8")
    told = set(re.findall(r"^## (\w+)$", page, re.MULTILINE))
    assert told == set(re.findall(r"^\| `(\w+)` \| warning \| [^|]* \| \[alarm\]", logs, re.MULTILINE))
    for section in page.split("\n## ")[1:]:
        for part in ("Begins", "Ends", "What to do"):
            assert f"- {part}: " in section, (section.split("\n")[0], part)
