"""What this machine has to offer: room on disks, open files, ports."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from jrr_core.checkup.machine import check_disk, check_ports
from jrr_core.config import Config


def sink_at(path: Path) -> Any:
    return SimpleNamespace(name="shelf", settings=SimpleNamespace(path=str(path)))


@pytest.mark.parametrize(("days", "state"), [(1, "error"), (10, "warning"), (100, "ok")])
def test_a_disk_lasts_as_long_as_what_is_planned_fits(tmp_path: Path, days: int, state: str) -> None:
    a_day = shutil.disk_usage(tmp_path).free / days
    (found,) = check_disk(sink_at(tmp_path / "not" / "yet" / "market.db"), a_day)
    assert found.state == state
    assert f"{days} days" in found.text or f"{days - 1} days" in found.text
    assert bool(found.cure) is (state != "ok")


def test_a_store_elsewhere_and_a_plan_unknown_say_nothing(tmp_path: Path) -> None:
    assert not list(check_disk(SimpleNamespace(name="far", settings=SimpleNamespace()), 1.0))  # type: ignore[arg-type]
    assert not list(check_disk(sink_at(tmp_path), None))


LIMITED = """
import json, resource, sys
from attrs import asdict
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), 4096))
from jrr_core.checkup.machine import check_descriptors
print(json.dumps(asdict(check_descriptors(200))))
"""


@pytest.mark.parametrize(("allowed", "state"), [(256, "error"), (300, "ok")])
def test_too_few_open_files_are_told_with_how_to_have_more(allowed: int, state: str) -> None:
    done = subprocess.run([sys.executable, "-c", LIMITED, str(allowed)], capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found["state"] == state
    assert ("ulimit -n 300" in found["cure"]) is (state == "error")


def test_a_taken_port_is_a_warning_and_a_long_socket_path_an_error() -> None:
    config = Config()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config.metrics.listen = f"127.0.0.1:{taken.getsockname()[1]}"
        (found,) = check_ports(config)
        assert (found.state, "another address" in found.cure) == ("warning", True)
    (found,) = check_ports(config)
    assert found.state == "ok"
    config.control.path = "x" * 200
    assert [found.state for found in check_ports(config)] == ["ok", "error"]
    config.metrics.listen = "nowhere"
    assert [found.state for found in check_ports(config)] == ["error"]
