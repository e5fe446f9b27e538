"""cryptofeed collecting trades from a simulated Binance into PostgreSQL, as its own documentation sets it up.

Runs in the environment of `venv.py` alone, never in jrr's: cryptofeed is AGPL,
and only this script imports it. Arguments: one JSON object (ws_url, rest_url,
host, port, user, database, symbols, and `backend`: options of its PostgreSQL
backend, none for its defaults). Collects until SIGTERM, then prints one JSON
object: its own account of what it wrote and dropped.
"""

import json
import sys
from typing import Any

from cryptofeed import FeedHandler, connection
from cryptofeed.backends.postgres import TradePostgres
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import TRADES
from cryptofeed.exchanges import Binance


def lead_to_loopback(ws_url: str, rest_url: str) -> None:
    """Point its Binance connector at the simulator: it takes wss:// addresses only, so the scheme is put back here."""
    opened = connection.connect

    def connect(address: str, **options: Any) -> Any:
        return opened(address.replace("wss://", "ws://", 1), **options)

    connection.connect = connect
    Binance.websocket_endpoints = [WebsocketEndpoint(ws_url.replace("ws://", "wss://", 1))]
    routes = Routes("/api/v3/exchangeInfo", l2book="/api/v3/depth?symbol={}&limit={}")
    Binance.rest_endpoints = [RestEndpoint(rest_url, routes=routes)]


def main() -> None:
    """Collect until told to stop; the exit code is 1 when the feed handler gave up by itself."""
    given = json.loads(sys.argv[1])
    lead_to_loopback(given["ws_url"], given["rest_url"])
    backend = TradePostgres(host=given["host"], port=given["port"], user=given["user"], db=given["database"],
                            numeric_type=str, **given["backend"])  # fmt: skip
    handler = FeedHandler(config={"log": {"filename": "", "level": "WARNING", "disabled": False}})
    handler.add_feed(Binance(symbols=given["symbols"], channels=[TRADES], callbacks={TRADES: backend}))
    try:
        handler.run()
    finally:
        stats = backend.stats
        told = ("written", "conflicts", "dropped_overflow", "dropped_failed", "retries", "last_error")
        print(json.dumps({name: getattr(stats, name) for name in told}), flush=True)


if __name__ == "__main__":
    main()
