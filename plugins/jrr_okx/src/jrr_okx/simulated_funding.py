"""Funding at the simulated OKX: what will be paid next, and what was paid before.

Settled rates differ from one to the next, and are the same whenever they are
asked for.
"""

from decimal import Decimal

from jrr_core.events import FundingRate, Message
from jrr_core.exact import plain
from jrr_core.wire import encode

from .products import EXCHANGE
from .simulated_feed import MS, Trading


def settled_rate(settled_ns: int, period_ns: int) -> Decimal:
    """Return the rate paid at a settlement."""
    return Decimal(settled_ns // period_ns * 7 % 401 - 100) * Decimal("0.000001")


def funding(trading: Trading, now_ns: int) -> tuple[str, Message]:
    """Return a row of `funding-rate` and what it means."""
    ms, rate, period = now_ns // MS, trading.market.funding_rate(trading.contract.symbol), trading.funding_ns
    due = (now_ns // period + 1) * period
    row = {
        "formulaType": "withRate", "fundingRate": plain(rate), "fundingTime": str(due // MS),
        "impactValue": "10000", "instId": trading.contract.symbol, "instType": trading.contract.type,
        "interestRate": "0.0001", "maxFundingRate": "0.00375", "method": "current_period",
        "minFundingRate": "-0.00375", "nextFundingRate": "", "nextFundingTime": str((due + period) // MS),
        "premium": "", "prevFundingTime": str((due - period) // MS),
        "settFundingRate": plain(settled_rate(due - period, period)), "settState": "settled", "ts": str(ms),
    }  # fmt: skip
    return encode(row), FundingRate(EXCHANGE, trading.contract.symbol, ms * MS, now_ns, rate, due, True)


def settled_row(trading: Trading, settled_ns: int) -> dict[str, str]:
    """Return a settlement as REST lists it."""
    rate = plain(settled_rate(settled_ns, trading.funding_ns))
    return {
        "formulaType": "withRate", "fundingRate": rate, "fundingTime": str(settled_ns // MS),
        "instId": trading.contract.symbol, "instType": trading.contract.type, "method": "current_period",
        "realizedRate": rate,
    }  # fmt: skip


def settled_event(trading: Trading, settled_ns: int, now_ns: int) -> FundingRate:
    """Return what the row of a settlement means."""
    rate = settled_rate(settled_ns, trading.funding_ns)
    return FundingRate(EXCHANGE, trading.contract.symbol, settled_ns, now_ns, rate, settled_ns, predicted=False)
