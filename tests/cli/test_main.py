"""The command line as a whole: help, unknown commands, errors as paragraphs, closed pipes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import click
import pytest
from click.testing import Result

import jrr_core.cli

ROOT = Path(__file__).resolve().parents[2]
Jrr = Callable[..., Result]
Install = Callable[..., str]
COMMANDS = [
    "run",
    "ctl",
    "demo",
    "top",
    "check",
    "plan",
    "plugins",
    "instruments",
    "replay",
    "reparse",
    "coverage",
    "audit",
    "spool",
    "digest",
    "query",
    "export",
    "simulate",
]


def test_help_lists_the_commands_of_core_and_plugins(folder: Path, jrr: Jrr) -> None:
    result = jrr("--help")
    assert result.exit_code == 0
    listed = [line.split()[0] for line in result.stdout.partition("Commands:\n")[2].splitlines()]
    assert listed[: len(COMMANDS)] == COMMANDS
    assert "greet" in listed[len(COMMANDS) :]
    assert "Greet from a plugin." in result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(jrr: Jrr, command: str) -> None:
    result = jrr(command, "--help")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) > 5


def test_a_plugins_command_runs(folder: Path, jrr: Jrr) -> None:
    assert jrr("greet").stdout == "hello\n"


def test_a_misspelt_command_is_told_the_nearest(jrr: Jrr) -> None:
    result = jrr("isntruments")
    assert result.exit_code == 2
    assert "no command 'isntruments'; did you mean instruments?" in result.stderr


def test_a_plugin_whose_commands_fail_is_warned_of(folder: Path, install: Install, jrr: Jrr) -> None:
    install("bad", "from jrr_core.hookspecs import hookimpl\n@hookimpl\ndef jrr_commands(cli): 1 / 0\n")
    assert jrr("greet").stdout == "hello\n"
    assert "warning: plugin bad (distribution jrr-bad 1.0): jrr_commands failed" in jrr("greet").stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("run",), 2, "nothing to collect: add --subscribe"),
        (("run", "--plugins", "toi", "--subscribe", "toy:trade:A"), 2, "no plugin 'toi' is installed"),
        (("run", "--plugins", "toy", "--subscribe", "toi:trade:A"), 2, "did you mean toy?"),
        (("run", "--subscribe", "toy:mark_prise:A"), 2, "unknown channel 'mark_prise'"),
        (("run", "--subscribe", "nonsense"), 2, "not of the form exchange:channel:symbol"),
        (("run", "--plugins", "toy", "--subscribe", "toy:trade:A", "--for", "soon"), 2, "is not a duration"),
        (("run", "-c", "missing.toml"), 2, "cannot read the configuration missing.toml: No such file"),
        (("run", "--set", "weather.x=1"), 2, "unknown key 'weather'"),
        (("check", "--set", "log.level=loud"), 2, "log.level = 'loud' is not one of debug"),
        (("instruments", "toy", "--plugins", "toy"), 2, "toy has no list of instruments"),
        (("instruments", "toy", "--set", "exchanges.toy.rest_url=http://127.0.0.1:9"), 1, "cannot reach 127.0.0.1:9"),
        (("instruments", "toy", "--set", "exchanges.toy.rest_ur=x"), 2, "did you mean rest_url?"),
        (("replay", "missing", "--exchange", "toy", "--plugins", "toy"), 2, "cannot read the capture missing"),
        (("replay", "missing", "--exchange", "nope", "--plugins", "toy"), 2, "exchange 'nope'"),
        (("coverage", "--plugins", "toy", "--set", "sinks.shelf.pat=x"), 2, "did you mean path?"),
    ],
)
def test_what_goes_wrong_is_one_paragraph(
    folder: Path, jrr: Jrr, arguments: tuple[str, ...], code: int, said: str
) -> None:
    result = jrr(*arguments)
    assert (result.exit_code, said in result.stderr) == (code, True), result.output
    assert len([line for line in result.stderr.splitlines() if line.startswith("error: ")]) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        ("KeyboardInterrupt()", 1, "error: interrupted"),
        ("PermissionError(13, 'Permission denied', 'some/file')", 1, "error: some/file: Permission denied"),
        ("jrr.SinkUnavailable('the store is away')", 1, "error: the store is away"),
        ("ExceptionGroup('two', [jrr.ConfigError('wrong key'), OSError(5, 'x')])", 2, "error: wrong key"),
    ],
)
def test_any_expected_error_ends_tidily(install: Install, jrr: Jrr, raised: str, code: int, said: str) -> None:
    install(
        "bad",
        "import jrr_core.errors as jrr\nfrom jrr_core.hookspecs import hookimpl\n@hookimpl\ndef jrr_commands(cli):\n"
        f"    @cli.command()\n    def fail():\n        raise {raised}\n",
    )
    result = jrr("fail")
    assert (result.exit_code, result.stderr.strip().splitlines()[-1]) == (code, said)


def test_modules_of_commands_load_when_asked_for() -> None:
    code = "import sys, jrr_core.cli; print([m for m in sys.modules if m.startswith('jrr_core.cli.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# What takes longest to import of what jrr works with.
HEAVY = ("asyncio", "asyncpg", "attr", "cattrs", "jrr_core.config", "jrr_core.events", "jrr_core.loading", "msgspec",
         "packaging", "sqlite3", "ssl", "websockets")  # fmt: skip


@pytest.mark.parametrize(
    "environ",
    [{}, {"_JRR_COMPLETE": "bash_complete", "COMP_WORDS": "jrr p", "COMP_CWORD": "1"}],
    ids=["help", "completion"],
)
def test_a_list_of_commands_imports_next_to_nothing(environ: dict[str, str]) -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
        "from jrr_core.cli import main; main(['--help'], prog_name='jrr')"
    )
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **environ}, capture_output=True, text=True,
                          check=True)  # fmt: skip
    assert "postgres" in done.stdout
    loaded = done.stderr.split()
    assert "jrr_core.cli" in loaded
    assert [name for name in HEAVY if name in loaded] == []
    plugins = [path.parent.name for path in ROOT.glob("plugins/*/src/*/__init__.py")]
    assert [name for name in plugins if name in loaded] == ["jrr_postgres"]


def test_the_version_needs_no_plugin() -> None:
    code = (
        "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
        "from jrr_core.cli import main; main(['--version'], prog_name='jrr')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"jrr, version {version('jrr-core')}\n"
    assert [name for name in (*HEAVY, "jrr_postgres", "pluggy") if name in done.stderr.split()] == []


def test_completion_offers_the_commands_that_begin_so(folder: Path) -> None:
    context = click.Context(jrr_core.cli.main, info_name="jrr")
    found = {item.value: item.help for item in jrr_core.cli.main.shell_complete(context, "gr")}
    assert found == {"greet": "Greet from a plugin."}
    assert {item.value for item in jrr_core.cli.main.shell_complete(context, "--")} == {"--version", "--help"}


def _shell(line: str, folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    environ = {"PATH": os.environ["PATH"], **environ}
    script = f'jrr() {{ {sys.executable} -c "from jrr_core.cli import main; main(prog_name=\'jrr\')" "$@"; }}; {line}'
    return subprocess.run(["bash", "-c", script], cwd=folder, env=environ, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "line",
    [
        "jrr plugins | head -0; exit 0",
        "jrr --help | head -1; exit 0",
        "jrr plugins >&-; exit 0",
        "jrr plugins 2>&-; exit 0",
        "jrr run 2>&- >&-; exit 0",
    ],
)
def test_closed_pipes_and_no_home_leave_no_traceback(tmp_path: Path, line: str) -> None:
    done = _shell(line, tmp_path)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr


def test_a_working_directory_that_is_gone_leaves_no_traceback(tmp_path: Path) -> None:
    done = _shell("mkdir gone; cd gone; rmdir ../gone; jrr run; echo $?", tmp_path)
    assert "Traceback" not in done.stderr
    assert done.stdout.strip() == "2"


def test_the_entry_point_is_the_group() -> None:
    assert isinstance(jrr_core.cli.main, jrr_core.cli.Commands)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_replay_that_is_stopped_ends_tidily(configured: Path, site: Path, number: signal.Signals) -> None:
    rows = "".join(f'{10**18 + n} {{"s": "BTCUSD", "id": {n}}}\n' for n in range(20_000))
    (configured / "lines.txt").write_text(rows)
    code = "from jrr_core.cli import main; main(prog_name='jrr')"
    # The store is so slow that the signal cannot come too late.
    options = ["--exchange", "toy", "--set", "sinks.shelf.pause_s=0.1"]
    # What a script starts in the background begins with SIGINT ignored.
    ignoring = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [*ignoring, sys.executable, "-c", code, "replay", "lines.txt", *options]
    with subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(site)}, stderr=subprocess.PIPE, text=True
    ) as running:
        deadline = time.monotonic() + 20
        while not _size(configured / "shelf.jsonl") and time.monotonic() < deadline:
            time.sleep(0.01)
        running.send_signal(number)
        _, said = running.communicate(timeout=20)
    assert (running.returncode, said.splitlines()[-1]) == (1, "error: interrupted")
    assert "Traceback" not in said


def _size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
