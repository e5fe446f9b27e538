"""What every test here may use: hypothesis profiles and the folder of recorded exchange data."""

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# Runs of tests side by side cannot all have the one port.
os.environ.setdefault("JRR_METRICS__LISTEN", "")
# Servers of tests are on this machine, where no proxy leads.
for _name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
    os.environ.pop(_name, None)
    os.environ.pop(_name.upper(), None)

settings.register_profile("default", max_examples=60, deadline=None)
settings.register_profile("nightly", max_examples=1_000, deadline=None)
settings.load_profile(os.environ.get("JRR_HYPOTHESIS", "default"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked `nightly` to the long run."""
    if os.environ.get("JRR_HYPOTHESIS") == "nightly":
        return
    long = [item for item in items if item.get_closest_marker("nightly")]
    config.hook.pytest_deselected(items=long)
    items[:] = [item for item in items if not item.get_closest_marker("nightly")]


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Leave the log as it was found: commands set its level and where it goes."""
    log = logging.getLogger("jrr")
    level, propagate = log.level, log.propagate
    yield
    log.setLevel(level)
    log.propagate = propagate


@pytest.fixture(scope="session")
def realdata() -> Path:
    """Return the folder of recorded exchange data, or skip: it is not part of the repository.

    `JRR_REALDATA` names it; the default is `../shared/realdata` beside the repository.
    """
    beside = Path(__file__).resolve().parent.parent / "shared" / "realdata"
    folder = Path(os.environ.get("JRR_REALDATA") or beside)
    if not folder.is_dir():
        pytest.skip(f"no recorded exchange data: {folder} is not a folder (set JRR_REALDATA)")
    return folder
