"""The simulated exchange's REST: answers, weights, refusals.

Pure. What an answer carries is offered to the truth: a client may keep it and
need not. Weights and limits are those of the exchange's tables.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from attrs import define

from jrr_core.events import OpenInterest
from jrr_core.testing.market import Market
from jrr_core.testing.simulator import Reply, Truth, fault_number

from .simulator_payloads import MS, NEVER_MS, Family, Payloads
from .simulator_streams import INTERVALS_NS, WEEK_OFFSET_NS
from .simulator_symbol import SymbolState, next_funding

MINUTE_NS = 60_000_000_000
PREFIXES: Mapping[Family, str] = {"spot": "/api/v3/", "usdm": "/fapi/v1/", "coinm": "/dapi/v1/"}
# REQUEST_WEIGHT per UTC minute and IP; fapi and dapi share theirs on the exchange, here each counts its own.
BUDGETS: Mapping[Family, int] = {"spot": 6000, "usdm": 2400, "coinm": 2400}
FUTURES_DEPTHS = {5: 2, 10: 2, 20: 2, 50: 2, 100: 5, 500: 10, 1000: 20}
Query = Mapping[str, str]


class _Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    """An error answer: HTTP status, code and text."""

    def __init__(self, status: int, code: int, text: str) -> None:
        super().__init__(text)
        self.status, self.code, self.text = status, code, text


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
        faults: Mapping[str, str],
    ) -> None:
        """Take the symbols to answer for; raises ConfigError for a fault's value that is no number."""
        self._exchange, self._family, self._symbols = exchange, family, symbols
        self._market, self._truth = market, truth
        self._bans = int(fault_number(faults, "rest_418") or 0)
        self._refusals = int(fault_number(faults, "rest_429") or 0)
        self._stale = int(fault_number(faults, "stale_snapshot") or 0)
        self._minute, self._used = 0, 0
        self._endpoints = self._table()

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
            table["fundingRate"] = _Endpoint(self._funding, weighing(0))
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
        except _Refusal as refusal:
            return _refuse(refusal.status, refusal.code, refusal.text, headers)
        text = body if isinstance(body, str) else msgspec.json.encode(body).decode()
        return Reply(200, text, headers)

    def _depth_weight(self, query: Query) -> int:
        limit = _number(query, "limit", 100 if self._family == "spot" else 500)
        if self._family == "spot":
            return next((weight for most, weight in ((100, 5), (500, 25), (1000, 50)) if limit <= most), 250)
        return FUTURES_DEPTHS.get(limit, 1) if "limit" in query else 1

    def _depth(self, query: Query, now_ns: int) -> str:
        state = self._symbol(query)
        limit = _number(query, "limit", 100 if self._family == "spot" else 500)
        if self._family != "spot" and limit not in FUTURES_DEPTHS:
            raise _Refusal(400, -4021, f"{limit} is not valid depth limit.")
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
        rows = list(self._symbol(query).trades)[-_limit(query, 500) :]
        return self._trade_rows(self._symbol(query), rows, now_ns)

    def _history(self, query: Query, now_ns: int) -> list[dict[str, Any]]:
        if self._family != "spot":
            raise _Refusal(401, -2014, "API-key format invalid.")
        state, limit = self._symbol(query), _limit(query, 500)
        if "fromId" not in query:
            return self._trade_rows(state, list(state.trades)[-limit:], now_ns)
        start = _number(query, "fromId", 0)
        return self._trade_rows(state, [row for row in state.trades if row[0] >= start][:limit], now_ns)

    def _trade_rows(self, state: SymbolState, rows: list[Any], now_ns: int) -> list[dict[str, Any]]:
        payloads, answer = state.payloads, []
        for trade_id, trade, mark in rows:
            self._truth.offer(payloads.trade_event(trade, trade_id, mark, now_ns))
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
        state, limit = self._symbol(query), _limit(query, 500)
        rows = list(state.aggregates)
        if "fromId" in query:
            start = _number(query, "fromId", 0)
            rows = [row for row in rows if row.number >= start][:limit]
        else:
            rows = _between(rows, query, limit, lambda row: row.first.ts // MS)
        for row in rows:
            self._truth.offer(state.payloads.aggregate_event(row, now_ns))
        return [state.payloads.aggregate_row(row) for row in rows]

    def _klines_weight(self, query: Query) -> int:
        limit = _number(query, "limit", 500)
        if self._family == "spot":
            return 2
        return next((weight for most, weight in ((100, 1), (500, 2), (1000, 5)) if limit <= most), 10)

    def _klines(self, query: Query, now_ns: int) -> list[list[object]]:
        state, interval = self._symbol(query), query.get("interval", "")
        if interval not in INTERVALS_NS or (interval == "1s" and self._family != "spot"):
            raise _Refusal(400, -1120, "Invalid interval.")
        span = (INTERVALS_NS[interval], now_ns, WEEK_OFFSET_NS if interval == "1w" else 0)
        current = self._market.candle(state.symbol, *span)
        closed = self._market.closed_candles(state.symbol, span[0], -1, *span[1:])
        rows = _between(
            [*closed, current],
            query,
            _limit(query, 500, 1000 if self._family == "spot" else 1500),
            lambda candle: candle.open_time // MS,
        )
        for candle in rows:
            done = candle is not current
            self._truth.offer(state.payloads.candle_event(interval, candle, done, now_ns, now_ns))
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
                "interestRate": "0.00010000", "nextFundingTime": next_funding(now_ns) // MS if perpetual else 0,
                "time": now_ns // MS,
            })  # fmt: skip
        return rows[0] if "symbol" in query and self._family == "usdm" else rows

    def _open_interest(self, query: Query, now_ns: int) -> dict[str, object]:
        state = self._symbol(query)
        amount = self._market.open_interest(state.symbol)
        ts = now_ns // MS * MS
        self._truth.offer(OpenInterest(self._exchange, state.symbol, ts, now_ns, amount, None))
        return {"symbol": state.symbol, "openInterest": f"{amount:f}", "time": now_ns // MS}

    def _funding(self, query: Query, now_ns: int) -> list[dict[str, object]]:
        state = self._symbol(query)
        if state.payloads.contract.expiry_ms is not None:
            return []
        step = 8 * 3600 * 1_000
        last = next_funding(now_ns) // MS - step
        times = [last - step * back for back in reversed(range(90))]
        return [
            # Settlements are a few ms late on the exchange.
            {
                "symbol": state.symbol, "fundingTime": ms + 2, "fundingRate": "0.00010000",
                "markPrice": f"{self._market.mark_price(state.symbol):.8f}", "rateType": "Regular",
            }
            for ms in _between(times, query, _limit(query, 100), lambda ms: ms)
        ]  # fmt: skip

    def _exchange_info(self, query: Query, now_ns: int) -> dict[str, object]:
        states = [self._symbol(query)] if "symbol" in query else list(self._symbols.values())
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
            raise _Refusal(400, -1102, "Mandatory parameter 'symbol' was not sent, was empty/null, or malformed.")
        state = self._symbols.get(query["symbol"])
        if state is None:
            raise _Refusal(400, -1121, "Invalid symbol.")
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


def _between(rows: list[Any], query: Query, limit: int, ms: Callable[[Any], int]) -> list[Any]:
    """Choose rows by startTime and endTime: from the oldest where a start is given, else the latest."""
    start, end = _number(query, "startTime", 0), _number(query, "endTime", 1 << 62)
    chosen = [row for row in rows if start <= ms(row) <= end]
    return chosen[:limit] if "startTime" in query else chosen[-limit:]


def _limit(query: Query, default: int, most: int = 1000) -> int:
    return max(1, min(_number(query, "limit", default), most))


def _number(query: Query, name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not text.isdecimal():
        raise _Refusal(400, -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'.")
    return int(text)


def _refuse(status: int, code: int, text: str, headers: Mapping[str, str] | None = None) -> Reply:
    return Reply(status, msgspec.json.encode({"code": code, "msg": text}).decode(), headers or {})
