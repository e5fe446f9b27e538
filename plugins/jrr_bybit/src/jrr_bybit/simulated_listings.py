"""What the simulated Bybit lists: its contracts, as REST rows and as the Instruments a client should make of them."""

from collections.abc import Mapping
from decimal import Decimal

from attrs import define

from jrr_core.exact import plain
from jrr_core.instrument import Instrument
from jrr_core.testing.market import Listing

from .products import INVERSE, LINEAR, SPOT, Product

_EXPIRY_MS = 1798185600000  # 2026-12-25 08:00 UTC, the hour Bybit delivers at


@define(frozen=True)
class Contract:
    """A listing with what Bybit says of it; `expiry_ms` 0 for what has none."""

    product: Product
    listing: Listing
    base: str
    quote: str
    canonical: str
    expiry_ms: int = 0

    @property
    def symbol(self) -> str:
        """Bybit's symbol."""
        return self.listing.symbol

    @property
    def funded(self) -> bool:
        """Whether funding is paid on it."""
        return self.product.derivative and not self.expiry_ms

    def worth(self, amount: Decimal, notional: Decimal, price: Decimal) -> Decimal:
        """Return what an amount comes to, of which `notional` is the sum of price times amount: in quote, or coins."""
        return notional if self.product.quoted_turnover else round(amount / price, 8)

    @property
    def _settle(self) -> str | None:
        if not self.product.derivative:
            return None
        return self.quote if self.product.quoted_turnover else self.base

    def row(self) -> Mapping[str, object]:
        """Return the row of /v5/market/instruments-info."""
        head = {"symbol": self.symbol, "baseCoin": self.base, "quoteCoin": self.quote, "status": "Trading"}
        prices = {"priceFilter": {"tickSize": plain(self.listing.tick)}}
        lot = plain(self.listing.lot)
        if not self.product.derivative:
            return {**head, **prices, "lotSizeFilter": {"basePrecision": lot, "minOrderQty": lot}}
        side = "Linear" if self.product.quoted_turnover else "Inverse"
        kind = "Futures" if self.expiry_ms else "Perpetual"
        return {
            **head, **prices, "contractType": f"{side}{kind}", "deliveryTime": str(self.expiry_ms),
            "settleCoin": self._settle, "fundingInterval": 480, "lotSizeFilter": {"qtyStep": lot, "minOrderQty": lot},
        }  # fmt: skip

    def instrument(self) -> Instrument:
        """Return what a client should make of the row."""
        inverse = not self.product.quoted_turnover
        return Instrument(
            self.product.exchange,
            self.symbol,
            self.base,
            self.quote,
            self._settle,
            "spot" if not self.product.derivative else "future" if self.expiry_ms else "perpetual",
            self.listing.tick,
            self.listing.lot,
            Decimal(1) if inverse else None,
            self.quote if inverse else None,
            self.canonical,
            self.expiry_ms * 1_000_000 or None,
            "Trading",
        )


def _contract(
    product: Product, symbol: str, pair: str, price: str, tick: str, lot: str, ending: str = "", expiry_ms: int = 0
) -> Contract:
    base, _, quote = pair.partition("-")
    listing = Listing(symbol, Decimal(price), Decimal(tick), Decimal(lot), derivative=product.derivative)
    return Contract(product, listing, base, quote, pair + ending, expiry_ms)


CONTRACTS = {
    SPOT: (
        _contract(SPOT, "BTCUSDT", "BTC-USDT", "64000", "0.01", "0.000001"),
        _contract(SPOT, "ETHUSDT", "ETH-USDT", "3100", "0.01", "0.00001"),
    ),
    LINEAR: (
        _contract(LINEAR, "BTCUSDT", "BTC-USDT", "64010", "0.10", "0.001", "-PERP"),
        _contract(LINEAR, "ETHPERP", "ETH-USDC", "3101", "0.01", "0.01", "-PERP"),
        _contract(LINEAR, "BTC-25DEC26", "BTC-USDC", "64400", "0.5", "0.001", "-261225", _EXPIRY_MS),
    ),
    INVERSE: (_contract(INVERSE, "BTCUSD", "BTC-USD", "64020", "0.50", "1", "-PERP"),),
}
