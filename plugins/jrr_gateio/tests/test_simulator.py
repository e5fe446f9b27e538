"""What the suites do not see of the simulated Gate: which levels an update tells, faults, and requests it refuses."""

from decimal import Decimal
from typing import Any

import pytest
from jrr_gateio.connector import Futures, Spot
from jrr_gateio.simulated_peer import GatePeer
from jrr_gateio.simulator import FuturesScript, SpotScript

from jrr_core.errors import ConfigError
from jrr_core.events import Candle
from jrr_core.frame import Rotate
from jrr_core.subscription import Subscription
from jrr_core.testing.market import Market
from jrr_core.testing.script import Reply
from jrr_core.testing.stage import Stage
from jrr_core.testing.truth import Truth
from jrr_core.wire import decode, encode

S = 10**9


class Desk:
    """A client that speaks for itself."""

    def __init__(self, **faults: str) -> None:
        self.now = 1_795_000_000 * S
        self.market = Market(SpotScript.listings, 3)
        self.script = SpotScript(self.market, Truth(), faults, self.now)
        peer = self.script.connect("/ws/v4/", "", self.now)
        assert isinstance(peer, GatePeer)
        self.peer = peer

    def ask(self, channel: str, *payload: str, event: str = "subscribe") -> dict[str, Any]:
        request = {"time": 1, "id": 7, "channel": f"spot.{channel}", "event": event, "payload": payload}
        self.peer.receive(encode(request), self.now)
        return self.said()[-1]

    def said(self) -> list[dict[str, Any]]:
        said, self.peer.outbox = self.peer.outbox, []
        return [decode(text) for text in said if isinstance(text, str)]


def test_an_update_tells_every_level_that_was_touched_also_one_that_is_again_as_it_was() -> None:
    desk = Desk()
    desk.ask("order_book_update", "BTC_USDT", "100ms")
    touched: set[Decimal] = set()
    while len(touched) < 40:
        happening = desk.market.step(desk.now)
        desk.script.happen(happening)
        if happening.symbol == "BTC_USDT":
            touched |= {price for price, _ in (*happening.bids, *happening.asks)}
    desk.now += S
    desk.script.tick(desk.now)
    (push,) = desk.said()
    rows = [*push["result"]["b"], *push["result"]["a"]]
    assert {Decimal(price) for price, _ in rows} == touched


def test_unknown_symbols_are_refused_but_by_obu_which_stays_silent() -> None:
    desk = Desk()
    refused = desk.ask("trades", "NO_SUCH")
    assert refused["error"] == {"code": 2, "message": "unknown currency pair NO_SUCH"}
    assert desk.ask("obu", "ob.NO_SUCH.400")["result"] == {"status": "success"}
    assert desk.ask("obu", "ob.BTC_USDT.7")["result"] == {"status": "fail"}
    assert desk.ask("obu", "ob.BTC_USDT.400")["result"] == {"status": "success"}
    assert desk.ask("obu", "ob.BTC_USDT.400")["error"]["message"] == "Alert sub ob.BTC_USDT.400"


def test_an_upgrade_is_announced_and_understood() -> None:
    stage = Stage(SpotScript, Spot, {"notice": "0.5"})
    (plan,) = stage.connector.sessions([Subscription("gateio", "trade", "BTC_USDT")])
    client = stage.open(plan)
    stage.run(1.0)
    assert [request for request in client.requests if isinstance(request, Rotate)]


def test_a_closing_row_that_stays_out_is_told_by_rest_alone() -> None:
    stage = Stage(FuturesScript, Futures, {"no-close": "1"})
    (plan,) = stage.connector.sessions([Subscription("gateio-futures", "candle_1m", "BTC_USDT")])
    client = stage.open(plan)
    stage.now_ns += 60 * S
    stage.run(0.1)
    assert [event for event in client.events if isinstance(event, Candle)]
    assert not [event for event in client.events if isinstance(event, Candle) and event.closed]
    assert [event for event in stage.truth.events if isinstance(event, Candle)]


@pytest.mark.parametrize("fault", ["gap", "no-close"])
def test_a_chance_is_at_most_one(fault: str) -> None:
    with pytest.raises(ConfigError, match=fault):
        Desk(**{fault: "2"})


def test_parameters_of_rest_that_are_none_are_refused_by_label() -> None:
    desk = Desk()
    for query, label in (
        ({"currency_pair": "NO_SUCH", "interval": "1m"}, "INVALID_CURRENCY_PAIR"),
        ({"currency_pair": "BTC_USDT", "interval": "7m"}, "INVALID_PARAM_VALUE"),
        ({"currency_pair": "BTC_USDT", "interval": "1m", "from": "x"}, "INVALID_PARAM_VALUE"),
    ):
        reply = desk.script.get("/api/v4/spot/candlesticks", query, desk.now)
        assert isinstance(reply, Reply)
        assert (reply.status, decode(reply.body)["label"]) == (400, label)
