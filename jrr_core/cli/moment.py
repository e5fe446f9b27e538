"""Times as users write and read them: ISO 8601, int nanoseconds, or so long ago; shown in UTC."""

import re
from datetime import UTC, datetime

from ..config import duration_s
from ..errors import ConfigError

_S = 10**9
_ago = re.compile(r"-(?:([0-9]+)d)?(.*)").fullmatch
_fraction = re.compile(r"(.*:[0-9]{2})[.,]([0-9]{1,9})(.*)").fullmatch


def moment(text: str, now: int) -> int:
    """Return the time (int ns UTC) that a text means; raises ConfigError for one that means none.

    ISO 8601 ("2026-08-12", "2026-08-12T09:30:00.5+02:00"; UTC where no zone
    is given), int nanoseconds since 1970, "now", or a span back from `now`
    ("-15m", "-1h30m", "-2d").
    """
    try:
        ts = _read(text.strip(), now)
    except ValueError:
        ts = -1
    if not 0 <= ts < 1 << 63:
        raise ConfigError(
            f"{text!r} is not a time since 1970; write 2026-08-12T09:30 (UTC), int nanoseconds, "
            "or -15m for 15 minutes ago"
        )
    return ts


def moments(since: str | None, until: str | None, now: int) -> tuple[int | None, int | None]:
    """Return what --from and --to mean; raises ConfigError as `moment` does, and where the one is later."""
    begin, end = [None if text is None else moment(text, now) for text in (since, until)]
    if begin is not None and end is not None and begin > end:
        raise ConfigError(f"--from {since} is later than --to {until}")
    return begin, end


def shown(ts: int) -> str:
    """Return a time as UTC to the microsecond."""
    seconds, rest = divmod(ts, _S)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}.{rest // 1000:06}"


def _read(text: str, now: int) -> int:
    """Return the time, which may be out of range; raises ValueError, or ConfigError for a span that is none."""
    if text == "now":
        return now
    if text.isascii() and text.isdigit() and len(text) != len("20260812"):
        return int(text)
    match = _ago(text)
    if match is not None and text != "-":
        days, rest = int(match[1] or 0), match[2]
        return now - days * 86_400 * _S - (round(duration_s(rest) * _S) if rest else 0)
    match = _fraction(text)
    whole, fraction = (match[1] + match[3], match[2]) if match is not None else (text, "")
    at = datetime.fromisoformat(whole)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return int(at.timestamp()) * _S + int(fraction.ljust(9, "0"))
