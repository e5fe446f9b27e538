"""Wrong simulators: what they send, what they note, and how they treat their clients."""

import random
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, ClassVar

import attrs

from jrr_core.events import Message
from jrr_core.testing.market import Happening, Listing
from jrr_core.testing.script import Bounds, Close, Peer, Reply
from jrr_core.wire import decode, encode
from tests.conformance.reference.simulator import HarbourPeer, HarbourScript, S


class UnlistedDemo(HarbourScript):
    """The demo wants a symbol that is not listed."""

    rule = "simulator-describes-itself"
    demo: ClassVar[tuple[str, ...]] = (*HarbourScript.demo, "harbour:trade:DOGE-USD")


class ListsTwice(HarbourScript):
    """A symbol is listed twice."""

    rule = "simulator-describes-itself"
    listings: ClassVar[tuple[Listing, ...]] = (*HarbourScript.listings, HarbourScript.listings[0])


class UnexplainedFault(HarbourScript):
    """A fault has no help."""

    rule = "faults"
    faults: ClassVar[Mapping[str, str]] = {"lose": ""}


class FaultOfTheServer(HarbourScript):
    """A fault has the name of one of the server's."""

    rule = "faults"
    faults: ClassVar[Mapping[str, str]] = {**HarbourScript.faults, "drop": "Chance that a frame is not sent."}


class TakesAnyFault(HarbourScript):
    """A fault that is no number is off."""

    rule = "faults"

    def __init__(self, market: Any, truth: Any, faults: Mapping[str, str], now_ns: int) -> None:
        super().__init__(market, truth, {}, now_ns)


class ImplausibleFault(HarbourScript):
    """Mixes draw a chance above one."""

    rule = "faults"
    plausible: ClassVar[Mapping[str, Bounds]] = {"lose": (0.5, 0.1)}


class DrawsByChance(HarbourScript):
    """What is sent depends on a random number of nobody's seed."""

    rule = "simulator-deterministic"

    def quote(self, symbol: str, now_ns: int) -> None:
        if random.random() < 0.9:
            super().quote(symbol, now_ns)


class IgnoresTheSeed(HarbourScript):
    """Nothing of the market is in what is sent."""

    rule = "simulator-deterministic"

    def happen(self, happening: Happening) -> None:
        self.opened.clear()

    def tick(self, now_ns: int) -> None:
        for peer in self.peers:
            peer.outbox.append('{"op":"pong"}')


class ReadsTheClock(HarbourScript):
    """Frames bear the time of the machine."""

    rule = "simulator-waits-for-nothing"

    def tick(self, now_ns: int) -> None:
        time.time_ns()
        super().tick(now_ns)


class Sleeps(HarbourScript):
    """A tick waits."""

    rule = "simulator-waits-for-nothing"

    def tick(self, now_ns: int) -> None:
        time.sleep(0)
        super().tick(now_ns)


class _Mute(HarbourPeer):
    def ask(self, op: str, identity: str, names: object) -> None:
        before = len(self.outbox)
        super().ask(op, identity, names)
        del self.outbox[before:]


class _Peers(HarbourScript):
    """A script with clients of another kind."""

    peer: ClassVar[type[HarbourPeer]]

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        made = super().connect(path, query, now_ns)
        if isinstance(made, Reply):
            return made
        del self.peers[next(reversed(self.peers))]
        other = self.peer(self, now_ns)
        self.peers[other] = None
        return other


class NeverAnswers(_Peers):
    """Subscriptions are served and not acknowledged."""

    rule = "simulator-serves"
    peer = _Mute


class SilentChannel(HarbourScript):
    """A channel is acknowledged and never delivers."""

    rule = "simulator-serves"

    def quote(self, symbol: str, now_ns: int) -> None:
        return


class HangsUp(HarbourScript):
    """Connections are closed after three seconds."""

    rule = "simulator-serves"

    def tick(self, now_ns: int) -> None:
        super().tick(now_ns)
        for peer in self.peers:
            if now_ns - peer.heard_ns >= 3 * S:
                peer.outbox.append(Close(1001))


