"""What the simulated OKX lists: its contracts, as REST rows and as the Instruments a client should make of them."""

from collections.abc import Mapping
from decimal import Decimal

from attrs import define

from jrr_core.exact import plain
from jrr_core.instrument import Instrument, Kind
from jrr_core.testing.market import Listing

from .products import EXCHANGE

_KINDS: dict[str, Kind] = {"SPOT": "spot", "SWAP": "perpetual", "FUTURES": "future"}
_EXPIRY_MS = "1798185600000"  # 2026-12-25 08:00 UTC, the hour OKX delivers at


@define(frozen=True)
class Contract:
    """A listing with what OKX says of it; `value` is ctVal, None for spot."""

    listing: Listing
    type: str
    base: str
    quote: str
    canonical: str
    value: Decimal | None = None
    expiry_ms: str = ""

    @property
    def symbol(self) -> str:
        """OKX's instId."""
        return self.listing.symbol

    @property
    def inverse(self) -> bool:
        """Whether a contract is worth an amount of the quote currency."""
        return self.value is not None and self.quote == "USD"

    def coins(self, amount: Decimal, price: Decimal) -> Decimal:
        """Return an amount as OKX trades it (contracts of derivatives) in the base currency."""
        if self.value is None:
            return amount
        return round(amount * self.value / price, 8) if self.inverse else amount * self.value

    def worth(self, amount: Decimal, notional: Decimal) -> Decimal:
        """Return in the quote currency an amount traded, of which `notional` is the sum of price times amount."""
        if self.value is None:
            return notional
        return amount * self.value if self.inverse else notional * self.value

    def row(self) -> Mapping[str, object]:
        """Return the row of /api/v5/public/instruments."""
        derivative = self.value is not None
        family = f"{self.base}-{self.quote}" if derivative else ""
        return {
            "instType": self.type,
            "instId": self.symbol,
            "uly": family,
            "instFamily": family,
            "baseCcy": "" if derivative else self.base,
            "quoteCcy": "" if derivative else self.quote,
            "settleCcy": self._settle or "",
            "ctVal": plain(self.value) if self.value is not None else "",
            "ctMult": "1" if derivative else "",
            "ctValCcy": self._value_currency or "",
            "ctType": ("inverse" if self.inverse else "linear") if derivative else "",
            "tickSz": plain(self.listing.tick),
            "lotSz": plain(self.listing.lot),
            "minSz": plain(self.listing.lot),
            "listTime": "1611916828000",
            "expTime": self.expiry_ms,
            "state": "live",
            "ruleType": "normal",
            "instCategory": "1",
            "upcChg": [],
        }

    @property
    def _settle(self) -> str | None:
        if self.value is None:
            return None
        return self.base if self.inverse else self.quote

    @property
    def _value_currency(self) -> str | None:
        if self.value is None:
            return None
        return self.quote if self.inverse else self.base

    def instrument(self) -> Instrument:
        """Return what a client should make of the row."""
        return Instrument(
            EXCHANGE,
            self.symbol,
            self.base,
            self.quote,
            self._settle,
            _KINDS[self.type],
            self.listing.tick,
            self.listing.lot,
            self.value,
            self._value_currency,
            self.canonical,
            int(self.expiry_ms) * 1_000_000 if self.expiry_ms else None,
            "live",
        )


def _contract(
    symbol: str, price: str, tick: str, lot: str, canonical: str, value: str | None = None, expiry_ms: str = ""
) -> Contract:
    base, quote = symbol.split("-")[:2]
    listing = Listing(symbol, Decimal(price), Decimal(tick), Decimal(lot), derivative=value is not None)
    kind = "SPOT" if value is None else "FUTURES" if expiry_ms else "SWAP"
    return Contract(listing, kind, base, quote, canonical, None if value is None else Decimal(value), expiry_ms)


CONTRACTS = {
    contract.symbol: contract
    for contract in (
        _contract("BTC-USDT", "64000", "0.1", "0.0001", "BTC-USDT"),
        _contract("ETH-USDT", "3100", "0.01", "0.001", "ETH-USDT"),
        _contract("BTC-USDT-SWAP", "64010", "0.1", "0.01", "BTC-USDT-PERP", "0.01"),
        _contract("ETH-USDT-SWAP", "3101", "0.01", "0.01", "ETH-USDT-PERP", "0.1"),
        _contract("BTC-USD-SWAP", "64020", "0.1", "1", "BTC-USD-PERP", "100"),
        _contract("BTC-USDT-261225", "64400", "0.1", "0.01", "BTC-USDT-261225", "0.01", _EXPIRY_MS),
    )
}
