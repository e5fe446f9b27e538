"""Plugins are loaded from real distributions; what is wrong with one is said by name and harms no other."""

import sys
from collections.abc import Callable

import click
import pytest

from jrr_core.errors import ConfigError, PluginError
from jrr_core.plugins import Plugins, installed

Install = Callable[..., str]

HEAD = """
from attrs import define
from jrr_core.base_connector import BaseWebSocketConnector
from jrr_core.hookspecs import hookimpl

class Exchange(BaseWebSocketConnector):
    exchange = "toy"

@define
class Settings:
    path: str = ""

class Sink:
    name = "shelf"
    Settings = Settings
    embedded = False
    accepts = ()
    async def open(self): ...
    async def write(self, batch): ...
    async def close(self): ...

class Told:
    name = "told"
    Settings = Settings
    accepts = ()
    async def notify(self, batch): ...

class Parser:
    exchange = "toy"
    def receive(self, frame): return ()
"""
CONNECTORS = HEAD + "\n@hookimpl\ndef jrr_connectors(): return [Exchange]\n"
EVERYTHING = (
    CONNECTORS
    + """
@hookimpl
def jrr_sinks(): return (Sink,)
@hookimpl
def jrr_subscribers(): yield Told
@hookimpl
def jrr_parsers(): return [Parser]
"""
)


def test_a_plugin_hands_over_its_classes(install: Install) -> None:
    install("toy", EVERYTHING, version="3.2")
    plugins = Plugins.load(["toy"])
    assert [(p.name, p.distribution, p.version) for p in plugins.all] == [("toy", "jrr-toy", "3.2")]
    assert plugins.connector("toy").exchange == "toy"
    assert plugins.sink("shelf").name == "shelf"
    assert plugins.subscriber("told").name == "told"
    assert list(plugins.parsers) == ["toy"]
    assert plugins.broken == []


def test_installed_lists_without_importing(install: Install) -> None:
    module = install("toy", "raise SystemExit", version="3.2")
    assert ("toy", "jrr-toy", "3.2") in installed()
    assert module not in sys.modules


def test_only_what_is_named_is_imported(install: Install) -> None:
    install("toy", EVERYTHING)
    other = install("other", "raise RuntimeError")
    assert [plugin.name for plugin in Plugins.load(["toy", "toy"]).all] == ["toy"]
    assert other not in sys.modules
    assert Plugins.load([]).all == ()


def test_a_module_may_offer_nothing(install: Install) -> None:
    install("toy", "")
    assert Plugins.load(["toy"]).all[0].connectors == ()


def test_an_unknown_name_lists_what_is_installed(install: Install) -> None:
    install("toy", EVERYTHING)
    with pytest.raises(ConfigError, match=r"no plugin 'toi' .*did you mean toy\?.*pip install jrr-toi") as error:
        Plugins.load(["toi"])
    assert all(name in str(error.value) for name, _, _ in installed())


def test_no_pip_line_for_what_is_no_package_name() -> None:
    with pytest.raises(ConfigError) as error:
        Plugins.load(["a; rm -rf /"])
    assert "pip install" not in str(error.value)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("1 / 0", "ZeroDivisionError"),
        (HEAD + "@hookimpl\ndef jrr_conectors(): return [Exchange]", "jrr_conectors; did you mean jrr_connectors?"),
        (HEAD + "def jrr_connectors(): return [Exchange]", "jrr_connectors without @hookimpl"),
        (HEAD + "@hookimpl\ndef jrr_sinks(extra): return [Sink]", "wrong hook"),
        (HEAD + "@hookimpl\nasync def jrr_sinks(): return [Sink]", "jrr_sinks is `async def`"),
        (HEAD + "@hookimpl\ndef jrr_sinks(): 1 / 0", "jrr_sinks failed: ZeroDivisionError"),
        (HEAD + "@hookimpl\ndef jrr_sinks(): [Sink]", "jrr_sinks returned None; it must return a list of classes"),
        (HEAD + "def jrr_conectors(): return [Exchange]", "jrr_conectors; did you mean jrr_connectors?"),
        ("jrr_api = 1.0", "jrr_api = 1.0; it must be the API the plugin was written for as text"),
        ("jrr_api = '1'", "jrr_api = '1'; it must be"),
        (
            "jrr_api = '1.7'",
            "written for plugin API 1.7, which is newer than the 1.0 of jrr-core 0.1.0; pip install --upgrade jrr-core",
        ),
        ("jrr_api = '2.0'", "which is newer than"),
        ("jrr_api = '0.9'", "which is older than the 1.0 of jrr-core 0.1.0; pip install --upgrade jrr-bad"),
        (HEAD + "@hookimpl\ndef jrr_sinks(): return Sink", "jrr_sinks failed: TypeError"),
        (HEAD + "@hookimpl\ndef jrr_sinks(): return ['Sink']", "not a class"),
        (HEAD + "@hookimpl\ndef jrr_sinks(): return [Parser]", "lacks the class attribute `name`"),
        (HEAD + "@hookimpl\ndef jrr_sinks(): return [Told]", "lacks open, write, close of the Sink contract"),
        (HEAD + "Sink.Settings = dict\n@hookimpl\ndef jrr_sinks(): return [Sink]", "`Settings` is not an attrs class"),
        (CONNECTORS + "@hookimpl\ndef jrr_connectors(): return [Exchange, Exchange]", "offered by jrr-bad"),
    ],
)
def test_what_is_wrong_with_a_plugin_names_its_distribution(install: Install, code: str, said: str) -> None:
    install("bad", code)
    with pytest.raises(PluginError) as error:
        Plugins.load(["bad"])
    assert said in str(error.value)
    assert "jrr-bad" in str(error.value)


