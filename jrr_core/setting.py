"""Settings of core and plugins: attrs fields that carry their own help text.

The configuration page of the docs is generated from these, and a test holds the
two together.
"""

from typing import Any

from attrs import asdict, field


def setting(default: Any, help: str, *, secret: bool = False, validator: Any = None) -> Any:
    """Return an attrs field with its one-line help; a `secret` is never printed or logged."""
    options = {"metadata": {"help": help, "secret": secret}, "repr": not secret, "validator": validator}
    if isinstance(default, (dict, list)):
        return field(factory=lambda: type(default)(default), **options)
    return field(default=default, **options)


def shown_settings(settings: Any) -> dict[str, Any]:
    """Return the values of a settings object as a plain dict, those of secret fields left out."""
    values: dict[str, Any] = asdict(settings, filter=lambda attribute, value: not attribute.metadata.get("secret"))
    return values
