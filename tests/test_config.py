"""Settings from file, .env, environment and --set: what wins, and what is said about what is wrong."""

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrr_core.config import Config, duration_s, load_config
from jrr_core.errors import ConfigError
from jrr_core.subscription import Subscription

TOML = """
plugins = ["one", "two"]

[[subscribe]]
exchange = "x-y"
channels = ["trade", "book"]
symbols = ["A", "B"]
native = ["foo@bar"]

[exchanges.x-y]
ws_url = "ws://file"
stale_s = 5

[run]
buffer_events = 10
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jrr.toml").write_text(TOML)
    return tmp_path


def load(folder: Path, *overrides: str, environ: Mapping[str, str] | None = None) -> Config:
    return load_config(None, overrides, environ=environ or {}, folder=folder)


def refused(folder: Path, *overrides: str, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load(folder, *overrides, environ=environ)
    assert "\n" not in str(error.value).strip()
    return str(error.value)


def test_without_a_file_there_are_the_defaults(tmp_path: Path) -> None:
    assert load(tmp_path) == Config()


def test_the_file_in_the_folder_is_read(folder: Path) -> None:
    config = load(folder)
    assert config.plugins == ["one", "two"]
    assert config.run.buffer_events == 10
    assert config.exchanges == {"x-y": {"ws_url": "ws://file", "stale_s": 5}}
    assert [str(s) for s in config.subscriptions] == [
        "x-y:trade:A", "x-y:trade:B", "x-y:book:A", "x-y:book:B", "x-y:foo@bar",
    ]  # fmt: skip


def test_set_beats_environment_beats_dotenv_beats_file(folder: Path) -> None:
    key, variable = "exchanges.x-y.ws_url", "JRR_EXCHANGES__X_Y__WS_URL"
    assert load(folder).exchanges["x-y"]["ws_url"] == "ws://file"
    (folder / ".env").write_text(f'# mine\nexport {variable}="ws://dotenv"\nOTHER=1\nnot an assignment\n')
    assert load(folder).exchanges["x-y"]["ws_url"] == "ws://dotenv"
    environ = {variable: "ws://environment"}
    assert load(folder, environ=environ).exchanges["x-y"]["ws_url"] == "ws://environment"
    assert load(folder, f"{key}=ws://set?a=b", environ=environ).exchanges["x-y"] == {
        "ws_url": "ws://set?a=b", "stale_s": 5,
    }  # fmt: skip


def test_text_takes_the_type_of_its_field(folder: Path) -> None:
    config = load(folder, "run.stop_timeout_s=2", "run.buffer_events=7", "plugins=a, b", "log.level=debug")
    assert config.run.stop_timeout_s == 2.0
    assert isinstance(config.run.stop_timeout_s, float)
    assert config.run.buffer_events == 7
    assert config.plugins == ["a", "b"]
    assert config.log.level == "debug"


def test_an_environment_name_finds_the_exchange_with_its_dash(tmp_path: Path) -> None:
    config = load_config(
        subscribe=["my_x:trade:A", "your-x:trade:A"],
        environ={"JRR_EXCHANGES__MY_X__K": "1", "JRR_EXCHANGES__YOUR_X__K": "2", "JRR_EXCHANGES__OUR_X__K": "3"},
        folder=tmp_path,
    )
    assert config.exchanges == {"my_x": {"k": "1"}, "your-x": {"k": "2"}, "our-x": {"k": "3"}}


def test_the_command_line_replaces_plugins_and_subscriptions(folder: Path) -> None:
    config = load_config(plugins=["three"], subscribe=["z:trade:Q", "z:trade:Q"], environ={}, folder=folder)
    assert config.plugins == ["three"]
    assert config.subscriptions == [Subscription("z", "trade", "Q")]


def test_subscriptions_may_be_text(tmp_path: Path) -> None:
    (tmp_path / "jrr.toml").write_text('subscribe = ["x:trade:A"]')
    assert load(tmp_path).subscriptions == [Subscription("x", "trade", "A")]
    config = load(tmp_path, environ={"JRR_SUBSCRIBE": "x:trade:B, y:q@z"})
    assert [str(s) for s in config.subscriptions] == ["x:trade:B", "y:q@z"]


def test_other_tools_variables_are_left_alone(folder: Path) -> None:
    assert load(folder, environ={"JRR_REALDATA": "/x", "PATH": "/bin"}) == load(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plugins = ", "not valid TOML"),
        ("a = 1\nb = [1,,2]", "line 2, column"),
        ("weather = 1", "unknown key 'weather'; known: plugins, subscribe"),
        ("[sink.x]\na=1", "unknown key 'sink'; did you mean sinks?"),
        ("plugins = 'one'", "plugins = 'one' is not a list"),
        ("plugins = [1]", "plugins = 1 is not text"),
        ("run = 1", "run = 1 is not a table"),
        ("[run]\nbuffer_event = 1", "run: unknown key 'buffer_event'; did you mean buffer_events?"),
        ("[run]\nbuffer_events = '1'", "run.buffer_events = '1' is not a whole number"),
        ("[run]\nbuffer_events = true", "run.buffer_events = True is not a whole number"),
        ("[run]\nbuffer_events = 0", "'buffer_events' must be >= 1"),
        ("[run]\nstop_timeout_s = nan", "is not a finite number"),
        ("[run]\nstop_timeout_s = 'soon'", "run.stop_timeout_s = 'soon' is not a number"),
        ("[log]\nformat = 'xml'", "log.format = 'xml' is not one of text, json"),
        ("[capture]\npath = 1", "capture.path = 1 is not text"),
        ("exchanges = 1", "exchanges is not a table"),
        ("[exchanges]\nx = 1", "exchanges.x is not a table"),
        ("subscribe = 1", "subscribe is not a list"),
        ("subscribe = [1]", "subscribe[1] is neither"),
        ("subscribe = ['nonsense']", "'nonsense'"),
        ("[[subscribe]]\nchannels = ['trade']", "subscribe[1] lacks exchange"),
        ("[[subscribe]]\nexchange = 'x'", "needs both channels and symbols, or native"),
        ("[[subscribe]]\nexchange = 'x'\nchannels = ['trade']", "needs both channels and symbols"),
        ("[[subscribe]]\nexchange = 'x'\nchannels = ['tride']\nsymbols = ['A']", "'tride'; did you mean trade?"),
        ("[[subscribe]]\nexchange = 'x'\nchanels = ['trade']", "unknown key 'chanels'; did you mean channels?"),
        ("[[subscribe]]\nexchange = 'x'\nchannels = 'trade'\nsymbols = ['A']", "subscribe[1].channels = 'trade'"),
    ],
)
def test_what_is_wrong_in_the_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "jrr.toml").write_text(text)
    message = refused(tmp_path)
    assert said in message
    assert "jrr.toml" in message or "nonsense" in message


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("run.buffer_events=many", "--set run.buffer_events: run.buffer_events = 'many' is not a whole number"),
        ("run.buffer_events=0", "--set run.buffer_events: run: 'buffer_events' must be >= 1"),
        ("weather.x=1", "--set weather.x: unknown key 'weather'"),
        ("plugins.x=1", "--set plugins.x: plugins is not a table"),
        ("run..x=1", "write KEY=VALUE"),
        ("=1", "write KEY=VALUE"),
        ("sinks.x.password:hunter2", "--set sinks.x.password: write KEY=VALUE"),
    ],
)
def test_what_is_wrong_in_set_is_named(folder: Path, override: str, said: str) -> None:
    message = refused(folder, override)
    assert said in message
    assert "hunter2" not in message


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("JRR_RUN__BUFFER_EVENTS", "environment JRR_RUN__BUFFER_EVENTS: run.buffer_events = 'q' is not a whole"),
        ("JRR_PLUGIN", "environment JRR_PLUGIN: unknown key 'plugin'; did you mean plugins?"),
        ("JRR_SINK__X__Y", "environment JRR_SINK__X__Y: unknown key 'sink'"),
        ("JRR_RUN____X", "a part of the name is empty"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(folder: Path, name: str, said: str) -> None:
    assert said in refused(folder, environ={name: "q"})


def test_what_is_wrong_in_dotenv_is_named_with_its_line(folder: Path) -> None:
    (folder / ".env").write_text("A=1\nJRR_RUN__BUFFER_EVENTS=x # note\n")
    assert ".env line 2, JRR_RUN__BUFFER_EVENTS: run.buffer_events = 'x'" in refused(folder)
    (folder / ".env").write_text("JRR_RUN\n")
    assert ".env line 1 is not of the form" in refused(folder)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    for path, said in ((tmp_path / "no.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigError, match=said):
            load_config(path, environ={}, folder=tmp_path)
    (tmp_path / "jrr.toml").write_bytes(b"a = '\xff'")
    assert "not UTF-8" in refused(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_named(folder: Path) -> None:
    (folder / "jrr.toml").chmod(0)
    assert "Permission denied" in refused(folder)


def test_sections_of_plugins_are_not_shown(folder: Path) -> None:
    config = load(folder, "sinks.x.password=hunter2")
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("2m", 120), ("1h30m", 5400), ("0.5s", 0.5), ("15", 15), ("1h 1m 1s", 3661), ("0s", 0)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "1s2m", "-1s", "1e3", "s", "1d", "٣s"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ConfigError, match="write for example 15s"):
        duration_s(text)


@given(st.text(max_size=60), st.text(max_size=20))
def test_any_override_gives_settings_or_a_config_error(key: str, value: str) -> None:
    with contextlib.suppress(ConfigError):
        load_config(None, [f"{key}={value}"], environ={}, folder=Path("/nonexistent"))
