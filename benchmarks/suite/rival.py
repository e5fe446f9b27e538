"""cryptofeed's environment, which the contest of the fault tests makes."""

from pathlib import Path

from tests.e2e.faults.rival.venv import VERSION, NoRival, rival_python


def rival_or_reason() -> tuple[Path | None, str]:
    """Return its Python and version, or None and why it cannot take part."""
    try:
        return rival_python(), VERSION
    except NoRival as reason:
        return None, f"absent: {reason}"