class SendsWhatNobodyReads(HarbourScript):
    """Once a second something is sent that the exchange does not send."""

    rule = "simulator-frames"

    def flush(self, now_ns: int) -> None:
        super().flush(now_ns)
        for peer in self.peers:
            peer.outbox.append('{"ch":"weather","sym":"BTC-USD"}')


class LosesTrades(HarbourScript):
    """A trade in ten is noted and not sent."""

    rule = "simulator-truth"

    def trade(self, happening: Happening) -> None:
        assert happening.trade is not None
        peers = self.peers
        if happening.trade.trade_id % 10 == 0:
            self.peers = {}
        super().trade(happening)
        self.peers = peers


class ForgetsTheTruth(HarbourScript):
    """Quotes are sent and not noted."""

    rule = "simulator-truth"

    def quote(self, symbol: str, now_ns: int) -> None:
        truth, self.truth = self.truth, type(self.truth)(False)
        super().quote(symbol, now_ns)
        self.truth = truth


class KeepsNoTruth(HarbourScript):
    """Nothing is noted at all."""

    rule = "simulator-truth"

    def publish(self, channel: str, symbol: str, now_ns: int, body: Mapping[str, object], event: Message) -> None:
        truth, self.truth = self.truth, type(self.truth)(False)
        super().publish(channel, symbol, now_ns, body, event)
        self.truth = truth


class WrongSide(HarbourScript):
    """The truth has the maker's side, the frame the taker's."""

    rule = "simulator-truth"

    def publish(self, channel: str, symbol: str, now_ns: int, body: Mapping[str, object], event: Message) -> None:
        if channel == "trade":
            event = attrs.evolve(event, side="buy")  # type: ignore[call-arg]  # a Trade
        super().publish(channel, symbol, now_ns, body, event)


class WrongTime(HarbourScript):
    """Candles open a second late."""

    rule = "simulator-truth"

    def publish(self, channel: str, symbol: str, now_ns: int, body: Mapping[str, object], event: Message) -> None:
        if channel == "candle_1s":
            body = {**body, "open": int(str(body["open"])) + 1000}
        super().publish(channel, symbol, now_ns, body, event)


class BreaksTheChain(HarbourScript):
    """Updates do not name the one before."""

    rule = "simulator-truth"

    def publish(self, channel: str, symbol: str, now_ns: int, body: Mapping[str, object], event: Message) -> None:
        if channel == "book":
            body = {**body, "prev": int(str(body["prev"])) + 1}
        super().publish(channel, symbol, now_ns, body, event)


class KeepsDeletes(HarbourScript):
    """Levels that are gone stay in the updates' book."""

    rule = "simulator-truth"

    def happen(self, happening: Happening) -> None:
        super().happen(happening)
        for side in self.changed[happening.symbol]:
            for price in [price for price, amount in side.items() if not amount]:
                del side[price]


class NoBookLog(HarbourScript):
    """The book's numbers are not logged."""

    rule = "simulator-truth"

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        for symbol in self.numbers if path == "/book" else ():
            self.numbers[symbol] += 1_000_000
        return super().get(path, query, now_ns)


class _AllOrNone(HarbourPeer):
    def ask(self, op: str, identity: str, names: object) -> None:
        if op == "sub" and isinstance(names, list) and not set(names) <= self.script.names:
            self.outbox.append(encode({"op": "refused", "id": identity, "stream": "", "why": "bad request"}))
        else:
            super().ask(op, identity, names)


class RefusesAll(_Peers):
    """One unknown stream brings all down, and none is named."""

    rule = "simulator-refuses"
    peer = _AllOrNone


class _Obliging(HarbourPeer):
    def ask(self, op: str, identity: str, names: object) -> None:
        super().ask(op, identity, names)
        self.outbox = [item for item in self.outbox if not (isinstance(item, str) and "refused" in item)]


class AcknowledgesAnything(_Peers):
    """A stream that does not exist is not refused."""

    rule = "simulator-refuses"
    peer = _Obliging


