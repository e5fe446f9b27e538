"""Raw settings to attrs settings classes, with errors that name the place, the key, the value and the cure.

Used by `config` for core's own sections and by the manager for the sections of
exchanges, sinks and subscribers. The value of a secret field never gets into an
error text.
"""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter

from .errors import ConfigError
from .redact import hide

T = TypeVar("T")
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})
_LISTS = (list, tuple, set, frozenset)


class Text(str):
    """A value that came as text (environment, `--set`) and still takes the type of its field; `source` says whence."""

    __slots__ = ("source",)
    source: str

    def __new__(cls, value: str, source: str) -> "Text":
        """Keep `value` with the words that name its place in an error."""
        self = super().__new__(cls, value)
        self.source = source
        return self

    def __getnewargs__(self) -> tuple[str, str]:  # type: ignore[override]  # str's own would leave the source out
        """Return what a copy in another process is made from."""
        return str(self), self.source


class Section(dict[str, Any]):
    """A table of raw settings; `source` names the file it was read from."""

    def __init__(self, values: Mapping[str, Any] | None = None, source: str = "") -> None:
        """Copy `values`, inner tables too."""
        copied = {k: Section(v, source) if isinstance(v, Mapping) else v for k, v in (values or {}).items()}
        super().__init__(copied)
        self.source = source


class _WrongError(Exception):
    """A value that is not of the expected form; carries the form and, once known, the way to the value."""

    def __init__(self, expected: str, value: object, path: str = "", shown: bool = True) -> None:
        super().__init__(expected)
        self.expected, self.value, self.path, self.shown = expected, value, path, shown


def structure(cls: type[T], raw: Mapping[str, Any], where: str) -> T:
    """Return an instance of the settings class `cls` made from `raw`; `where` is the section ("sinks.NAME").

    Values given as Text are converted to the type of their field. Raises
    ConfigError for an unknown key (with the nearest known one), a missing
    one, or a wrong type or value.
    """
    source = getattr(raw, "source", "")
    try:
        return _CONVERTER.structure(raw, cls)
    except _WrongError as wrong:
        at = ".".join(part for part in (where, wrong.path) if part)
        place = getattr(wrong.value, "source", "") or source
        value = f" = {_short(wrong.value)}" if wrong.shown else " (value not shown)"
        raise ConfigError(f"{place + ': ' if place else ''}{at}{value} is not {wrong.expected}") from None
    except _UnusableError as error:
        place = error.source or source
        raise ConfigError(f"{place + ': ' if place else ''}{error.at(where)}") from None


def nearest(name: str, known: "list[str] | tuple[str, ...]") -> str:
    """Return "; did you mean X?" for the known name nearest to `name`, else nothing."""
    near = get_close_matches(name.lower(), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""


class _UnusableError(Exception):
    """A section that cannot become its class: an unknown or missing key, or a value its validator refuses."""

    def __init__(self, text: str, path: str = "", source: str = "") -> None:
        super().__init__(text)
        self.text, self.path, self.source = text, path, source

    def at(self, where: str) -> str:
        section = ".".join(part for part in (where, self.path) if part)
        return f"{section}: {self.text}" if section else self.text


def _record(cls: type[Any], raw: object) -> Any:
    if isinstance(raw, cls):
        return raw
    if not isinstance(raw, Mapping):
        raise _WrongError("a table", raw)
    attrs.resolve_types(cls)
    known = {a.alias: a for a in attrs.fields(cls) if a.init}
    for key in raw:
        if key not in known:
            hint = nearest(str(key), list(known)) or ";"
            source = getattr(raw[key], "source", "")
            raise _UnusableError(f"unknown key {key!r}{hint} known: {', '.join(known) or 'none'}", "", source)
    missing = [key for key, a in known.items() if a.default is attrs.NOTHING and key not in raw]
    if missing:
        raise _UnusableError(f"lacks {', '.join(missing)}")
    values = {key: _value(known[key], value) for key, value in raw.items()}
    try:
        return cls(**values)
    except (ValueError, TypeError) as error:
        raise _refused(error, known, raw) from None


def _value(attribute: "attrs.Attribute[Any]", value: object) -> Any:
    secret = bool(attribute.metadata.get("secret"))
    if secret:
        hide(value)
    try:
        return _CONVERTER.structure(value, attribute.type or Any)
    except _WrongError as wrong:
        wrong.path = ".".join(part for part in (attribute.alias, wrong.path) if part)
        wrong.shown = wrong.shown and not secret
        raise
    except _UnusableError as error:
        error.path = ".".join(part for part in (attribute.alias, error.path) if part)
        raise


def _refused(error: Exception, known: "Mapping[str, attrs.Attribute[Any]]", raw: Mapping[str, Any]) -> _UnusableError:
    # attrs' own validators put the message first and the attribute among the rest of args.
    text = str(error.args[0]) if error.args else type(error).__name__
    key = next((a.alias for a in error.args[1:] if isinstance(a, attrs.Attribute)), None)
    key = key or next((name for name in known if f"'{name}'" in text), None)
    for name, attribute in known.items():
        secret = str(raw.get(name) or "")
        if attribute.metadata.get("secret") and secret:
            text = text.replace(secret, "(not shown)")
    return _UnusableError(text, "", getattr(raw.get(key), "source", "") if key else "")


def _text(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Path):
        return str(value)
    raise _WrongError("text", value)


def _integer(value: object) -> int:
    if isinstance(value, Text):
        try:
            return int(value)
        except ValueError:
            raise _WrongError("a whole number", value) from None
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise _WrongError("a whole number", value)


def _number(value: object) -> float:
    try:
        if isinstance(value, bool) or (isinstance(value, str) and not isinstance(value, Text)):
            raise ValueError
        number = float(value)  # type: ignore[arg-type]  # what is no number raises
    except (TypeError, ValueError, OverflowError):
        raise _WrongError("a number", value) from None
    if number - number != 0:
        raise _WrongError("a finite number", value)
    return number


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, Text) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise _WrongError("true or false", value)


