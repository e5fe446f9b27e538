"""A page that is to be followed to the letter: its marked code blocks as steps, and how to carry them out.

<!-- run -->  <!-- run, fails with: TEXT -->  <!-- run beside -->   shell; beside: left running to the end
<!-- write FILE -->  <!-- append to FILE -->  <!-- edit FILE -->    a whole file; its new end; a change as a diff
"""

import re
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import Factory, define

_step = re.compile(r"^<!-- (run|write|append to|edit)\b ?([^\n]*?) -->\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_fence = re.compile(r"^```\w+$", re.MULTILINE)
_port = re.compile(r"--port (\d+)")
# A command line that never ends must end a test sooner than pytest does.
_MOST_S = 60.0


@define(frozen=True)
class Step:
    """One marked block: what to do, with what (the words behind it), and the block itself."""

    verb: str
    argument: str
    code: str


def steps_of(page: str) -> list[Step]:
    """Return the steps of a page in order; AssertionError for a code block that is none."""
    steps = [Step(*found) for found in _step.findall(page)]
    assert len(steps) == len(_fence.findall(page)), "a code block of the page is not marked as a step"
    return steps


@define
class Walk:
    """A reader at work in `folder`, whose shell has `env`; `close` ends what was left running."""

    folder: Path
    env: Mapping[str, str]
    ports: dict[str, str] = Factory(dict)
    running: "list[subprocess.Popen[str]]" = Factory(list)

    def take(self, step: Step) -> None:
        """Carry a step out; AssertionError, with what was said, where it does not go as the page says."""
        code = self._with_free_ports(step.code)
        if step.verb == "edit":
            self._edit(self.folder / step.argument, code)
        elif step.verb == "append to":
            file = self.folder / step.argument
            gap = "\n\n" if file.suffix == ".py" else ""
            file.write_text(file.read_text() + gap + code)
        elif step.verb == "write":
            (self.folder / step.argument).write_text(code)
        elif step.argument == "beside":
            self._run_beside(code)
        else:
            self._run(code, step.argument.removeprefix(", fails with: "))

    def close(self) -> None:
        """End what runs beside."""
        for process in self.running:
            process.send_signal(signal.SIGINT)
        for process in self.running:
            process.communicate(timeout=_MOST_S)

    def _run(self, code: str, failure: str) -> None:
        """Run each line, going on in the folder that `cd` leads to."""
        for line in code.splitlines():
            if line.startswith("cd "):
                self.folder /= line.removeprefix("cd ")
                continue
            done = subprocess.run(
                line,
                shell=True,
                cwd=self.folder,
                env=self.env,
                capture_output=True,
                text=True,
                timeout=_MOST_S,
                check=False,
            )
            said = f"$ {line}\n{done.stdout}{done.stderr}"
            assert (done.returncode != 0) == bool(failure), said
            assert failure in said, said

    def _run_beside(self, code: str) -> None:
        """Start a command and wait until it listens."""
        self.running.append(
            subprocess.Popen(
                ["sh", "-c", f"exec {code}"], cwd=self.folder, env=self.env, stdout=subprocess.PIPE, text=True
            )
        )
        found = _port.search(code)
        deadline = time.monotonic() + _MOST_S
        while found is not None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(found[1]))) == 0:
                    return
            assert time.monotonic() < deadline, f"{code} does not listen"
            time.sleep(0.02)

    def _edit(self, file: Path, diff: str) -> None:
        """Replace the lines marked - and unmarked by those marked + and unmarked; they are there once."""
        lines = diff.splitlines()
        before, after = ("".join(line[1:] + "\n" for line in lines if line[:1] != other) for other in "+-")
        text = file.read_text()
        assert text.count(before) == 1, f"{file} holds {text.count(before)} times:\n{before}"
        file.write_text(text.replace(before, after))

    def _with_free_ports(self, code: str) -> str:
        """Give each port of the page one that nobody else on this machine uses."""
        for port in _port.findall(code):
            if port not in self.ports:
                with socket.create_server(("127.0.0.1", 0)) as free:
                    self.ports[port] = str(free.getsockname()[1])
        for port, free_port in self.ports.items():
            code = code.replace(port, free_port)
        return code
