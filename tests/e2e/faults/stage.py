"""One fault run: exchanges, a collector and a store as processes, the fault, and what was found afterwards."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from attrs import Factory, define

from jrr_core.cli.simulate import find_scripts
from jrr_core.events import Backfilled
from jrr_core.plugins import Plugins
from jrr_core.store import QueryStore
from jrr_core.subscription import Subscription
from jrr_core.testing.child import Simulation, simulated
from jrr_core.testing.verdict import Verdict, judge, numberings_of

from .collector import Collector, toml
from .kept import Kept

_POLL_S = 0.05
_RECOVERED_S = 60.0
# A market that lives on for less than this after the fault need not have made a trade of every exchange.
_OUTLIVED_S = 2.0
_SETTLED_S = 2.0
_HEALING_S = 8.0
_SETTLE_AT_MOST_S = 40.0

ENDS = ("written", "duplicate", "dropped", "quarantined", "spooled", "pending")

Act = Callable[["Stage"], Awaitable[None]]


@define(frozen=True)
class Scenario:
    """A fault and how it comes about.

    `faults` are the simulator's; they strike until `faults_s` after the
    start, 0 where they are none. `act` is what the harness does once data
    flow. `run_s` is how long the market lives. Empty `exchanges` or `stores`
    means all. `settings` are of every exchange; `small` puts the store on a
    small disk; `silent` names streams that will never deliver; `clock` gives the
    collector a clock that can be set back; without `until` a fault strikes to the end.
    """

    name: str
    faults: Mapping[str, str] = {}
    faults_s: float = 0.0
    act: Act | None = None
    run_s: float = 20.0
    exchanges: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    settings: Mapping[str, Any] = {}
    small: bool = False
    silent: tuple[str, ...] = ()
    clock: bool = False
    until: bool = True


@define(frozen=True)
class Outcome:
    """What one run gave.

    `recovery_s` is from the end of the fault until the store held later trades
    of every exchange and all that could be fetched again; None if it never did,
    or if the market ended before.
    """

    fault: str
    exchanges: tuple[str, ...]
    store: str
    rate: int
    seed: int
    verdict: Verdict
    balanced: bool
    recovery_s: float | None
    findings: tuple[str, ...]
    log: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether nothing was lost silently, no gap is false, no book wrong, and the account balances."""
        return not self.findings


@define
class Stage:
    """What a scenario's act may touch."""

    collector: Collector
    kept: Any
    random: Random
    over_ns: int = Factory(time.time_ns)
    accounts: list[dict[str, Any]] = Factory(list)
    outlived: bool = True
    """Whether the market outlived the fault: on a machine that is too busy it may not."""

    def over(self) -> None:
        """Note that the fault ends now; of several the last counts."""
        self.over_ns = time.time_ns()

    async def stop_collector(self) -> None:
        """End the collector by SIGTERM and keep its account."""
        self.accounts.append(await self.collector.stop())


async def play(
    scenario: Scenario,
    exchanges: Sequence[str],
    kept: Kept,
    rate: float,
    seed: int,
    folder: Path,
    instants: int = 100,
) -> Outcome:
    """Run one scenario in `folder`; `rate` is market steps per second, over all exchanges.

    Books are looked at in `instants` moments of each symbol.
    """
    wanted = subscriptions(exchanges)
    faults = {**scenario.faults, **({"until": f"{scenario.faults_s:g}"} if scenario.faults and scenario.until else {})}
    async with simulated(exchanges, rate=rate / len(exchanges), seed=seed, run_s=scenario.run_s, faults=faults,
                         truth_file=folder / "truth.jsonl") as simulation:  # fmt: skip
        begun = asyncio.get_running_loop().time()
        stage = Stage(_collector(scenario, wanted, kept, simulation, folder, seed), kept, Random(seed))
        try:
            recovery_s = await _strike(scenario, stage, exchanges, begun, simulation)
        finally:
            await stage.stop_collector()
        truth = await simulation.stop()
    numberings = numberings_of(Plugins.load().connectors)
    delivering = [each for each in wanted if _text(each) not in scenario.silent]
    async with kept.opened() as store:
        verdict = await judge(truth, store, delivering, numberings=numberings, instants=instants, seed=seed)
        unsaid = [text async for text in _unsaid(scenario.silent, store, stage.collector)]
    healed_s = await _healed(kept, stage.over_ns)
    return Outcome(scenario.name, tuple(exchanges), kept.name, round(rate), seed, verdict,
                   not any(map(unbalanced, stage.accounts)), None if recovery_s is None else max(recovery_s, healed_s),
                   (*_findings(stage, verdict, recovery_s), *unsaid), tuple(_remarkable(stage.collector)))  # fmt: skip


