"""cryptofeed reading the same load, as its documentation sets it up: callbacks that do nothing, or PostgreSQL.

Runs in the environment that tests/e2e/faults/rival makes, never in jrr's:
cryptofeed is AGPL. Argument: one JSON object. `to` is "callback", "book" (its
best ten levels are read on each message) or "postgres"; `backend` are options of
its backend, none for its defaults.
"""

import asyncio
import contextlib
import json
import sys
import time
from typing import Any

import uvloop
from cryptofeed import FeedHandler, connection
from cryptofeed.backends.postgres import BookPostgres, CandlesPostgres, TradePostgres
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import CANDLES, L2_BOOK, TRADES
from cryptofeed.exchanges import OKX, Binance

from .probe import Probe

_CHANNELS = {"trade": TRADES, "depth": L2_BOOK, "candle": CANDLES}
_BACKENDS = {TRADES: TradePostgres, L2_BOOK: BookPostgres, CANDLES: CandlesPostgres}


def lead_to_loopback(ws_url: str, rest_url: str) -> None:
    """Point its connectors at the load server: they take wss:// addresses only, so the scheme is put back here."""
    opened = connection.connect

    def connect(address: str, **options: Any) -> Any:
        return opened(address.replace("wss://", "ws://", 1), **options)

    connection.connect = connect
    secure = ws_url.replace("ws://", "wss://", 1)
    Binance.websocket_endpoints = [WebsocketEndpoint(secure)]
    Binance.rest_endpoints = [
        RestEndpoint(rest_url, routes=Routes("/api/v3/exchangeInfo", l2book="/api/v3/depth?symbol={}&limit={}"))
    ]
    names = OKX.websocket_channels
    OKX.websocket_endpoints = [
        WebsocketEndpoint(f"{secure}/ws/v5/public", channel_filter=(names[L2_BOOK], names[TRADES]),
                          options={"compression": None}),
        WebsocketEndpoint(f"{secure}/ws/v5/business", channel_filter=(names[CANDLES],), options={"compression": None}),
    ]  # fmt: skip
    OKX.rest_endpoints = [
        RestEndpoint(rest_url, routes=Routes(["/api/v5/public/instruments?instType=SPOT"],
                                             currencies="/api/v5/public/underlying?instType=OPTION"))
    ]  # fmt: skip


class Ends:
    """Where its data go, and how much of it came there."""

    def __init__(self, given: dict[str, Any]) -> None:
        """Make the callbacks."""
        self.count = 0
        self.probe = Probe(self.through, self.account)
        self.backends: list[Any] = []
        self._given = given

    def callback(self, channel: str) -> Any:
        """Return what takes the data of a channel."""
        if self._given["to"] == "postgres":
            place = self._given["postgres"]
            backend = _BACKENDS[channel](host="127.0.0.1", port=place["port"], user="postgres", db=place["database"],
                                         numeric_type=str, **self._given["backend"])  # fmt: skip
            self.backends.append(backend)
            return backend
        if self._given["to"] == "book":
            return self._top
        return self._timed if self._given.get("timed") else self._nothing

    async def _nothing(self, data: Any, receipt_timestamp: float) -> None:
        self.count += 1

    async def _timed(self, data: Any, receipt_timestamp: float) -> None:
        self.count += 1
        self.probe.delays.append(round((time.time() - receipt_timestamp) * 1e9))

    async def _top(self, book: Any, receipt_timestamp: float) -> None:
        self.count += 1
        for side in (book.book.bids, book.book.asks):
            for place in range(10):
                side.index(place)

    def through(self) -> int:
        """Return how many data came through: rows written, where a backend writes them."""
        return sum(backend.stats.written for backend in self.backends) if self.backends else self.count

    def account(self) -> dict[str, Any]:
        """Return what it says it lost."""
        stats = [backend.stats for backend in self.backends]
        return {"lost": sum(each.dropped_overflow + each.dropped_failed for each in stats), "gaps": 0, "rejected": 0}


def main() -> None:
    """Collect until told to end."""
    given = json.loads(sys.argv[1])
    lead_to_loopback(f"ws://127.0.0.1:{given['port']}", f"http://127.0.0.1:{given['port']}")
    ends = Ends(given)
    handler = FeedHandler(config={"log": {"filename": "", "level": "WARNING", "disabled": False}})
    exchange = {"binance": Binance, "okx": OKX}[given["exchange"]]
    for symbols, kinds in given["feeds"]:
        channels = [_CHANNELS[kind] for kind in kinds]
        hour = "1H" if given["exchange"] == "okx" else "1h"
        options = {"candle_interval": hour, "candle_closed_only": given["to"] == "postgres"}
        handler.add_feed(
            exchange(symbols=symbols, channels=channels, callbacks={each: ends.callback(each) for each in channels},
                     **(options if CANDLES in channels else {}))
        )  # fmt: skip

    async def both() -> None:
        collecting = asyncio.create_task(handler.run_async())
        await ends.probe.serve()
        # What is still to be written is not measured.
        collecting.cancel()
        with contextlib.suppress(BaseException):
            await collecting

    # As FeedHandler.run does it.
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(both())


if __name__ == "__main__":
    main()
