"""The systemd units: known to systemd, exposed as little as it can judge, and they run the command that jrr has."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from jrr_core.config import RunSettings
from tests.deploy.files import DEPLOY, options_of, unit, words

UNITS = ("jrr.service", "jrr@.service")
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


@pytest.fixture(params=UNITS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def one(keys: dict[str, list[str]], key: str) -> str:
    (value,) = keys[key]
    return value


def test_it_runs_a_command_that_jrr_has(name: str) -> None:
    program, *arguments = words(one(unit(name), "Service.ExecStart"))
    assert program == "/opt/jrr/bin/jrr"
    options = options_of(arguments)
    assert str(options["config_file"]).startswith("/etc/jrr/")
    assert options.get("instance") == ("%i" if "@" in name else None)


def test_an_instance_has_files_of_its_own_and_is_else_the_same() -> None:
    single, template = ((DEPLOY / "systemd" / name).read_text().splitlines()[1:] for name in UNITS)
    differing = [(one, other) for one, other in zip(single, template, strict=True) if one != other]
    assert [line.partition("=")[0] for line, _ in differing] == [
        "Description", "ExecStart", "EnvironmentFile", "WorkingDirectory", "StateDirectory",
    ]  # fmt: skip
    assert all("%i" in line for _, line in differing)


def test_the_end_leaves_time_to_store_what_is_buffered(name: str) -> None:
    keys = unit(name)
    assert int(one(keys, "Service.TimeoutStopSec")) > 2 * RunSettings().stop_timeout_s
    assert one(keys, "Service.KillSignal") == "SIGTERM"
    assert one(keys, "Service.KillMode") == "mixed"


def test_it_is_watched_reloaded_and_not_started_again_with_wrong_settings(name: str) -> None:
    keys = unit(name)
    assert one(keys, "Service.Type") == "notify"
    assert int(one(keys, "Service.WatchdogSec")) >= 10
    assert one(keys, "Service.ExecReload") == "/bin/kill -HUP $MAINPID"
    assert (one(keys, "Service.Restart"), one(keys, "Service.RestartPreventExitStatus")) == ("on-failure", "2")


def test_it_may_use_the_sockets_jrr_has_and_write_its_own_folder(name: str) -> None:
    keys = unit(name)
    assert set(one(keys, "Service.RestrictAddressFamilies").split()) == {"AF_INET", "AF_INET6", "AF_UNIX"}
    assert one(keys, "Service.ProtectSystem") == "strict"
    assert one(keys, "Service.WorkingDirectory") == f"/var/lib/{one(keys, 'Service.StateDirectory')}"
    assert not [key for key in keys if "ReadWrite" in key]


@needs_systemd
def test_systemd_knows_every_key(name: str, tmp_path: Path) -> None:
    jrr = Path(sys.executable).with_name("jrr")
    copy = tmp_path / name
    copy.write_text((DEPLOY / "systemd" / name).read_text().replace("/opt/jrr/bin/jrr", str(jrr)))
    checked = str(copy).replace("@.", "@spot.") if "@" in name else str(copy)
    said = subprocess.run(
        [str(ANALYZE), "verify", "--man=no", checked], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    ours = [line for line in said.stderr.splitlines() if "jrr" in line]
    assert (ours, said.returncode) == ([], 0)


@needs_systemd
def test_systemd_finds_it_little_exposed() -> None:
    command = [str(ANALYZE), "security", "--offline=true", "--threshold=20", str(DEPLOY / "systemd" / "jrr.service")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout
