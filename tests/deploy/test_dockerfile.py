"""The Dockerfile: small, not root, made of files that are there, and it runs the command that jrr has."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from jrr_core.observe.settings import MetricsSettings
from tests.deploy.files import DEPLOY, ROOT, options_of, stages

BUILD, LAST = stages()


def _of(name: str) -> str:
    (text,) = [instruction.text for instruction in LAST if instruction.name == name]
    return text


def test_the_linter_has_nothing_to_say() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    said = subprocess.run([linter, DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (said.stdout, said.returncode) == ("", 0)


def test_what_is_copied_is_there_and_sent_to_the_builder() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert rules[0] == "*"
    sent = {rule[1:] for rule in rules if rule.startswith("!")}
    copied = {name for i in BUILD if i.name == "COPY" for name in i.text.split()[:-1]}
    assert copied == sent
    assert all((ROOT / name).exists() for name in copied)


def test_it_is_not_root_and_writes_where_its_volume_is() -> None:
    assert int(_of("USER")) > 0
    assert _of("WORKDIR") == _of("VOLUME")
    assert [i.text for i in LAST if i.name == "COPY"] == ["--from=build /opt/jrr /opt/jrr"]


def test_its_command_is_one_that_jrr_has() -> None:
    arguments: list[str] = json.loads(_of("CMD"))
    assert json.loads(_of("ENTRYPOINT")) == ["jrr"]
    assert str(options_of(arguments)["config_file"]) == "/etc/jrr/jrr.toml"


@contextmanager
def answering(status: int) -> Iterator[int]:
    """Serve /readyz with this status; yield the port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (503, False)])
def test_it_is_healthy_when_every_stream_is_ready(status: int, healthy: bool) -> None:
    options, _, command = _of("HEALTHCHECK").partition(" CMD ")
    assert "--start-period=" in options
    python, *arguments = json.loads(command)
    assert python == "python"
    assert f", {MetricsSettings().listen.rpartition(':')[2]}, " in arguments[1]
    with answering(status) as port:
        code = arguments[1].replace("9464", str(port))
        done = subprocess.run([sys.executable, arguments[0], code], check=False, env={"http_proxy": "http://[::1]:1"})
    assert (done.returncode == 0) == healthy