async def _strike(
    scenario: Scenario, stage: Stage, exchanges: Sequence[str], begun: float, simulation: Simulation
) -> float | None:
    """Collect until the market rests and the store too, the fault in between; return how soon that was got over."""
    await stage.collector.start()
    if scenario.act is not None:
        await _recovered(stage.kept, exchanges, 0)
        await scenario.act(stage)
    if scenario.faults_s:
        await asyncio.sleep(begun + scenario.faults_s - asyncio.get_running_loop().time())
        stage.over()
    recovering = asyncio.create_task(_recovered(stage.kept, exchanges, stage.over_ns))
    await simulation.quiet()
    if time.time_ns() - stage.over_ns < _OUTLIVED_S * 1e9:
        stage.outlived = False
        recovering.cancel()
    (recovery_s,) = await asyncio.gather(recovering, return_exceptions=True)
    await settle(stage.kept)
    return recovery_s if isinstance(recovery_s, float) else None


def subscriptions(exchanges: Sequence[str]) -> list[Subscription]:
    """Return what is collected: all trades, and of two symbols what the exchange's demo takes."""
    texts: dict[str, None] = {}
    for script in find_scripts(list(exchanges)):
        texts |= dict.fromkeys([f"{script.exchange}:trade:{listing.symbol}" for listing in script.listings])
        texts |= dict.fromkeys(script.demo)
    return [Subscription.parse(text) for text in texts]


def _text(subscription: Subscription) -> str:
    return f"{subscription.exchange}:{subscription.channel}:{subscription.symbol}"


async def _unsaid(silent: Sequence[str], store: QueryStore, collector: Collector) -> AsyncIterator[str]:
    """Yield what is claimed or not told of streams that never delivered."""
    told = [line["text"] for line in collector.log if line["event"] == "stream_silent"]
    complete = {f"{each.exchange}:{each.channel}:{each.symbol}" for each in await store.coverage()
                if each.state == "complete"}  # fmt: skip
    for text in silent:
        if text in complete:
            yield f"{text} never delivered, and its coverage says complete"
        if not any(line.startswith(f"{text}:") for line in told):
            yield f"{text} never delivered, and nothing was said of it"


def _collector(
    scenario: Scenario, wanted: Sequence[Subscription], kept: Kept, simulation: Simulation, folder: Path, seed: int
) -> Collector:
    """Return the collector; odd seeds run on websockets and asyncio's loop, even ones on picows and uvloop."""
    places = {name: (simulation.ws_urls[name], simulation.rest_urls[name]) for name in simulation.ws_urls}
    texts = [_text(each) for each in wanted]
    lines = toml(places, texts, kept.name, kept.settings, scenario.settings)
    transport, loop = ("websockets", "asyncio") if seed % 2 else ("picows", "uvloop")
    lines += f'[network]\ntransport = "{transport}"\n[run]\nloop = "{loop}"\n'
    (folder / "jrr.toml").write_text(lines)
    return Collector(folder, _shifting_clock(folder) if scenario.clock else {})


