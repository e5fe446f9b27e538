"""This machine's clock beside those of the exchanges: receive times are taken from it."""

from ..alarms import Alarms
from ..exchange import Exchange


async def look_at_clock(exchange: Exchange, alarms: Alarms, most_s: float) -> None:
    """Measure one exchange's clock; set and end the alarm. Where it cannot be had, nothing changes."""
    offset_s = await exchange.measure_clock()
    if offset_s is None:
        return
    if abs(offset_s) > most_s:
        text = (
            f"this machine's clock is {abs(offset_s):.1f} s {'ahead of' if offset_s > 0 else 'behind'} the exchange's"
        )
        alarms.set("clock_skew", exchange.name, text, "synchronise it (NTP): receive times are taken from it",
                   exchange.name, offset_s=round(offset_s, 3))  # fmt: skip
    else:
        alarms.clear("clock_skew", exchange.name, exchange.name)