def test_one_broken_plugin_does_not_stop_the_others(install: Install) -> None:
    install("bad", "1 / 0")
    install("toy", CONNECTORS)
    plugins = Plugins.load()
    assert "toy" in plugins.connectors
    assert ["jrr-bad" in str(error) for error in plugins.broken] == [True]


def test_two_classes_for_one_exchange_name_both_distributions(install: Install) -> None:
    install("one", CONNECTORS)
    install("two", CONNECTORS)
    with pytest.raises(PluginError, match=r"'toy' is offered by jrr-one .* and by jrr-two"):
        Plugins.load(["one", "two"])
    plugins = Plugins.load()
    assert "toy" in plugins.connectors
    assert len(plugins.broken) == 1


def test_one_name_from_two_distributions_is_refused(install: Install) -> None:
    install("toy", CONNECTORS, "jrr-toy")
    install("toy", "", "their-toy")
    with pytest.raises(PluginError, match="jrr-toy and their-toy"):
        Plugins.load(["toy"])


def test_an_unknown_exchange_says_which_plugin_may_have_it(install: Install) -> None:
    install("toy", CONNECTORS)
    install("other", HEAD.replace('"toy"', '"other"') + "\n@hookimpl\ndef jrr_connectors(): return [Exchange]\n")
    with pytest.raises(ConfigError, match=r"Exchanges there are: other\. Plugin toy may have it.*not loaded"):
        Plugins.load(["other"]).connector("toy-perp")
    with pytest.raises(ConfigError, match=r"did you mean other\?"):
        Plugins.load(["other"]).connector("othre")


def test_an_exchange_of_a_broken_plugin_says_why_it_is_broken(install: Install) -> None:
    install("toy", "1 / 0")
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        Plugins.load().connector("toy")


def test_commands_are_added_when_asked_for(install: Install) -> None:
    install("toy", HEAD + "@hookimpl\ndef jrr_commands(cli): cli.command('greet')(lambda: None)\n")
    install("bad", HEAD + "@hookimpl\ndef jrr_commands(cli): 1 / 0\n")
    group = click.Group()
    toy, bad = Plugins.load(["toy", "bad"]).all
    toy.add_commands(group)
    assert list(group.commands) == ["greet"]
    with pytest.raises(PluginError, match="jrr-bad"):
        bad.add_commands(group)


def test_a_helper_that_is_imported_is_no_hook(install: Install) -> None:
    module = install("helper", "def jrr_friendly(): ...")
    install("toy", f"from {module} import jrr_friendly" + CONNECTORS)
    assert "toy" in Plugins.load(["toy"]).connectors


@pytest.mark.parametrize("said", ["jrr_api = '1.0'", ""])
def test_a_plugin_of_this_api_or_of_none_is_taken(install: Install, said: str) -> None:
    install("toy", f"{said}\n{CONNECTORS}")
    assert "toy" in Plugins.load(["toy"]).connectors


@pytest.mark.parametrize(
    "needs", ["jrr-core>=0.1,<0.2", "JRR_Core", "jrr-core>=9; extra == 'later'", "attrs>=900", "not a requirement !!"]
)
def test_a_distribution_that_goes_with_this_core_is_taken(install: Install, needs: str) -> None:
    install("toy", CONNECTORS, needs=[needs])
    assert "toy" in Plugins.load(["toy"]).connectors


def test_a_distribution_for_another_core_is_refused_before_it_is_imported(install: Install) -> None:
    module = install("toy", CONNECTORS, needs=["jrr-core[testing]<9,>=8"])
    with pytest.raises(PluginError, match=r"jrr-toy 1.0\) needs jrr-core<9,>=8, and 0\.1\.0 is installed.*pip install"):
        Plugins.load(["toy"])
    assert module not in sys.modules


def test_what_is_broken_is_kept_where_that_is_wanted(install: Install) -> None:
    install("bad", "1 / 0")
    install("toy", CONNECTORS)
    plugins = Plugins.load(["bad", "toy"], keep_broken=True)
    assert list(plugins.connectors) == ["toy"]
    assert len(plugins.broken) == 1


def test_each_step_of_loading_is_told_in_order(install: Install) -> None:
    module = install("toy", EVERYTHING + "jrr_api = '1.0'\n", version="3.2", needs=["jrr-core<1"])
    install("bad", "1 / 0")
    steps: list[tuple[str, str]] = []
    plugins = Plugins.load(["toy", "bad"], lambda plugin, step: steps.append((plugin, step)), keep_broken=True)
    plugins.all[0].add_commands(click.Group())
    mine = [step for plugin, step in steps if plugin == "toy"]
    beginnings = [
        f"entry point toy = {module} of jrr-toy 3.2", "needs jrr-core<1: 0.1.0 fits", "imported ",
        "written for plugin API 1.0: this core has 1.0", "hooks: jrr_connectors, jrr_parsers, jrr_sinks",
        "jrr_connectors() -> [<class", "exchange toy: ", "jrr_parsers() -> ", "parser for exchange toy: ",
        "jrr_sinks() -> ", "sink shelf: ", "jrr_subscribers() -> ", "subscriber told: ",
    ]  # fmt: skip
    assert [begins for step, begins in zip(mine, beginnings, strict=True) if not step.startswith(begins)] == []
    assert [step for plugin, step in steps if plugin == "bad"][-1].startswith("cannot be used: plugin bad")
