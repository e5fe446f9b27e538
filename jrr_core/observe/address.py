"""Where to listen, as users write it."""

import re

from attrs import define

from ..errors import ConfigError

LOOPBACK = "127.0.0.1"
_form = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)?:)?(?P<port>[0-9]{1,5})").fullmatch


@define(frozen=True)
class Address:
    """A host and a port; an IPv6 host without its brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def address_of(text: str, key: str) -> Address:
    """Return what HOST:PORT, :PORT or PORT means; without a host this machine alone.

    Raises ConfigError naming `key`. Port 0 takes a free one.
    """
    match = _form(text.strip())
    if match is None or int(match["port"]) > 65_535:
        raise ConfigError(f"{key} = {text!r} is no address to listen at; write 127.0.0.1:9464, a port, or 0.0.0.0:9464")
    return Address((match["host"] or LOOPBACK).strip("[]"), int(match["port"]))