def _shifting_clock(folder: Path) -> dict[str, str]:
    """Return the environment of a collector whose clock goes back 90 s at SIGUSR1: libfaketime would do it in C."""
    place = folder / "clock"
    place.mkdir()
    (place / "sitecustomize.py").write_text(
        "import signal, time\n"
        "time_ns, seconds, shift = time.time_ns, time.time, [0]\n"
        "time.time_ns = lambda: time_ns() - shift[0] * 1_000_000_000\n"
        "time.time = lambda: seconds() - shift[0]\n"
        "signal.signal(signal.SIGUSR1, lambda *_: shift.__setitem__(0, 90))\n"
    )
    return {"PYTHONPATH": str(place)}


async def _recovered(kept: Kept, exchanges: Sequence[str], over_ns: int) -> float | None:
    """Return how long after `over_ns` the store had later trades of every exchange; None if it never had."""
    deadline = time.monotonic() + _RECOVERED_S
    while time.monotonic() < deadline:
        with contextlib.suppress(Exception):  # away, being made, locked: what keeps us from asking is no answer
            last = await kept.reader().last()
            newest = {name: max([at for key, at in last.items() if key.exchange == name and key.channel == "trade"],
                                default=0) for name in exchanges}  # fmt: skip
            if all(at > over_ns for at in newest.values()):
                return (time.time_ns() - over_ns) / 1e9
        await asyncio.sleep(_POLL_S)
    return None


async def _healed(kept: Kept, over_ns: int) -> float:
    """Return how long after `over_ns` the last hole was filled; 0 where all was before, or none was."""
    filled = [event.ts_recv async for event in kept.reader().read(Backfilled)]
    return max(0.0, (max(filled, default=0) - over_ns) / 1e9)


async def settle(kept: Kept) -> None:
    """Return when the store has not changed for a while; longer while gaps stand that may yet be filled."""
    loop = asyncio.get_running_loop()
    begun = since = loop.time()
    last: Any = None
    patience_s = _SETTLED_S
    while loop.time() - begun < _SETTLE_AT_MOST_S and loop.time() - since < patience_s:
        try:
            gaps = [each for each in await kept.reader().coverage() if each.state == "gap"]
            now: Any = (await kept.reader().counts(), gaps)
            patience_s = _HEALING_S if any(each.channel == "trade" for each in gaps) else _SETTLED_S
        except Exception as error:  # a store that cannot be asked is not settled
            now = error
        if now != last:
            last, since = now, loop.time()
        await asyncio.sleep(0.2)


def _findings(stage: Stage, verdict: Verdict, recovery_s: float | None) -> Iterator[str]:
    """Yield everything that breaks the promise."""
    yield from verdict.findings
    for account in stage.accounts:
        yield from unbalanced(account)
    if recovery_s is None and stage.outlived:
        yield f"nothing later than the fault was stored within {_RECOVERED_S:g} s of the market's rest"
    yield from stage.collector.noise


def unbalanced(account: Mapping[str, Any]) -> list[str]:
    """Return what does not add up in the account of a run that ended in order."""
    if not account:
        return ["a collector that was stopped in order left no account"]
    found = []
    for name, exchange in account.get("exchanges", {}).items():
        if exchange["frames"] != exchange["parsed"] + exchange["control"] + exchange["rejected"]:
            found.append(f"{name}: frames do not add up: {exchange}")
    for name, sink in account.get("sinks", {}).items():
        if sink["published"] != sum(sink.get(end, 0) for end in ENDS):
            found.append(f"{name}: events do not add up: {sink}")
    return found


def _remarkable(collector: Collector) -> Iterator[str]:
    """Yield the first lines of the log that are worth a look when something is wrong."""
    lines = [line for line in collector.log if line["level"] in ("warning", "error") or "traceback" in line]
    for line in lines[:60]:
        yield f"{line['ts']} {line['event']}: {line['text']}" + line.get("traceback", "")
