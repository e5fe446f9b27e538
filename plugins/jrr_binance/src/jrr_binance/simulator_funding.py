"""Funding on the simulated exchange: when it is settled, at what rate, and what REST tells of it.

Pure. Rates differ from settlement to settlement, and are the same whenever
they are asked for.
"""

from collections import deque
from decimal import Decimal

from jrr_core.events import FundingRate
from jrr_core.testing.market import Market
from jrr_core.testing.simulator import Truth

from .simulator_payloads import MS, Payloads
from .simulator_query import Query, Refusal, between, page_size

SECOND_NS = 1_000_000_000
EIGHT_HOURS_S = 8 * 3600
# Settlements are a few ms late on the exchange.
LATE_MS = 2
_KEPT = 2_000
# Its own budget, without a weight header, shared with fundingInfo (measured 2026-10-07).
_REQUESTS, _WINDOW_NS = 500, 300 * SECOND_NS


class Funding:
    """Settlements every `every_s` seconds, counted from the epoch."""

    def __init__(self, every_s: float | None = None) -> None:
        """Settle every eight hours from midnight UTC, or as often as told: whole seconds."""
        self.every_ns = max(1, int(every_s or EIGHT_HOURS_S)) * SECOND_NS
        self._asked: deque[int] = deque()

    def next(self, now_ns: int) -> int:
        """Return the next settlement (int ns)."""
        return (now_ns // self.every_ns + 1) * self.every_ns

    def rate(self, settled_ns: int) -> Decimal:
        """Return what is paid at a settlement."""
        return Decimal(settled_ns // self.every_ns * 7 % 401 - 100) * Decimal("0.000001")

    def rows(
        self, payloads: Payloads, market: Market, truth: Truth, query: Query, now_ns: int
    ) -> list[dict[str, object]]:
        """Answer fundingRate, and offer what it tells to the truth; raises Refusal beyond its budget."""
        self._charge(now_ns)
        if payloads.contract.expiry_ms is not None:
            return []
        last = self.next(now_ns) - self.every_ns
        settled = [last - self.every_ns * back for back in reversed(range(_KEPT))]
        rows = between(settled, query, page_size(query, 100), lambda ns: ns // MS + LATE_MS)
        for ns in rows:
            truth.offer(
                FundingRate(
                    payloads.exchange, payloads.symbol, ns + LATE_MS * MS, now_ns, self.rate(ns), ns, predicted=False
                )
            )
        return [
            {
                "symbol": payloads.symbol, "fundingTime": ns // MS + LATE_MS, "fundingRate": f"{self.rate(ns):.8f}",
                "markPrice": f"{market.mark_price(payloads.symbol):.8f}", "rateType": "Regular",
            }
            for ns in rows
        ]  # fmt: skip

    def _charge(self, now_ns: int) -> None:
        asked = self._asked
        while asked and asked[0] <= now_ns - _WINDOW_NS:
            asked.popleft()
        if len(asked) >= _REQUESTS:
            raise Refusal(429, -1003, "Too many requests.", (asked[0] + _WINDOW_NS - now_ns) // SECOND_NS + 1)
        asked.append(now_ns)
