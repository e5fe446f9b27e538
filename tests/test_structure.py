"""Raw settings become settings classes; errors say which key is wrong and never show a secret."""

from pathlib import Path
from typing import Any, Literal

import pytest
from attrs import define, field, validators

from jrr_core.errors import ConfigError
from jrr_core.setting import setting
from jrr_core.structure import Section, Text, structure


@define
class Inner:
    depth: int = 1


@define(kw_only=True)
class Outer:
    name: str = "n"
    count: int = 1
    ratio: float = 0.5
    flag: bool = False
    file: Path = Path("x")
    kind: Literal["a", "b"] = "a"
    size: Literal[1, 2] = 1
    tags: list[str] = field(factory=list)
    pair: tuple[int, ...] = ()
    maybe: int | None = None
    either: int | str = 0
    table: dict[str, int] = field(factory=dict)
    inner: Inner = field(factory=Inner)
    anything: Any = None
    password: str = setting("", "Secret.", secret=True)
    token: str = setting("", "Secret.", secret=True, validator=validators.max_len(3))
    pin: int = setting(0, "Secret.", secret=True)


@define
class Needy:
    must: str


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("name", "x,y", "x,y"), ("count", "-3", -3), ("ratio", "3", 3.0), ("flag", "Yes", True), ("flag", "off", False),
        ("file", "/a", Path("/a")), ("kind", "b", "b"), ("size", "2", 2), ("tags", "p, q,", ["p", "q"]),
        ("pair", "1,2", (1, 2)), ("maybe", "4", 4), ("either", "5", 5), ("either", "five", "five"), ("tags", "", []),
    ],
)  # fmt: skip
def test_text_becomes_the_type_of_the_field(key: str, text: str, value: object) -> None:
    found = getattr(structure(Outer, {key: Text(text, "--set")}, "s"), key)
    assert found == value
    assert type(found) is type(value)


def test_values_of_the_right_type_pass() -> None:
    raw = {
        "name": "x", "count": 2, "ratio": 1, "flag": True, "tags": ["a"], "pair": [1], "maybe": None, "either": "z",
        "table": {"k": 1}, "inner": {"depth": 2}, "anything": {"q": [1]}, "file": "/y", "size": 2,
    }  # fmt: skip
    made = structure(Outer, raw, "s")
    assert (made.inner, made.table, made.maybe, made.anything) == (Inner(2), {"k": 1}, None, {"q": [1]})
    assert structure(Outer, {"inner": Inner(3)}, "s").inner == Inner(3)


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"nam": "x"}, "s: unknown key 'nam'; did you mean name? known: name, count"),
        ({"inner": {"dept": 1}}, "s.inner: unknown key 'dept'; did you mean depth?"),
        ({"inner": {"depth": "1"}}, "s.inner.depth = '1' is not a whole number"),
        ({"inner": 1}, "s.inner = 1 is not a table"),
        ({"name": 1}, "s.name = 1 is not text"),
        ({"count": 1.5}, "s.count = 1.5 is not a whole number"),
        ({"count": True}, "s.count = True is not a whole number"),
        ({"ratio": "1"}, "s.ratio = '1' is not a number"),
        ({"ratio": float("inf")}, "s.ratio = inf is not a finite number"),
        ({"flag": 1}, "s.flag = 1 is not true or false"),
        ({"flag": Text("maybe", "")}, "s.flag = 'maybe' is not true or false"),
        ({"kind": "c"}, "s.kind = 'c' is not one of a, b"),
        ({"size": True}, "s.size = True is not one of 1, 2"),
        ({"tags": "a"}, "s.tags = 'a' is not a list"),
        ({"tags": [1]}, "s.tags = 1 is not text"),
        ({"maybe": "x"}, "s.maybe = 'x' is not a whole number"),
        ({"either": []}, "s.either = [] is not a whole number or text"),
        ({"table": {"k": "v"}}, "s.table.k = 'v' is not a whole number"),
        ({"name": ["x" * 200]}, "..."),
    ],
)
def test_what_is_wrong_is_named(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as error:
        structure(Outer, Section(raw, "jrr.toml"), "s")
    assert said in str(error.value)
    assert str(error.value).startswith("jrr.toml: ")
    assert len(str(error.value)) < 400


def test_a_key_that_must_be_set_is_named() -> None:
    with pytest.raises(ConfigError, match="s: lacks must"):
        structure(Needy, {}, "s")


def test_text_says_where_it_came_from() -> None:
    with pytest.raises(ConfigError, match=r"^environment X: s\.count = 'q'"):
        structure(Outer, Section({"count": Text("q", "environment X")}, "jrr.toml"), "s")


@pytest.mark.parametrize("raw", [{"password": 31337}, {"token": "31337"}, {"pin": "31337"}, {"password": ["31337"]}])
def test_a_secret_is_never_shown(raw: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as error:
        structure(Outer, raw, "s")
    assert next(iter(raw)) in str(error.value)
    assert "31337" not in str(error.value)
    assert "31337" not in repr(error.value.__context__) or error.value.__suppress_context__
