"""Collects trades, candles and books of Binance and OKX into PostgreSQL, and prints trades as they come.

    echo 'DB_PASSWORD=...' > .env
    python examples/run_data_collection.py --user collector --for 60

The password is read from DB_PASSWORD, in the environment or in `.env` of the
working directory; DB_PORT and DB_USER may stand there too. The database is made
if it is not there and the user may. The addresses are the live exchanges'
unless others are given.
"""

import argparse
import asyncio
import json
import signal
import sys

from jrr_postgres import StorageConfig

from jrr_core import JrrError, ManagerBuilder, Message


def on_trade(message: Message) -> None:
    """Print one trade; `async def` works as well."""
    print(f"{message.exchange:8} {message.symbol:10} {message.data['side']:4} {message.data['price']}", flush=True)


async def collect(options: argparse.Namespace) -> None:
    """Collect until the time is over or Ctrl-C."""
    storage = StorageConfig(host=options.host, database=options.database, user=options.user)
    binance = addresses(options.binance_ws, options.binance_rest)
    okx = addresses(options.okx_ws, options.okx_rest)
    manager = await ManagerBuilder(storage).add_binance(**binance).add_okx(**okx).build()

    await manager.subscribe_exchange("binance", ["btcusdt@trade", "btcusdt@kline_1m", "ethusdt@depth5@100ms"])
    await manager.subscribe_exchange("okx", ["trade:BTC-USDT", "candle_1m:BTC-USDT", "book_snapshot_5:ETH-USDT"])
    manager.add_subscriber("trade", on_trade)

    asked_to_stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGINT, asked_to_stop.set)
    async with asyncio.TaskGroup() as group:
        group.create_task(manager.start_all_listeners())
        await asyncio.wait([group.create_task(asked_to_stop.wait())], timeout=options.seconds)
        await manager.stop()
        asked_to_stop.set()
    print(json.dumps(manager.get_stats(), indent=2))


def addresses(ws_url: str | None, rest_url: str | None) -> dict[str, str]:
    """Return the settings of an exchange for the addresses given."""
    return {name: url for name, url in (("ws_url", ws_url), ("rest_url", rest_url)) if url}


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Collect trades, candles and books of Binance and OKX.")
    parser.add_argument("--host", default="localhost", help="PostgreSQL server")
    parser.add_argument("--database", default="jrr_marketdata", help="database; made if it is not there")
    parser.add_argument("--user", help="user; default: DB_USER, or the name of this account")
    parser.add_argument("--for", dest="seconds", type=float, help="seconds to run; without it, until Ctrl-C")
    for exchange in ("binance", "okx"):
        parser.add_argument(f"--{exchange}-ws", metavar="URL", help=f"WebSocket address of {exchange}")
        parser.add_argument(f"--{exchange}-rest", metavar="URL", help=f"REST address of {exchange}")
    error: Exception | None = None
    try:
        asyncio.run(collect(parser.parse_args()))
    except* JrrError as wrong:
        error = wrong.exceptions[0]
    if error is not None:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
