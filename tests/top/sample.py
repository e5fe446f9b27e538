"""Stats of a made-up collector, for the view to show."""

from typing import Any

HOSTILE = [
    "\x1b[31mred",
    "a\nb",
    "[bold]x[/bold]",
    "x" * 10_000,
    "币安人生USDT",
    "\u202eevil",
    "a\tb\rc",
    "\0",
    "'; DROP",
]


def stream(symbol: str, count: int = 10, **changed: Any) -> dict[str, Any]:
    return {
        "channel": "trade", "symbol": symbol, "count": count, "last_ns": 10**18, "state": "live", "trouble": None,
        "last": {"price": "61837.6300", "amount": "0.10", "side": "buy", "ts_event": 10**18}, **changed,
    }  # fmt: skip


def stats(*streams: dict[str, Any], uptime_s: float = 10.0, **changed: Any) -> dict[str, Any]:
    exchange = {
        "frames": 100, "events": {"trade": 50}, "sessions": 2, "reconnects": 1, "gaps": 3, "missing": 5,
        "backfilled": 4, "trouble": None, "clock_offset_s": -0.25, "rest": {"p": {"used": 5, "limit": 10, "per_s": 1}},
        "streams": list(streams),
    }  # fmt: skip
    sink = {
        "state": "ok", "written": 40, "pending": 1, "spooled": 0, "dropped": 0, "latency_p50_s": 0.01,
        "latency_p99_s": None,
    }  # fmt: skip
    return {
        "version": "1.2.3", "instance": "", "started_ns": 5, "uptime_s": uptime_s, "gaps": 3, "lag_s": 0.02,
        "exchanges": {"toy": exchange}, "sinks": {"shelf": sink}, "alarms": [], "capture": None, **changed,
    }  # fmt: skip
