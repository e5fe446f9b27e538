"""Settings of core and plugins: attrs fields that carry their own help text.

The configuration page of the docs is generated from these, and a test holds the
two together.
"""

from typing import Any

from attrs import field


def setting(default: Any, help: str, *, secret: bool = False, validator: Any = None) -> Any:
    """Return an attrs field with its one-line help; a `secret` is never printed or logged."""
    options = {"metadata": {"help": help, "secret": secret}, "repr": not secret, "validator": validator}
    if isinstance(default, (dict, list)):
        return field(factory=lambda: type(default)(default), **options)
    return field(default=default, **options)
