"""What the load server answers over REST: the symbols there are, and where a book begins."""

import json
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from .feeds import Load, Stream, base_of


def answer(load: Load, target: str, issued: int) -> str | None:
    """Return the body for a GET when `issued` frames are out; None where there is no such path."""
    parts = urlsplit(target)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    now_ms = time.time_ns() // 1_000_000
    numbers = sorted({stream.symbol for stream in load.streams})
    match parts.path.rpartition("/")[2]:
        case "exchangeInfo":
            symbols = [_spot(load.exchange.symbol(number), number) for number in numbers]
            head = {"timezone": "UTC", "serverTime": now_ms, "rateLimits": [], "exchangeFilters": []}
            return json.dumps({**head, "symbols": symbols})
        case "depth":
            stream = load.by_topic[f"{query['symbol'].lower()}@depth@100ms"]
            return load.exchange.snapshot(stream.symbol, load.number(stream, issued), now_ms)
        case "time":
            if load.exchange.name == "okx":
                return _okx([{"ts": str(now_ms)}])
            return json.dumps({"serverTime": now_ms})
        case "instruments":
            spot = query.get("instType") == "SPOT"
            return _okx([_instrument(load.exchange.symbol(number), number) for number in numbers] if spot else [])
        case "underlying":
            return _okx([["BTC-USD"]])
        case "klines":
            return "[]"
        case _:
            return _okx([]) if load.exchange.name == "okx" else None


def book_start(load: Load, stream: Stream, issued: int) -> str:
    """Return the push with which an OKX book begins."""
    return load.exchange.snapshot(stream.symbol, load.number(stream, issued), time.time_ns() // 1_000_000)


def _okx(data: list[Any]) -> str:
    return json.dumps({"code": "0", "msg": "", "data": data})


def _spot(symbol: str, number: int) -> dict[str, Any]:
    return {
        "symbol": symbol, "status": "TRADING", "baseAsset": base_of(number), "quoteAsset": "USDT",
        "baseAssetPrecision": 8, "quotePrecision": 8, "quoteAssetPrecision": 8, "orderTypes": ["LIMIT"],
        "isSpotTradingAllowed": True, "permissions": [], "permissionSets": [["SPOT"]],
        "filters": [
            {"filterType": "PRICE_FILTER", "minPrice": "0.01000000", "maxPrice": "1000000.00000000",
             "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "minQty": "0.00001000", "maxQty": "9000.00000000", "stepSize": "0.00001000"},
        ],
    }  # fmt: skip


def _instrument(symbol: str, number: int) -> dict[str, Any]:
    return {
        "instType": "SPOT", "instId": symbol, "uly": "", "instFamily": "", "baseCcy": base_of(number),
        "quoteCcy": "USDT", "settleCcy": "", "ctVal": "", "ctMult": "", "ctValCcy": "", "ctType": "",
        "tickSz": "0.01", "lotSz": "0.00001", "minSz": "0.00001", "listTime": "1611916828000", "expTime": "",
        "state": "live", "ruleType": "normal", "instCategory": "1", "upcChg": [],
    }  # fmt: skip
