"""The simulated Bybit's tickers: mark and index price, open interest and funding in one topic."""

from collections.abc import Mapping
from decimal import Decimal

from jrr_core.events import FundingRate, MarkPrice, Message, OpenInterest
from jrr_core.exact import plain

from .simulated_feeds import MS, Feed, Trading

# Docs, "Ticker" topic.
_EVERY_NS = 100 * MS


class TickerFeed(Feed):
    """`tickers`: everything on joining, then the fields that changed, at most every 100 ms."""

    def __init__(self, topic: str, trading: Trading) -> None:
        """Start with nothing told."""
        super().__init__(topic, trading)
        self._told: dict[str, str] = {}

    def tick(self, now_ns: int, at_once: bool) -> None:
        """Tell what changed."""
        if self.listeners and now_ns - self.sent_ns >= _EVERY_NS:
            self._update(now_ns)

    def refresh(self, now_ns: int) -> None:
        """Bring those who listen up to date, then put everything ready for the one that joins."""
        if self.listeners and now_ns - self.sent_ns >= _EVERY_NS:
            self._update(now_ns)
        elif not self.listeners:
            self._told = self._fields(now_ns)
        self.last = self._text("snapshot", self._told, now_ns)
        self._note(set(self._told), now_ns)

    def _update(self, now_ns: int) -> None:
        before, self._told = self._told, self._fields(now_ns)
        changed = {name: value for name, value in self._told.items() if before.get(name) != value}
        if changed:
            self.publish(self._text("delta", changed, now_ns), (), now_ns)
            self._note(set(changed), now_ns)

    def _fields(self, now_ns: int) -> dict[str, str]:
        market, contract = self.market, self.trading.contract
        mark, index, interest = (
            market.mark_price(self.symbol), market.index_price(self.symbol), market.open_interest(self.symbol)
        )  # fmt: skip
        worth = contract.worth(interest, interest * mark, mark)
        fields = {
            "lastPrice": plain(index), "markPrice": plain(mark), "indexPrice": plain(index),
            "openInterest": plain(interest), "openInterestValue": plain(worth),
            "fundingRate": "", "nextFundingTime": "0",
        }  # fmt: skip
        if contract.funded:
            period = self.trading.funding_ns
            fields["fundingRate"] = plain(market.funding_rate(self.symbol))
            fields["nextFundingTime"] = str((now_ns // period + 1) * period // MS)
        return fields

    def _text(self, kind: str, fields: Mapping[str, str], now_ns: int) -> str:
        return self.push(kind, {"symbol": self.symbol, **fields}, now_ns, cs=self.trading.sequence)

    def _note(self, told: set[str], now_ns: int) -> None:
        """Note the events of a push that tells these fields."""
        fields, place = self._told, self.trading.place(now_ns)
        events: list[Message] = []
        if told & {"markPrice", "indexPrice"}:
            events.append(MarkPrice(*place, Decimal(fields["markPrice"]), Decimal(fields["indexPrice"])))
        if told & {"fundingRate", "nextFundingTime"} and fields["fundingRate"]:
            due = int(fields["nextFundingTime"]) * MS
            events.append(FundingRate(*place, Decimal(fields["fundingRate"]), due, True))
        if told & {"openInterest", "openInterestValue"}:
            quoted = self.trading.contract.product.quoted_turnover
            value = Decimal(fields["openInterestValue"]) if quoted else None
            events.append(OpenInterest(*place, Decimal(fields["openInterest"]), value))
        for event in events:
            self.truth.record(event)
