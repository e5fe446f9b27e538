"""One soak: two simulated exchanges, `jrr run` and PostgreSQL as processes, faults all along, and what came of it."""

import asyncio
import json
import random
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs
from attrs import define

from jrr_core.cli.simulate import find_scripts
from jrr_core.plugins import Plugins
from jrr_core.subscription import Subscription
from jrr_core.testing.child import Simulation, simulated
from jrr_core.testing.truth import Truth
from jrr_core.testing.verdict import Verdict, judge, numberings_of

from ..faults.collector import Collector, toml
from ..faults.kept import PostgresKept
from ..faults.stage import settle, unbalanced
from .flatness import Finding, judge_series
from .probe import Probe, Sample
from .trouble import exchange_faults, trouble

EXCHANGES = ("binance", "okx")
# What the verdict looks at; more would fill the simulators' memory in an hour.
_JUDGED = ("trade", "candle")
# Market steps for a message a second with what is subscribed here, measured.
_STEPS = 1.65
_TRUTH_S = 600.0
# A connection without a frame for so long is dead: short, so that a stall costs seconds of a run and not a minute.
_SETTINGS = {"stale_s": 5.0}
Say = Callable[[str], None]


@define(frozen=True)
class Outcome:
    """What a soak gave: what was sampled and how flat it is, and whether the store holds what the markets did."""

    minutes: float
    rate: float
    seed: int
    samples: tuple[Sample, ...]
    flatness: tuple[Finding, ...]
    verdict: Verdict
    account: dict[str, Any]
    troubles: tuple[str, ...]
    findings: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether all is flat and nothing is lost, false or unbalanced."""
        return not self.findings and all(each.flat for each in self.flatness)

    @property
    def frames(self) -> int:
        """How many messages came in."""
        return sum(exchange["frames"] for exchange in self.account.get("exchanges", {}).values())


def subscriptions() -> list[Subscription]:
    """Return what is collected: what each exchange's demo takes, and the quotes and books of all its symbols."""
    texts: dict[str, None] = {}
    for script in find_scripts(EXCHANGES):
        texts |= dict.fromkeys(script.demo)
        texts |= {f"{script.exchange}:{channel}:{listing.symbol}": None for listing in script.listings
                  for channel in ("quote", "book")}  # fmt: skip
    return [Subscription.parse(text) for text in texts]


async def soak(
    minutes: float, rate: float, seed: int, kept: PostgresKept, folder: Path, every_s: float = 10.0, say: Say = print
) -> Outcome:
    """Collect for so long at about `rate` messages a second, with faults, and sample every `every_s`; then judge."""
    wanted = subscriptions()
    probe = Probe(folder)
    async with AsyncExitStack() as stack:
        simulations = [
            await stack.enter_async_context(simulated(
                [name], rate=rate * _STEPS / len(EXCHANGES), seed=seed + number, run_s=minutes * 60, faults=faults,
                truth_file=folder / f"truth-{name}.jsonl", truth_kinds=_JUDGED))
            for number, (name, faults) in enumerate(exchange_faults(minutes).items())
        ]  # fmt: skip
        collector = _collector(wanted, kept, simulations, folder, probe)
        await collector.start()
        samples: list[Sample] = []
        watching = asyncio.create_task(_watch(collector, probe, every_s, samples, folder / "samples.jsonl", say))
        try:
            done = await trouble(kept, minutes, random.Random(seed))
            await asyncio.gather(*(simulation.quiet() for simulation in simulations))
            if watching.done():
                await watching
            await settle(kept)
        finally:
            watching.cancel()
            account = await collector.stop()
        truth = Truth()
        for simulation in simulations:
            truth.add(await simulation.stop(_TRUTH_S))
    verdict = await _judge(truth, wanted, kept, seed)
    findings = (*verdict.findings, *unbalanced(account), *collector.noise)
    flatness = judge_series([each.at_s for each in samples], _series(samples))
    return Outcome(minutes, rate, seed, tuple(samples), tuple(flatness), verdict, account, tuple(done), findings)


def _collector(
    wanted: Sequence[Subscription], kept: PostgresKept, simulations: Sequence[Simulation], folder: Path, probe: Probe
) -> Collector:
    places = {name: (each.ws_urls[name], each.rest_urls[name]) for each in simulations for name in each.ws_urls}
    texts = [f"{each.exchange}:{each.channel}:{each.symbol}" for each in wanted]
    # Its port may be another collector's, for an hour.
    sections = [*kept.settings, "[metrics]", 'listen = ""']
    (folder / "jrr.toml").write_text(toml(places, texts, kept.name, sections, _SETTINGS))
    return Collector(folder, probe.environ)


async def _watch(
    collector: Collector, probe: Probe, every_s: float, samples: list[Sample], file: Path, say: Say
) -> None:
    """Sample until cancelled, each sample at once on disk: a run that is ended early leaves them."""
    loop = asyncio.get_running_loop()
    begun, number = loop.time(), 0
    while True:
        number += 1
        await asyncio.sleep(begun + number * every_s - loop.time())
        sample = await probe.look(collector.pid, loop.time() - begun)
        samples.append(sample)
        with file.open("a") as lines:
            lines.write(json.dumps(attrs.asdict(sample)) + "\n")
        if number % 6 == 0:
            say(f"{sample.at_s / 60:5.1f} min  RSS {sample.rss_mb:.1f} MB, own {sample.uss_mb:.1f} MB, "
                f"{sample.blocks:,} blocks, {sample.descriptors} descriptors, {sample.threads} threads, "
                f"{sample.tasks} tasks, CPU {sample.cpu_s:.0f} s")  # fmt: skip


def _series(samples: Sequence[Sample]) -> dict[str, list[float]]:
    return {field.name: [getattr(each, field.name) for each in samples] for field in attrs.fields(Sample)}


async def _judge(truth: Truth, wanted: Sequence[Subscription], kept: PostgresKept, seed: int) -> Verdict:
    async with kept.opened() as store:
        return await judge(truth, store, wanted, numberings=numberings_of(Plugins.load().connectors), seed=seed)
