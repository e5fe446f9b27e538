"""The metrics of a real run, read by Prometheus' own parser, say what get_stats says; docs/metrics.md has them all."""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jrr_binance.simulator import SpotScript
from jrr_sqlite import StorageConfig
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from jrr_core import ManagerBuilder
from jrr_core.capture import CaptureSettings
from jrr_core.config import Config
from jrr_core.observe.metrics import METRICS, PER_SYMBOL, exposition
from jrr_core.testing.simulator import Simulator
from tests.observe.test_server import get
from tests.toy import until

ROOT = Path(__file__).resolve().parents[2]
Samples = Mapping[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, Any]]:
    """Stats of a run with a lost connection, before and after a scrape of its metrics, and both forms of these."""
    return asyncio.run(_scraped(tmp_path_factory.mktemp("run")))


async def _scraped(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    async with Simulator(SpotScript, rate=200, run_s=1.0, faults={"reset": "0.7", "until": "0.9"}) as simulator:
        config = Config(capture=CaptureSettings(path=str(folder / "capture")))
        builder = ManagerBuilder(StorageConfig(path=str(folder / "market.db")), config=config).set_spool(path="")
        builder.add_exchange("binance", ws_url=simulator.ws_url, rest_url=simulator.rest_url)
        manager = await builder.set_metrics(listen="127.0.0.1:0").build()
        await manager.subscribe(["binance:trade:BTCUSDT", "binance:book:BTCUSDT", "binance:trade:ETHUSDT"])
        run = asyncio.create_task(manager.run())
        await simulator.quiet()
        await until(lambda: manager.get_stats()["exchanges"]["binance"]["sessions"])
        await asyncio.sleep(0.3)
        assert manager.observer is not None
        port = manager.observer.address.port
        stats = manager.get_stats()
        _, text = await asyncio.to_thread(get, port, "/metrics")
        _, om = await asyncio.to_thread(get, port, "/metrics", Accept="application/openmetrics-text; version=1.0.0")
        status, ready = await asyncio.to_thread(get, port, "/readyz")
        await manager.stop()
        await run
        return stats, {"text": text, "openmetrics": om, "ready": (status, json.loads(ready))}


def samples_of(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def test_metrics_say_what_stats_say(scraped: tuple[dict[str, Any], dict[str, Any]]) -> None:
    stats, found = scraped
    samples, binance, sqlite = samples_of(found["text"]), stats["exchanges"]["binance"], stats["sinks"]["sqlite"]
    exchange = ("exchange", "binance")
    assert samples["jrr_frames_total", (exchange, ("kind", "parsed"))] == binance["parsed"] > 30
    assert samples["jrr_events_total", (("channel", "trade"), exchange)] == binance["events"]["trade"]
    assert samples["jrr_disconnects_total", (exchange, ("reason", "cut"))] == binance["reconnects"] >= 1
    assert samples["jrr_written_rows_total", (("sink", "sqlite"),)] == sqlite["written"] > 30
    assert samples["jrr_receive_to_commit_seconds_count", (("sink", "sqlite"),)] == sqlite["latency"]["count"] > 0
    assert samples["jrr_exchange_to_receive_seconds_count", (exchange,)] == binance["transit"]["count"] > 0
    assert samples["jrr_rest_weight_used", (exchange, ("pool", "binance-spot"))] > 0
    assert sum(value for (name, _), value in samples.items() if name == "jrr_streams") == len(binance["streams"]) == 3
    assert samples["jrr_capture_written_total", ()] > 30
    newest = samples["jrr_newest_message_timestamp_seconds", (("channel", "trade"), exchange)]
    assert abs(time.time() - newest) < 60


def test_both_forms_are_what_their_parsers_expect(scraped: tuple[dict[str, Any], dict[str, Any]]) -> None:
    _, found = scraped
    text = {family.name for family in parse(found["text"])}
    openmetrics = {family.name for family in parse_openmetrics(found["openmetrics"])}  # type: ignore[no-untyped-call]
    assert openmetrics >= {family.name for family in METRICS}
    assert text >= {family.name for family in METRICS if family.kind != "counter"}


def test_a_run_with_data_is_ready(scraped: tuple[dict[str, Any], dict[str, Any]]) -> None:
    assert scraped[1]["ready"] == (200, {"ready": True, "waiting": []})


def test_no_symbol_is_a_label_unless_it_was_asked_for(scraped: tuple[dict[str, Any], dict[str, Any]]) -> None:
    stats, found = scraped
    assert "BTCUSDT" not in found["text"]
    for asked in (("BTCUSDT",), ("binance:BTCUSDT",)):
        text = exposition(stats, asked, "")[1].decode()
        assert 'symbol="BTCUSDT"' in text
        assert "ETHUSDT" not in text
    everything = exposition(stats, ("*",), "")[1].decode()
    labels = (("channel", "trade"), ("exchange", "binance"), ("symbol", "ETHUSDT"))
    assert samples_of(everything)["jrr_stream_events_total", labels] > 0


@pytest.mark.parametrize("symbol", ['"', "\\", "a\nb", "\x1b[31m", "{}", "币", "x" * 10_000, "# HELP x", "\r", "\0"])
def test_a_hostile_symbol_is_a_label_value_and_nothing_else(
    scraped: tuple[dict[str, Any], dict[str, Any]], symbol: str
) -> None:
    stream = {"channel": "trade", "symbol": symbol, "count": 7, "last_ns": None, "state": "live", "trouble": None,
              "last": None}  # fmt: skip
    exchange = {**scraped[0]["exchanges"]["binance"], "streams": [stream]}
    text = exposition({**scraped[0], "exchanges": {"binance": exchange}}, ("*",), "")[1].decode()
    labels = (("channel", "trade"), ("exchange", "binance"), ("symbol", symbol))
    assert samples_of(text)["jrr_stream_events_total", labels] == 7


def test_the_page_has_every_metric_and_no_other() -> None:
    page = (ROOT / "docs" / "metrics.md").read_text("utf-8")
    rows = re.findall(r"^\| `(jrr_\w+)` \| (\w+) \| ([^|]*) \|", page, re.MULTILINE)
    kinds = {name: (kind, tuple(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}
    named = {f.name + "_total" * (f.kind == "counter"): (f.kind, f.labels) for f in METRICS}
    named |= {
        name + "_total" * (kind == "counter"): (kind, ("exchange", "channel", "symbol"))
        for name, kind, _, _ in PER_SYMBOL
    }
    assert kinds == named


def test_dashboard_and_alert_rules_use_metrics_that_exist() -> None:
    known = {f.name + suffix for f in METRICS for suffix in _suffixes(f.kind)} | {"jrr_stream_last_price"}
    rules = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8")
    dashboard = (ROOT / "deploy" / "grafana" / "jrr.json").read_text("utf-8")
    panels = [panel for panel in json.loads(dashboard)["panels"] if panel["type"] != "row"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    alerts = [rule for group in yaml.safe_load(rules)["groups"] for rule in group["rules"]]
    for expression in [*expressions, *[rule["expr"] for rule in alerts]]:
        used = set(re.findall(r"\bjrr_\w+", expression))
        assert used <= known, expression
        assert used or "up{" in expression, expression
    for rule in alerts:
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"].count(" ") > 3


def _suffixes(kind: str) -> tuple[str, ...]:
    return {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}[kind]
