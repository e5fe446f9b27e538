"""The compose file and what it mounts: nothing beyond this machine, no password in it, settings known, ends met."""

import json
from itertools import chain
from pathlib import PurePosixPath
from typing import Any

from jrr_core.config import RunSettings, load_config
from tests.deploy.files import DEPLOY, load, stages

COMPOSE = load("compose.yml")
SERVICES: dict[str, Any] = COMPOSE["services"]
COLLECTOR = SERVICES["collector"]
MOUNTS = [mount.split(":") for service in SERVICES.values() for mount in service["volumes"]]


def test_ports_are_published_on_this_machine_alone() -> None:
    published = list(chain.from_iterable(service.get("ports", []) for service in SERVICES.values()))
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert "ports" not in COLLECTOR
    assert not [name for name, service in SERVICES.items() if "network_mode" in service]


def test_passwords_have_to_be_given() -> None:
    environments = [service.get("environment", {}) for service in SERVICES.values()]
    passwords = [value for each in environments for name, value in each.items() if "PASSWORD" in name]
    assert len(passwords) == 3
    assert all(value.startswith("${") and ":?" in value for value in passwords)
    assert ".env" in (DEPLOY.parent / ".gitignore").read_text().splitlines()


def test_what_is_mounted_is_there_and_volumes_are_declared() -> None:
    for source, *_ in MOUNTS:
        assert (DEPLOY / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], source
    assert all(mode == ["ro"] for source, _, *mode in MOUNTS if source.startswith("."))
    assert {source for source, *_ in MOUNTS if not source.startswith(".")} == set(COMPOSE["volumes"])


def test_the_collector_can_write_to_its_volume_only() -> None:
    last = {instruction.name: instruction.text for instruction in stages()[-1]}
    assert COLLECTOR["read_only"] is True
    assert COLLECTOR["cap_drop"] == ["ALL"]
    assert {mount.split(":")[1] for mount in COLLECTOR["volumes"]} == {"/etc/jrr", last["VOLUME"]}
    command = json.loads(last["CMD"])
    assert PurePosixPath(command[command.index("-c") + 1]).parent == PurePosixPath("/etc/jrr")
    assert (DEPLOY.parent / COLLECTOR["build"]["dockerfile"]).is_file()


def test_its_settings_are_settings() -> None:
    config = load_config(DEPLOY / "jrr" / "jrr.toml", environ=COLLECTOR["environment"])
    assert config.metrics.listen == "0.0.0.0:9464"
    assert set(config.plugins or ()) == {"binance", "okx", "postgres"}
    assert {each.exchange for each in config.subscriptions} == {"binance", "okx"}


def test_the_database_is_the_one_that_the_collector_looks_for() -> None:
    wanted = COLLECTOR["environment"]
    page = (DEPLOY.parent / "plugins" / "jrr_postgres" / "README.md").read_text("utf-8")
    assert all(name in page for name in wanted if name.startswith("DB_"))
    made = SERVICES[wanted["DB_HOST"]]["environment"]
    assert (made["POSTGRES_DB"], made["POSTGRES_USER"]) == (wanted["DB_NAME"], wanted["DB_USER"])
    assert made["POSTGRES_PASSWORD"] == wanted["DB_PASSWORD"]


def test_stopping_leaves_time_to_store_what_is_buffered() -> None:
    assert int(COLLECTOR["stop_grace_period"].removesuffix("s")) > 2 * RunSettings().stop_timeout_s
    assert all(service["restart"] == "unless-stopped" for service in SERVICES.values())


def test_prometheus_reads_the_collector_and_its_rules() -> None:
    config = load("prometheus/prometheus.yml")
    (job,) = config["scrape_configs"]
    ((target,),) = [found["targets"] for found in job["static_configs"]]
    host, _, port = target.partition(":")
    assert SERVICES[host] is COLLECTOR
    assert f"0.0.0.0:{port}" == COLLECTOR["environment"]["JRR_METRICS__LISTEN"]
    assert all((DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"])
    rules = [rule for group in load("prometheus/alerts.yml")["groups"] for rule in group["rules"]]
    assert f'job="{job["job_name"]}"' in next(rule["expr"] for rule in rules if rule["alert"] == "JrrDown")


def test_grafana_finds_prometheus_and_the_dashboard() -> None:
    (source,) = load("grafana/provisioning/datasources/prometheus.yml")["datasources"]
    assert source["type"] == "prometheus"
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert SERVICES[host]["ports"] == [f"127.0.0.1:{port}:{port}"]
    (provider,) = load("grafana/provisioning/dashboards/jrr.yml")["providers"]
    targets = {source: target for source, target, *_ in MOUNTS}
    assert targets["./grafana/jrr.json"] == f"{provider['options']['path']}/jrr.json"
    dashboard = json.loads((DEPLOY / "grafana" / "jrr.json").read_text("utf-8"))
    assert {one["type"] for one in dashboard["templating"]["list"]} >= {"datasource"}
