"""Asks a collector for its stats; every way that can go wrong is one sentence."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from ..errors import ConfigError, JrrError
from ..network import reason_of
from ..observe.address import LOOPBACK, address_of

DEFAULT = f"http://{LOOPBACK}:9464"
_MOST_BYTES = 64 * 2**20
_PATIENCE_S = 5.0
# What this version reads of the stats; more may be there.
_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "exchanges": dict,
    "sinks": dict,
    "alarms": list,
    "uptime_s": (int, float),
}
_address = re.compile(r"[A-Za-z0-9_.\-\[\]:]*").fullmatch

Stats = Mapping[str, Any]


class NoAnswer(JrrError):  # noqa: N818 - says what happened, not whose fault
    """Nobody answers with stats; the text says why, and what to do."""


def url_of(text: str | None) -> str:
    """Return the address of the stats that a user means: nothing, a port, HOST:PORT or a whole URL.

    Raises ConfigError for what is none.
    """
    if text is None:
        return f"{DEFAULT}/stats"
    if "://" not in text:
        if _address(text) is None:
            raise ConfigError(f"{text!r} is no address of a collector; write for example 127.0.0.1:9464")
        return f"http://{address_of(text, 'URL')}/stats"
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(f"{text!r} is no address of a collector; write for example http://127.0.0.1:9464")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/stats')}/stats"


def ask(url: str) -> Stats:
    """Return the stats at `url`, blocking for a few seconds at most; raises NoAnswer."""
    # A collector on this machine is not behind the proxy of its exchanges.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=_PATIENCE_S) as answer:
            body = answer.read(_MOST_BYTES + 1)
    except urllib.error.HTTPError as error:
        with error:
            raise NoAnswer(f"{url} answered HTTP {error.code}: is that a collector?") from None
    except (OSError, HTTPException, ValueError) as error:
        cause = getattr(error, "reason", None)
        reason = reason_of(cause if isinstance(cause, BaseException) else error)
        raise NoAnswer(
            f"no collector answers at {url}: {reason}; start one with `jrr run`, or give its address "
            "(metrics.listen says where it is)"
        ) from None
    return _stats(url, body)


def _stats(url: str, body: bytes) -> Stats:
    if len(body) > _MOST_BYTES:
        raise NoAnswer(f"{url} answered with more than {_MOST_BYTES:,} bytes: is that a collector?")
    try:
        stats = json.loads(body)
    except (ValueError, RecursionError):
        raise NoAnswer(f"{url} answered with what is no JSON: is that a collector?") from None
    if not isinstance(stats, dict) or any(not isinstance(stats.get(key), kind) for key, kind in _KEYS.items()):
        raise NoAnswer(f"{url} answered with what are no stats of this version of jrr: is that a collector?")
    return stats