class _Deaf(HarbourPeer):
    def ask(self, op: str, identity: str, names: object) -> None:
        streams = set(self.streams)
        super().ask(op, identity, names)
        self.streams |= streams


class SendsOn(_Peers):
    """What was unsubscribed goes on."""

    rule = "simulator-unsubscribes"
    peer = _Deaf


class SendsToTheGone(HarbourScript):
    """A client that is gone still gets frames."""

    rule = "simulator-forgets"

    def disconnect(self, peer: Peer, now_ns: int) -> None:
        return


class KeepsClients(HarbourScript):
    """Clients are remembered for ever."""

    rule = "simulator-forgets"

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        made = super().connect(path, query, now_ns)
        self.known = [*getattr(self, "known", ()), made]
        return made


class ListsHalf(HarbourScript):
    """Not all that is traded is listed."""

    rule = "simulator-instruments"

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        reply = super().get(path, query, now_ns)
        return Reply(200, encode(decode(reply.body)[:1])) if path == "/instruments" else reply


class WrongSteps(HarbourScript):
    """The listed price steps are not those of the market."""

    rule = "simulator-instruments"

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        reply = super().get(path, query, now_ns)
        return Reply(200, reply.body.replace('"tick":"0', '"tick":"1')) if path == "/instruments" else reply


class ListsPages(HarbourScript):
    """The list of instruments is not of the form the connector reads."""

    rule = "simulator-instruments"

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        reply = super().get(path, query, now_ns)
        return Reply(200, f'{{"page":1,"rows":{reply.body}}}') if path == "/instruments" else reply


class ListsInSilence(HarbourScript):
    """What was listed is not in the truth."""

    rule = "simulator-instruments"

    def note(self, listing: Listing) -> None:
        return


class AnyPath(HarbourScript):
    """Clients are accepted on any path."""

    rule = "simulator-paths"

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        return super().connect("/v1", query, now_ns)


class EmptyAnswers(HarbourScript):
    """An unknown path is answered with nothing."""

    rule = "simulator-paths"

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        reply = super().get(path, query, now_ns)
        return reply if reply.status == 200 else Reply(200, "{}")


class _Trusting(HarbourPeer):
    def receive(self, text: str, now_ns: int) -> None:
        if decode(text)["op"]:
            super().receive(text, now_ns)


class TrustsRequests(_Peers):
    """A request that is not one raises."""

    rule = "simulator-requests"
    peer = _Trusting


class NeverRests(HarbourScript):
    """Periodic streams go on after the end of the market."""

    rule = "simulator-rests"

    def finish(self, now_ns: int) -> None:
        self.flush(now_ns)


class HangsUpAtTheEnd(HarbourScript):
    """With the market the connections end."""

    rule = "simulator-rests"

    def tick(self, now_ns: int) -> None:
        super().tick(now_ns)
        for peer in self.peers if self.resting else ():
            peer.outbox.append(Close(1001, "the market has closed"))


class _Unmoved(HarbourPeer):
    def receive(self, text: str, now_ns: int) -> None:
        heard = self.heard_ns
        super().receive(text, now_ns)
        self.heard_ns = heard


class PingsDoNotCount(_Peers):
    """A client that says `ping` is closed as silent all the same."""

    rule = "simulator-rests"
    peer = _Unmoved


class LateCandles(HarbourScript):
    """The last candle is never told closed."""

    rule = "simulator-truth"

    def candle(self, channel: str, symbol: str, candle: Any, done: bool, now_ns: int) -> None:
        if done and candle.open_time // S % 3 == 0:
            peers, self.peers = self.peers, {}
            super().candle(channel, symbol, candle, done, now_ns)
            self.peers = peers
        else:
            super().candle(channel, symbol, candle, done, now_ns)


class CrossedBook(HarbourScript):
    """Answers with the book have a price nobody offered."""

    rule = "simulator-truth"

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        reply = super().get(path, query, now_ns)
        if path != "/book":
            return reply
        book = decode(reply.body)
        extra = [[str(Decimal(book["asks"][0][0]) * 2), "1"]]
        return Reply(200, encode(book | {"asks": [*book["asks"], *extra]}))
