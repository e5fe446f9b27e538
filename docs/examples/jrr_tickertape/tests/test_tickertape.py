"""Tickertape against the rules every exchange plugin keeps, and its own few facts."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from jrr_tickertape import Tickertape, TickertapeSettings

from jrr_core.errors import ConfigError
from jrr_core.parser import Parser
from jrr_core.subscription import Subscription
from jrr_core.testing.connector_suite import ConnectorSuite
from jrr_core.testing.parser_suite import ParserSuite


class TestParser(ParserSuite):
    exchange = "tickertape"
    frames = (Path(__file__).parent / "frames" / "tape.jsonl",)

    def make_parser(self) -> Parser:
        return Tickertape(TickertapeSettings()).parser(None)


class TestConnector(ConnectorSuite):
    connector = Tickertape
    wanted = ("tickertape:trade:BTC-USD", "tickertape:quote:BTC-USD", "tickertape:quote:ETH-USD")
    takes_any_native = True

    def many(self, count: int) -> Sequence[str]:
        return [f"tickertape:trade:C{number}-USD" for number in range(count)]


def test_all_subscriptions_go_out_in_one_message() -> None:
    wanted = [Subscription.parse(f"tickertape:{stream}") for stream in ("trade:BTC-USD", "quote:ETH-USD")]
    (plan,) = Tickertape(TickertapeSettings()).sessions(wanted)
    assert [send.text for send in plan.subscribe(wanted)] == [
        '{"op":"listen","tapes":["trade:BTC-USD","quote:ETH-USD"]}'
    ]


def test_a_channel_tickertape_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="has no channel 'funding'"):
        Tickertape(TickertapeSettings()).sessions([Subscription.parse("tickertape:funding:BTC-USD")])
