"""What the Dockerfile makes first, made here without Docker: wheels, installed by pinned versions, that collect."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.files import ROOT, stages

LEFT_OUT = shutil.ignore_patterns("tests", "__pycache__", "*.egg-info")


@pytest.mark.nightly
@pytest.mark.timeout(600)
def test_the_steps_of_the_first_stage_make_a_jrr_that_collects(tmp_path: Path) -> None:
    source, made = tmp_path / "src", tmp_path / "opt"
    source.mkdir()
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "python")], check=True)
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("JRR_", "PYTHON"))}
    environ["PATH"] = f"{tmp_path / 'python' / 'bin'}:{environ['PATH']}"
    for step in stages()[0]:
        if step.name == "COPY":
            *names, _ = step.text.split()
            for name in names:
                if (ROOT / name).is_dir():
                    shutil.copytree(ROOT / name, source / name, ignore=LEFT_OUT)
                else:
                    shutil.copy(ROOT / name, source / name)
        elif step.name == "RUN":
            command = step.text.replace("/wheels", str(tmp_path / "wheels")).replace("/opt/jrr", str(made))
            done = subprocess.run(["sh", "-c", command], cwd=source, env=environ, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
    listed = subprocess.run(
        [made / "bin" / "jrr", "plugins"], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert listed.returncode == 0, listed.stdout
    plugins = {folder.name.removeprefix("jrr_") for folder in (ROOT / "plugins").iterdir() if folder.is_dir()}
    assert {line.split()[0] for line in listed.stdout.splitlines() if "(jrr-" in line} == plugins
    demo = [str(made / "bin" / "jrr"), "demo", "--for", "2s", "--no-progress"]
    ran = subprocess.run(demo, cwd=tmp_path, env={**environ, "JRR_METRICS__LISTEN": ""}, capture_output=True, text=True)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
