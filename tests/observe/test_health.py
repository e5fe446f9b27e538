"""Health of a run in several processes: what each of them says of itself."""

from typing import Any

from jrr_core.observe.health import health_of


def stats(*waiting: str, exchanges: bool = True) -> dict[str, Any]:
    found = {"x": {"streams": [], "unresolved": [], "sessions": 0}} if exchanges else {}
    return {"exchanges": found, "sinks": {}, "workers": [{"waiting": [*waiting]}, {"waiting": []}]}


def test_a_run_is_ready_when_all_its_workers_are() -> None:
    assert health_of(stats()).ready
    assert health_of(stats("worker 1: its process is being started")).waiting == (
        "worker 1: its process is being started",
    )


def test_workers_with_nothing_to_do_are_not_ready() -> None:
    assert health_of(stats(exchanges=False)).waiting == ("nothing is subscribed",)