def _path(value: object) -> Path:
    if isinstance(value, (str, Path)):
        return Path(value)
    raise _WrongError("a path", value)


def _is_literal(kind: Any) -> bool:
    return get_origin(kind) is Literal


def _literal(kind: Any) -> Callable[[Any, Any], Any]:
    choices = {str(choice).lower() if isinstance(choice, bool) else str(choice): choice for choice in get_args(kind)}

    def read(value: object, _: Any) -> Any:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        plain = isinstance(value, Text) or any(type(value) is type(c) and value == c for c in get_args(kind))
        if not plain or text not in choices:
            raise _WrongError(f"one of {', '.join(choices)}", value)
        return choices[text]

    return read


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _union(kind: Any) -> Callable[[Any, Any], Any]:
    members = [member for member in get_args(kind) if member is not type(None)]

    def read(value: object, _: Any) -> Any:
        if value is None and type(None) in get_args(kind):
            return None
        expected = []
        for member in sorted(members, key=lambda m: m is str):  # text fits every Text, so it is tried last
            try:
                return _CONVERTER.structure(value, member)
            except _WrongError as wrong:
                expected.append(wrong)
        if len(expected) == 1:
            raise expected[0]
        raise _WrongError(" or ".join(wrong.expected for wrong in expected), value)

    return read


def _is_list(kind: Any) -> bool:
    return (get_origin(kind) or kind) in _LISTS


def _list(kind: Any) -> Callable[[Any, Any], Any]:
    whole = get_origin(kind) or kind
    item = (get_args(kind) or (Any,))[0]

    def read(value: object, _: Any) -> Any:
        if isinstance(value, Text):
            value = [Text(part.strip(), value.source) for part in value.split(",") if part.strip()]
        if not isinstance(value, _LISTS):
            raise _WrongError("a list", value)
        return whole([_CONVERTER.structure(part, item) for part in value])

    return read


def _is_table(kind: Any) -> bool:
    return (get_origin(kind) or kind) in (dict, Mapping)


def _table(kind: Any) -> Callable[[Any, Any], Any]:
    inner = (get_args(kind) or (str, Any))[1]

    def read(value: object, _: Any) -> Any:
        if not isinstance(value, Mapping):
            raise _WrongError("a table", value)
        result = Section(source=getattr(value, "source", ""))
        for key, part in value.items():
            try:
                result[key] = _CONVERTER.structure(part, inner)
            except _WrongError as wrong:
                wrong.path = ".".join(name for name in (str(key), wrong.path) if name)
                raise
        return result

    return read


def _short(value: object) -> str:
    text = repr(str(value)) if isinstance(value, str) else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _converter() -> Converter:
    converter = Converter(detailed_validation=False)
    converter.register_structure_hook_factory(attrs.has, lambda cls: lambda raw, _: _record(cls, raw))
    converter.register_structure_hook_factory(_is_table, _table)
    converter.register_structure_hook_factory(_is_list, _list)
    converter.register_structure_hook_factory(_is_union, _union)
    converter.register_structure_hook_factory(_is_literal, _literal)
    for kind, read in ((str, _text), (int, _integer), (float, _number), (bool, _flag), (Path, _path)):
        converter.register_structure_hook(kind, _taking(read))
    return converter


def _taking(read: Callable[[object], Any]) -> Callable[[Any, Any], Any]:
    return lambda value, _: read(value)


_CONVERTER = _converter()
