"""A simulated exchange and a connector's clients on one thread, without sockets and with a clock of their own.

What the server and the sessions do in a live run is done here by hand, so that
a minute of an exchange takes a second and is the same each time. Faults of the
line do not exist here; a script's own do.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from urllib.parse import parse_qsl, urlsplit

from attrs import Factory, define

from ..connector import Connector, ListsInPages, SessionPlan
from ..errors import ParseError
from ..events import BookSnapshot, Candle, Message
from ..exact import plain
from ..frame import Acked, Frame, HttpGet, Refused, Request, Send, dated
from ..levels import Levels
from ..parser import Parser
from .comparison import identity
from .market import Market
from .script import Close, HearsPings, Peer, Ping, Reply, Script
from .truth import Truth

WS_URL, REST_URL = "ws://127.0.0.1:41", "http://127.0.0.1:42"
# A second in the middle of an hour, so that no candle but those of a second closes unasked.
START_NS = 1_795_001_400_000_000_000
TICK_NS = 5_000_000
S = 1_000_000_000
# What core tries again; a second later is what exchanges ask for.
_RETRIED = frozenset({418, 429, *range(500, 600)})


@define(eq=False)
class Client:
    """One connection of a plan and the parser that reads it; `pushed` are the market events that no reply brought."""

    plan: SessionPlan
    peer: Peer
    parser: Parser
    heard_ns: int
    asked: set[str] = Factory(set)
    frames: list[str | bytes] = Factory(list)
    events: list[Message] = Factory(list)
    pushed: list[Message] = Factory(list)
    requests: list[Request] = Factory(list)
    refused: list[str] = Factory(list)
    due: list[tuple[int, HttpGet]] = Factory(list)
    closed: Close | None = None
    pinged_ns: int = 0
    kept_ns: int = START_NS

    @property
    def unanswered(self) -> set[str]:
        """The ack keys of sent messages that nothing answered yet."""
        done = {request.key for request in self.requests if isinstance(request, (Acked, Refused))}
        return self.asked - done


class Stage:
    """The script over a market of seed `seed`, started at START_NS; `now_ns` is its clock."""

    def __init__(
        self,
        script: type[Script],
        connector: type[Connector],
        faults: Mapping[str, str] | None = None,
        seed: int = 3,
        depth: int = 40,
    ) -> None:
        """Raise ConfigError for a fault's bad value."""
        self.now_ns = START_NS
        self.market, self.truth = Market(script.listings, seed, depth), Truth()
        self.script = script(self.market, self.truth, faults or {}, self.now_ns)
        self.connector = connector(connector.Settings(ws_url=WS_URL, rest_url=REST_URL))
        self.clients: list[Client] = []
        self._resting = False

    def open(self, plan: SessionPlan) -> Client:
        """Connect as the plan says and subscribe at the pace of the connector's limits; AssertionError if refused."""
        self.run(self.connector.limits.connects.per_s / self.connector.limits.connects.count)
        url = urlsplit(plan.url)
        outcome = self.script.connect(url.path, url.query, self.now_ns)
        assert not isinstance(outcome, Reply), f"{plan.url} is answered {outcome}"
        client = Client(plan, outcome, self.connector.parser(plan.subscriptions), self.now_ns)
        self.clients.append(client)
        self._carry_out(client)
        self.say(client, plan.subscribe(plan.subscriptions))
        return client

    def say(self, client: Client, messages: Sequence[Send]) -> None:
        """Send messages at the pace of the connector's limits."""
        rate = self.connector.limits.messages
        for message in messages:
            self.run(rate.per_s / rate.count)
            client.asked.update(message.acks)
            client.peer.receive(dated(message.text, self.now_ns), self.now_ns)
            self._read(client)

    def leave(self, client: Client) -> None:
        """Let a client go."""
        self.clients.remove(client)
        self.script.disconnect(client.peer, self.now_ns)

    def run(self, seconds: float, steps: int = 4) -> None:
        """Let time pass, with so many steps of the market in each tick of 5 ms; none once it rests."""
        for _ in range(max(1, round(seconds * S / TICK_NS))):
            self.now_ns += TICK_NS
            for _ in range(0 if self._resting else steps):
                self.script.happen(self.market.step(self.now_ns))
            self.script.tick(self.now_ns)
            for client in list(self.clients):
                self._attend(client)

    def finish(self) -> None:
        """Let the market rest, as the server does: the second runs out, everything is flushed, the books are noted."""
        self._resting = True
        self.run((S + S // 4 - self.now_ns % S) / S)
        self.script.finish(self.now_ns)
        for listing in self.market.listings:
            bids, asks = (Levels([(plain(p), plain(a)) for p, a in side]) for side in self.market.book(listing.symbol))
            self.truth.close_book(
                BookSnapshot(self.script.exchange, listing.symbol, self.now_ns, self.now_ns, bids, asks, None, None)
            )
        for client in self.clients:
            self._read(client)

    def get(self, request: HttpGet) -> Frame:
        """Return the script's answer to a request."""
        url = urlsplit(request.url)
        reply = self.script.get(url.path, dict(parse_qsl(url.query, True)), self.now_ns)
        return Frame(self.script.exchange, reply.body, self.now_ns, request.tag, reply.status)

    def instrument_frames(self) -> Iterator[Frame]:
        """Yield the script's answers to `instrument_requests`, and the pages behind them; AssertionError if endless."""
        waiting, seen = list(self.connector.instrument_requests()), set[str]()
        while waiting:
            request = waiting.pop(0)
            assert request.url not in seen, f"{request.url} leads back to itself"
            seen.add(request.url)
            frame = self.get(request)
            yield frame
            more = self.connector.next_instruments(frame) if isinstance(self.connector, ListsInPages) else None
            if more is not None:
                waiting.append(more)

    def stored(self) -> Iterator[Message]:
        """Return what a store keeps of what all clients read: the first of each event, closed candles only."""
        seen: set[object] = set()
        for client in self.clients:
            for event in client.events:
                if isinstance(event, Candle) and not event.closed:
                    continue
                same = identity(event)
                if same not in seen:
                    seen.add(same)
                    yield event

    def unheard(self, wanted: Collection[str]) -> list[str]:
        """Return those of the streams ("channel:symbol") of which no event came."""
        heard = {f"{event.channel}:{event.symbol}" for client in self.clients for event in client.events}
        return sorted(set(wanted) - heard)

    def _attend(self, client: Client) -> None:
        """Keep a connection open, fetch what is due, read what came."""
        keepalive, every_s = client.plan.keepalive, client.plan.ping_interval_s
        if keepalive is not None:
            since = client.kept_ns if keepalive.always else max(client.heard_ns, client.kept_ns)
            if self.now_ns - since >= keepalive.idle_s * S:
                client.kept_ns = self.now_ns
                client.peer.receive(dated(keepalive.text, self.now_ns), self.now_ns)
        if every_s is not None and self.now_ns - client.pinged_ns >= every_s * S:
            client.pinged_ns = self.now_ns
            if isinstance(client.peer, HearsPings):
                client.peer.ping(b"", self.now_ns)
        for moment, request in list(client.due):
            if moment <= self.now_ns:
                client.due.remove((moment, request))
                frame = self.get(request)
                if frame.status in _RETRIED:
                    client.due.append((self.now_ns + S, request))
                else:
                    self._take(client, frame)
        self._read(client)

    def _read(self, client: Client) -> None:
        while client.peer.outbox and client.closed is None:
            item = client.peer.outbox.pop(0)
            if isinstance(item, Close):
                client.closed = item
                self.script.disconnect(client.peer, self.now_ns)
            elif isinstance(item, Ping):
                client.peer.pong(item.payload, self.now_ns)
            else:
                client.heard_ns = self.now_ns
                client.frames.append(item)
                self._take(client, Frame(self.script.exchange, item, self.now_ns))

    def _take(self, client: Client, frame: Frame) -> None:
        try:
            events = client.parser.receive(frame)
        except ParseError as error:
            client.refused.append(f"{error} for {frame.payload[:200]!r}")
            return
        client.events += events
        if frame.tag is None:
            client.pushed += events
        self._carry_out(client)

    def _carry_out(self, client: Client) -> None:
        asked, client.parser.requests = client.parser.requests, []
        client.requests += asked
        for request in asked:
            if isinstance(request, Send):
                client.asked.update(request.acks)
                client.peer.receive(request.text, self.now_ns)
            elif isinstance(request, HttpGet):
                client.due.append((self.now_ns + int(request.after_s * S), request))
