"""(e): how long after its receipt a message reaches a callback, and how long until its row can be read.

When a row could be read is the server's own commit time (track_commit_timestamp),
asked for when all is over, so that nobody's polling is part of what is measured.
"""

import asyncio
from typing import Any

from jrr_postgres.testing import fetch

from .contestants import Contestant, Place, jrr, rival
from .feeds import EXCHANGES, Load
from .measure import settled, started, through
from .parts import TUNED, Setting, database_server, place
from .process import LoadServer
from .results import Results, Row

RATES = (1_000, 10_000, 30_000)
_QUANTILES = (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0))
# The first moments of a load are those of warming up.
_LEFT_OUT_S = 0.5
_CHOSEN = f"""
WITH rows AS (SELECT {{received}} AS received, pg_xact_commit_timestamp(xmin) AS seen FROM {{table}}),
chosen AS (SELECT extract(epoch FROM seen - received) * 1000 AS ms FROM rows
           WHERE received > to_timestamp($1::float8) + interval '{_LEFT_OUT_S} s')
SELECT count(*), percentile_disc($2::float8[]) WITHIN GROUP (ORDER BY ms) FROM chosen
"""
_TABLES = {
    "jrr": _CHOSEN.format(received="ts_recv", table="jrr.stored_trades"),
    "rival": _CHOSEN.format(received="receipt_timestamp", table="trades"),
}


def contestants() -> list[tuple[str, Contestant]]:
    """Return who is measured on the way to what."""
    return [
        ("receive to callback", jrr("callback", "auto", timed=True)),
        ("receive to callback", rival("callback", timed=True)),
        ("receive to visible", jrr("postgres", "auto")),
        ("receive to visible", rival("postgres", "cryptofeed, defaults", backend={})),
        ("receive to visible", rival("postgres", "cryptofeed, tuned", backend=TUNED)),
    ]


async def latencies(setting: Setting, results: Results) -> None:
    """Offer trades at each rate to each contestant, in turn."""
    load = Load(EXCHANGES["binance"], "trade")
    with database_server() as server:
        async with LoadServer("binance", "trade") as serving:
            for run in range(setting.runs):
                for rate in RATES:
                    for cell, each in contestants():
                        if each.client == "rival" and setting.python is None:
                            continue
                        row = Row("e", f"{cell}, {rate:,}/s", "binance", "trade", each.name)
                        database = server if each.options["to"] == "postgres" else None
                        async with place(load, serving.port, database, f"latency_{run}") as here:
                            try:
                                found = await one(each, serving, here, rate, setting)
                            except (RuntimeError, TimeoutError) as error:
                                results.fail(row, error, here.folder / "client.log")
                            else:
                                results.add(row, found)


async def one(contestant: Contestant, server: LoadServer, here: Place, rate: int, setting: Setting) -> dict[str, float]:
    """Return the quantiles (ms), what was lost, and CPU per message of one load."""
    client = await started(contestant, server, here, setting.python)
    try:
        base = await settled(client)
        await client.ask({"latency": 1})
        (began,) = (await fetch(here.dsn, "SELECT extract(epoch FROM clock_timestamp())"))[0] if here.dsn else (0,)
        count = round(rate * setting.latency_s)
        sending = asyncio.ensure_future(server.send(count, rate))
        marks = await through(client, sending, base.count + count)
        sent = await sending
        end = marks[-1]
        account = await client.ask({"mark": 1, "account": 1})
        missing = max(base.count + count - end.count, account["lost"])
        found: dict[str, Any] = {"offered_per_s": count / sent["took_s"], "lost": missing,
                                 "cpu_us": (end.cpu_s - base.cpu_s) / count * 1e6}  # fmt: skip
        if not here.dsn:
            return {**await client.ask({"latency": 1}), **found}
        quantiles = [quantile for _, quantile in _QUANTILES]
        ((number, values),) = await fetch(here.dsn, _TABLES[contestant.client], float(began), quantiles)
        named = zip([name for name, _ in _QUANTILES], values or [], strict=False)
        return {"n": number, **{name: float(value) for name, value in named}, **found}
    finally:
        await client.end()
