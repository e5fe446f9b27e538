"""Which plugins are imported for a list of commands, and what it says of them."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Jrr = Callable[..., Result]
Install = Callable[..., str]
TRACE = "open('imported', 'a').write(__name__)\n"
HOOK = "from jrr_core.hookspecs import hookimpl\n@hookimpl\ndef jrr_commands(cli):\n"


@pytest.mark.usefixtures("folder")
def test_a_plugin_that_mentions_no_commands_is_not_imported(install: Install, jrr: Jrr) -> None:
    install("quiet", TRACE)
    assert "greet" in jrr("--help").stdout
    assert jrr("greet").stdout == "hello\n"
    assert not Path("imported").exists()


@pytest.mark.usefixtures("folder")
def test_one_that_takes_names_from_elsewhere_is_asked(folder: Path, install: Install, jrr: Jrr,
                                                      monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    (folder / "elsewhere_of_it.py").write_text(f"{HOOK}    @cli.command()\n    def found(): 'Found elsewhere.'\n")
    monkeypatch.syspath_prepend(str(folder))
    install("starred", "from elsewhere_of_it import *\n")
    assert "found        Found elsewhere." in jrr("--help").stdout


@pytest.mark.usefixtures("folder")
def test_a_list_warns_of_a_plugin_whose_commands_fail_and_shows_the_others(install: Install, jrr: Jrr) -> None:
    install("bad", f"{HOOK}    1 / 0\n")
    install("worse", f"{HOOK}    pass\n1 / 0\n")
    result = jrr("--help")
    assert "greet" in result.stdout
    assert result.stderr.count("warning: ") == 1
    assert "warning: plugin bad (distribution jrr-bad 1.0): jrr_commands failed: ZeroDivisionError" in result.stderr


@pytest.mark.usefixtures("folder")
def test_hidden_commands_stay_hidden_and_those_of_core_stay_cores(install: Install, jrr: Jrr) -> None:
    hidden = "    @cli.command(hidden=True)\n    def whisper(): print('psst')\n"
    install("sly", f"{HOOK}{hidden}    @cli.command()\n    def run(): 'Not of core.'\n")
    said = jrr("--help").stdout
    assert "whisper" not in said
    assert "Not of core." not in said
    assert jrr("whisper").stdout == "psst\n"
