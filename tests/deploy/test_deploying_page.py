"""docs/deploying.md names files that are there, and every line of the units that takes something away."""

import re

from tests.deploy.files import DEPLOY, ROOT, load, unit

PAGE = (ROOT / "docs" / "deploying.md").read_text("utf-8")
# What a unit is, rather than what it may do.
RUNNING = {
    "Type", "ExecStart", "ExecReload", "EnvironmentFile", "WorkingDirectory", "WatchdogSec", "Restart", "RestartSec",
    "RestartPreventExitStatus", "KillSignal", "KillMode", "TimeoutStopSec",
}  # fmt: skip


def test_files_on_the_page_are_there() -> None:
    named = set(re.findall(r"\bdeploy/[\w./@-]+\w", PAGE)) - {"deploy/.env"}
    assert len(named) >= 6
    assert not [name for name in named if not (ROOT / name).exists()]


def test_the_table_has_every_line_that_takes_something_away() -> None:
    rows = re.findall(r"^\| (`[A-Z]\w+`[^|]*) \| [^|]{8,} \|$", PAGE, re.MULTILINE)
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    keys = {key.partition(".")[2] for key in unit("jrr.service") if key.startswith("Service.")}
    assert sorted(told) == sorted(keys - RUNNING)


def test_ports_and_passwords_of_the_page_are_those_of_the_compose_file() -> None:
    published = {
        port.split(":")[1] for service in load("compose.yml")["services"].values() for port in service.get("ports", [])
    }
    (line,) = re.findall(r"^- On this machine alone: (.*?\.)", PAGE, re.MULTILINE | re.DOTALL)
    assert set(re.findall(r"\b\d{4}\b", line)) == published
    asked = set(re.findall(r"\$\{(\w+):\?", (DEPLOY / "compose.yml").read_text()))
    assert asked == set(re.findall(r'echo "(\w+)=', PAGE))
