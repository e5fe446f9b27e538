"""A whole run on one machine: a simulated exchange over real sockets, jrr's manager, a store, and the verdict on it.

For end-to-end tests of exchange plugins. The plugin must be installed: it is
found by its entry point, as in a real run.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define

from ..builder import ManagerBuilder
from ..events import Gap
from ..plugins import Plugins
from ..sink import Sink
from ..store import QueryStore
from ..subscription import Subscription
from .script import Script
from .simulator import Simulator
from .verdict import Verdict, judge, numberings_of

_ENDS = ("written", "duplicate", "dropped", "quarantined", "spooled")


@define(frozen=True)
class Collected:
    """What came of a run: the verdict on the store, the sink's counters, and the Gaps that the store recorded."""

    verdict: Verdict
    account: Mapping[str, int]
    gaps: Sequence[Gap]

    @property
    def even(self) -> bool:
        """Whether every event published came to one known end."""
        return self.account["published"] == sum(self.account[name] for name in _ENDS)


async def collected(
    script: type[Script],
    wanted: Sequence[str],
    sink: Sink,
    make_store: Callable[[], QueryStore],
    *,
    faults: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    run_s: float = 3.0,
    settle_s: float = 1.0,
    rate: float = 400.0,
) -> Collected:
    """Collect `run_s` seconds of `wanted` into `sink`, and read it back through `make_store`.

    `faults` are those of the script and of the line (`until=2` ends them all
    after two seconds, so that the store can show that it recovered). After the
    market stopped, what is still missing may be fetched for `settle_s`.
    """
    exchange = script.exchange
    async with Simulator(script, rate=rate, run_s=run_s, faults=faults) as simulator:
        urls = {"ws_url": simulator.ws_url, "rest_url": simulator.rest_url}
        builder = ManagerBuilder().add_exchange(exchange, **urls, **(settings or {})).add_sink(sink)
        manager = await builder.set_spool(path="").build()
        await manager.subscribe(wanted)
        run = asyncio.create_task(manager.run())
        await simulator.quiet()
        await asyncio.sleep(settle_s)
        await manager.stop()
        await run
        (account,) = manager.get_stats()["sinks"].values()
    store = make_store()
    subscribed = [Subscription.parse(text) for text in wanted]
    numberings = numberings_of({exchange: Plugins.load().connectors[exchange]})
    verdict = await judge(simulator.truth, store, subscribed, numberings=numberings)
    gaps = [event async for event in store.read(Gap) if isinstance(event, Gap)]
    return Collected(verdict, account, gaps)
