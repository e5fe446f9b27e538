"""The simulated exchange's REST: answers, weights, refusals.

Pure. What an answer carries is offered to the truth: a client may keep it and
need not. Weights and limits are those of the exchange's tables. The faults of
REST strike the first requests, and again the first ones after each connection
that ends, so that they meet what a client fetches to mend the loss.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from attrs import define

from jrr_core.events import OpenInterest
from jrr_core.testing.market import Market
from jrr_core.testing.simulator import Reply, Truth, fault_number

from .simulator_funding import Funding
from .simulator_payloads import MS, NEVER_MS, Family, Payloads
from .simulator_query import Query, Refusal, between, from_id, number, page_size
from .simulator_streams import INTERVALS_NS, WEEK_OFFSET_NS
from .simulator_symbol import SymbolState

MINUTE_NS = 60_000_000_000
PREFIXES: Mapping[Family, str] = {"spot": "/api/v3/", "usdm": "/fapi/v1/", "coinm": "/dapi/v1/"}
# REQUEST_WEIGHT per UTC minute and IP; fapi and dapi share theirs on the exchange, here each counts its own.
BUDGETS: Mapping[Family, int] = {"spot": 6000, "usdm": 2400, "coinm": 2400}
TWO_DAYS_MS = 2 * 24 * 3600 * 1000
FUTURES_DEPTHS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}


@define(frozen=True)
class _Endpoint:
    """One path: its answer, and its weight as a number or by the query."""

    answer: Callable[[Query, int], object]
    weight: Callable[[Query], int]


class Rest:
    """The HTTP side of one product."""

    def __init__(
        self,
        exchange: str,
        family: Family,
        symbols: Mapping[str, SymbolState],
        market: Market,
        truth: Truth,
        funding: Funding,
        faults: Mapping[str, str],
    ) -> None:
        """Take the symbols to answer for; raises ConfigError for a fault's value that is no number."""
        self._exchange, self._family, self._symbols = exchange, family, symbols
        self._market, self._truth, self._funding = market, truth, funding
        self._strikes = [int(fault_number(faults, name) or 0) for name in ("rest_418", "rest_429", "stale_snapshot")]
        self.strike_again()
        self._minute, self._used = 0, 0
        self._endpoints = self._table()

    def strike_again(self) -> None:
        """Let the faults meet the next requests as they met the first."""
        self._bans, self._refusals, self._stale = self._strikes

    def heal(self) -> None:
        """Answer properly from now on."""
        self._strikes = [0, 0, 0]
        self.strike_again()

    def _table(self) -> dict[str, _Endpoint]:
        spot = self._family == "spot"

        def weighing(weight: int) -> Callable[[Query], int]:
            return lambda query: weight

        table = {
            "ping": _Endpoint(lambda query, now: {}, weighing(1)),
            "time": _Endpoint(lambda query, now: {"serverTime": now // MS}, weighing(1)),
            "exchangeInfo": _Endpoint(self._exchange_info, weighing(20 if spot else 1)),
            "depth": _Endpoint(self._depth, self._depth_weight),
            "klines": _Endpoint(self._klines, self._klines_weight),
            "aggTrades": _Endpoint(self._aggregates, weighing(4 if spot else 20)),
            "trades": _Endpoint(self._trades, weighing(25 if spot else 5)),
            "historicalTrades": _Endpoint(self._history, weighing(25 if spot else 200)),
        }
        if not spot:
            table["premiumIndex"] = _Endpoint(self._premium, lambda query: 1 if "symbol" in query else 10)
            table["openInterest"] = _Endpoint(self._open_interest, weighing(1))
            table["fundingRate"] = _Endpoint(self._funding_rates, weighing(0 if self._family == "usdm" else 1))
        return table

    def get(self, path: str, query: Query, now_ns: int) -> Reply:
        """Answer one GET."""
        if self._bans > 0:
            self._bans -= 1
            return _refuse(418, -1003, "Way too many requests; IP banned.", {"Retry-After": "2"})
        prefix = PREFIXES[self._family]
        endpoint = self._endpoints.get(path.removeprefix(prefix)) if path.startswith(prefix) else None
        if endpoint is None:
            return _refuse(404, -5000, f"Path {path}, Method GET is invalid")
        if now_ns // MINUTE_NS != self._minute:
            self._minute, self._used = now_ns // MINUTE_NS, 0
        headers = {}
        try:
            # Refused requests are charged too.
            self._used += endpoint.weight(query)
            headers["X-MBX-USED-WEIGHT-1M"] = str(self._used)
            if self._refusals > 0 or self._used > BUDGETS[self._family]:
                wait_s = 1 if self._refusals > 0 else 60 - now_ns % MINUTE_NS // 1_000_000_000
                self._refusals = max(0, self._refusals - 1)
                return _refuse(429, -1003, "Too many requests.", {**headers, "Retry-After": str(wait_s)})
            body = endpoint.answer(query, now_ns)
        except Refusal as refusal:
            if refusal.retry_after_s is not None:
                headers["Retry-After"] = str(refusal.retry_after_s)
            return _refuse(refusal.status, refusal.code, refusal.text, headers)
        text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
        return Reply(200, text, headers)

    def _depth_weight(self, query: Query) -> int:
        limit = number(query, "limit", 100 if self._family == "spot" else 500)
        if self._family == "spot":
            return next((weight for most, weight in ((100, 5), (500, 25), (1000, 50)) if limit <= most), 250)
        return FUTURES_DEPTHS.get(limit, 1) if "limit" in query else 1

    def _depth(self, query: Query, now_ns: int) -> str:
        state = self._symbol(query)
        limit = number(query, "limit", 100 if self._family == "spot" else 500)
        if self._family != "spot" and limit not in FUTURES_DEPTHS:
            raise Refusal(400, -4021, f"{limit} is not valid depth limit.")
        update, updated_ns = state.update, state.updated_ns
        bids, asks = self._market.top(state.symbol, min(limit, 5000))
        if self._stale > 0:
            self._stale -= 1
            update, updated_ns, bids, asks = state.first_book
            bids, asks = bids[:limit], asks[:limit]
        payloads = state.payloads
        bid_rows, ask_rows = payloads.rows(bids), payloads.rows(asks)
        ts = None if self._family == "spot" else updated_ns // MS * MS
        if self._truth.kept:
            self._truth.offer(payloads.snapshot_event(None, update, bid_rows, ask_rows, ts, now_ns))
        extra = "" if ts is None else f',"E":{now_ns // MS},"T":{ts // MS}'
        if self._family == "coinm":
            extra += f',"symbol":"{state.symbol}","pair":"{payloads.pair}"'
        return f'{{"lastUpdateId":{update}{extra},"bids":{bid_rows},"asks":{ask_rows}}}'

    def _trades(self, query: Query, now_ns: int) -> list[dict[str, Any]]:
        rows = list(self._symbol(query).trades)[-page_size(query, 500) :]
        return self._trade_rows(self._symbol(query), rows, now_ns)

    def _history(self, query: Query, now_ns: int) -> list[dict[str, Any]]:
        if self._family != "spot":
            raise Refusal(401, -2014, "API-key format invalid.")
        state, limit = self._symbol(query), page_size(query, 500)
        return self._trade_rows(state, from_id(list(state.trades), query, limit, lambda row: row[0]), now_ns)

    def _trade_rows(self, state: SymbolState, rows: list[Any], now_ns: int) -> list[dict[str, Any]]:
        payloads, answer = state.payloads, []
        for trade_id, trade, _ in rows:
            # The rows of REST do not tell forced fills from others.
            self._truth.offer(payloads.trade_event(trade, trade_id, "MARKET", now_ns))
            row = {
                "id": trade_id, "price": payloads.price(trade.price), "qty": payloads.amount(trade.amount),
                "time": trade.ts // MS, "isBuyerMaker": trade.side == "sell",
            }  # fmt: skip
            if self._family == "coinm":
                row["baseQty"] = f"{payloads.base_amount(trade):.8f}"
            else:
                row["quoteQty"] = f"{trade.price * trade.amount:{'.8f' if self._family == 'spot' else 'f'}}"
            row |= {"spot": {"isBestMatch": True}, "usdm": {"isRPITrade": False}, "coinm": {}}[self._family]
            answer.append(row)
        return answer

    def _aggregates(self, query: Query, now_ns: int) -> list[dict[str, Any]]:
        state, limit = self._symbol(query), page_size(query, 500)
        if self._family != "spot" and number(query, "startTime", now_ns // MS) < now_ns // MS - TWO_DAYS_MS:
            raise Refusal(400, -4166, "Search window is restricted to recent 2 days only.")
        if "startTime" in query or "endTime" in query:
            rows = between(state.aggregates, query, limit, lambda row: row.first.ts // MS)
        else:
            rows = from_id(list(state.aggregates), query, limit, lambda row: row.number)
        for row in rows:
            self._truth.offer(state.payloads.aggregate_event(row, now_ns))
        return [state.payloads.aggregate_row(row) for row in rows]

    def _klines_weight(self, query: Query) -> int:
        limit = number(query, "limit", 500)
        if self._family == "spot":
            return 2
        return next((weight for most, weight in ((100, 1), (500, 2), (1000, 5)) if limit <= most), 10)

    def _klines(self, query: Query, now_ns: int) -> list[list[object]]:
        state, interval = self._symbol(query), query.get("interval", "")
        if interval not in INTERVALS_NS or (interval == "1s" and self._family != "spot"):
            raise Refusal(400, -1120, "Invalid interval.")
        span = (INTERVALS_NS[interval], now_ns, WEEK_OFFSET_NS if interval == "1w" else 0)
        current = self._market.candle(state.symbol, *span)
        closed = self._market.closed_candles(state.symbol, span[0], -1, *span[1:])
        rows = between(
            [*closed, current],
            query,
            page_size(query, 500, 1000 if self._family == "spot" else 1500),
            lambda candle: candle.open_time // MS,
        )
        for candle in rows:
            # A row says when the candle was, not when it was told.
            self._truth.offer(state.payloads.candle_event(interval, candle, candle is not current, None, now_ns))
        return [state.payloads.candle_row(candle) for candle in rows]

    def _premium(self, query: Query, now_ns: int) -> object:
        states = [self._symbol(query)] if "symbol" in query else list(self._symbols.values())
        rows = []
        for state in states:
            perpetual = state.payloads.contract.expiry_ms is None
            index = f"{self._market.index_price(state.symbol):.8f}"
            rows.append({
                "symbol": state.symbol, "markPrice": f"{self._market.mark_price(state.symbol):.8f}",
                "indexPrice": index, "estimatedSettlePrice": index,
                "lastFundingRate": f"{self._market.funding_rate(state.symbol):.8f}" if perpetual else "",
                "interestRate": "0.00010000", "nextFundingTime": self._funding.next(now_ns) // MS if perpetual else 0,
                "time": now_ns // MS,
            })  # fmt: skip
        return rows[0] if "symbol" in query and self._family == "usdm" else rows

    def _open_interest(self, query: Query, now_ns: int) -> dict[str, object]:
        state = self._symbol(query)
        amount = self._market.open_interest(state.symbol)
        ts = now_ns // MS * MS
        self._truth.offer(OpenInterest(self._exchange, state.symbol, ts, now_ns, amount, None))
        return {"symbol": state.symbol, "openInterest": f"{amount:f}", "time": now_ns // MS}

    def _funding_rates(self, query: Query, now_ns: int) -> list[dict[str, object]]:
        return self._funding.rows(self._symbol(query).payloads, self._market, self._truth, query, now_ns)

    def _exchange_info(self, query: Query, now_ns: int) -> dict[str, object]:
        every = [state for state in self._symbols.values() if self._market.listed(state.symbol)]
        states = [self._symbol(query)] if "symbol" in query else every
        for state in states:
            self._truth.offer(state.payloads.instrument())
        return {
            "timezone": "UTC", "serverTime": now_ns // MS,
            "rateLimits": [{
                "rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1,
                "limit": BUDGETS[self._family],
            }],
            "exchangeFilters": [],
            "symbols": [symbol_row(state.payloads) for state in states],
        }  # fmt: skip

    def _symbol(self, query: Query) -> SymbolState:
        if "symbol" not in query:
            raise Refusal(400, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        state = self._symbols.get(query["symbol"])
        if state is None or not self._market.listed(state.symbol):
            raise Refusal(400, -1121, "Invalid symbol.")
        return state


def symbol_row(payloads: Payloads) -> dict[str, object]:
    """Return a symbol as exchangeInfo lists it: steps in filters, precisions that are not the steps."""
    listing, contract, spot = payloads.listing, payloads.contract, payloads.family == "spot"
    most, step = payloads.amount(listing.lot * 1_000_000), payloads.amount(listing.lot)
    row: dict[str, object] = {
        "symbol": listing.symbol, "baseAsset": contract.base, "quoteAsset": contract.quote,
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": payloads.price(listing.tick),
             "maxPrice": payloads.price(listing.tick * 1_000_000_000), "tickSize": payloads.price(listing.tick)},
            {"filterType": "LOT_SIZE", "minQty": step, "maxQty": most, "stepSize": step},
        ],
    }  # fmt: skip
    if spot:
        return row | {
            "status": "TRADING", "baseAssetPrecision": 8, "quotePrecision": 8, "quoteAssetPrecision": 8,
            "orderTypes": ["LIMIT", "MARKET"], "isSpotTradingAllowed": True, "permissions": [],
            "permissionSets": [["SPOT"]],
        }  # fmt: skip
    row |= {
        "pair": payloads.pair, "contractType": "PERPETUAL" if contract.expiry_ms is None else "CURRENT_QUARTER",
        "deliveryDate": contract.expiry_ms or NEVER_MS, "onboardDate": 1569398400000,
        "marginAsset": contract.quote if payloads.family == "usdm" else contract.base,
        "pricePrecision": 2, "quantityPrecision": 3, "baseAssetPrecision": 8, "quotePrecision": 8,
        "underlyingType": "COIN", "underlyingSubType": ["PoW"], "orderTypes": ["LIMIT", "MARKET"],
    }  # fmt: skip
    if payloads.family == "coinm":
        return row | {"contractStatus": "TRADING", "contractSize": contract.size, "equalQtyPrecision": 4}
    return row | {"status": "TRADING"}


def _refuse(status: int, code: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, msgspec.json.encode({"code": code, "msg": text}).decode(), headers or {})
