"""Topics that several subscriptions share are asked for once, and given up when none is left that wants them."""

from jrr_core.subscription import Subscription
from jrr_core.wanted_topics import WantedTopics

FUNDING, MARK = (Subscription("x", channel, "BTC") for channel in ("funding", "mark_price"))
TRADE = Subscription("x", "trade", "BTC")


def topic_of(subscription: Subscription) -> str:
    return "trades" if subscription.channel == "trade" else "ticker"


def test_a_shared_topic_is_asked_for_once_and_given_up_with_its_last_subscription() -> None:
    topics = WantedTopics(topic_of)
    assert topics.want([FUNDING, TRADE, MARK]) == ["ticker", "trades"]
    assert topics.leave([FUNDING]) == []
    assert topics.leave([MARK, TRADE]) == ["ticker", "trades"]


def test_everything_is_asked_for_again_on_a_new_connection() -> None:
    topics = WantedTopics(topic_of)
    assert topics.want([FUNDING]) == topics.want([FUNDING]) == ["ticker"]
    assert topics.leave([FUNDING]) == ["ticker"]


def test_what_was_never_wanted_can_be_given_up() -> None:
    assert WantedTopics(topic_of).leave([TRADE]) == ["trades"]
