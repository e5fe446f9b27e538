"""Binance as `jrr simulate` and the tests meet it: spot, USD-M and COIN-M, after the exchange's own rules.

Sans-IO: the server of `jrr_core.testing.simulator` calls in, clients read what
stands in their outboxes. What is queued is noted in the ground truth; trades
and closed candles of a stream are noted from its first subscription on, whether
or not anybody is connected. It does not import the parser, so that neither
repeats the other's mistakes.
"""

from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import ClassVar
from urllib.parse import unquote

from jrr_core.errors import ConfigError
from jrr_core.testing.market import Happening
from jrr_core.testing.script import Bounds
from jrr_core.testing.simulator import Listing, Market, Peer, Reply, Truth, fault_number

from .simulator_funding import Funding
from .simulator_payloads import MS, Contract, Family, Payloads
from .simulator_peer import FUTURES_RULES, SPOT_RULES, BinancePeer, Rules
from .simulator_rest import Rest
from .simulator_streams import GRIDS_MS, LASTING, Stream, make_stream
from .simulator_symbol import SymbolState

SECOND_NS = 1_000_000_000
_GROUPS = ("public", "market", "private")

_FAULTS: dict[str, str] = {
    "silent_stream": "Stream name (or several, with commas) that is acknowledged and never delivers.",
    "close_after": "Seconds after which each connection is closed, as after its 24 hours.",
    "stale_snapshot": "How many depth answers show the book as it was at the start; again after each connection's end.",
    "rest_429": "How many REST requests are answered 429 with Retry-After; again after each connection's end.",
    "rest_418": "How many REST requests are answered 418, an IP ban; again after each connection's end.",
    "drop_trades": "Chance that a trade never comes on its stream; REST still has it.",
    "break_chain": "A book update is lost: below 1 the chance per update, from 1 on the seconds after which one is.",
}
_SPOT_FAULTS = {**_FAULTS, "shutdown_notice": "Seconds after which each connection is sent serverShutdown."}
_FUTURES_FAULTS = {
    **_FAULTS,
    "na_trades": "Chance that a trade is preceded by a used-up id (X=NA, price 0).",
    "funding_every": "Seconds between two settlements of funding, instead of 8 hours.",
}

_PLAUSIBLE: dict[str, Bounds] = {
    "close_after": (2.0, 8.0),
    "stale_snapshot": (1, 3),
    "rest_429": (1, 3),
    "rest_418": (1, 1),
    "drop_trades": (0.001, 0.02),
    "break_chain": (0.005, 0.05),
}


def _listing(symbol: str, price: str, tick: str, lot: str, derivative: bool = False) -> Listing:
    return Listing(symbol, Decimal(price), Decimal(tick), Decimal(lot), derivative)


class BinanceScript:
    """What the three products share; a product is a table of class attributes."""

    exchange: ClassVar[str]
    family: ClassVar[Family]
    faults: ClassVar[Mapping[str, str]]
    listings: ClassVar[tuple[Listing, ...]]
    contracts: ClassVar[Mapping[str, Contract]]
    demo: ClassVar[tuple[str, ...]] = ()
    plausible: ClassVar[Mapping[str, Bounds]] = _PLAUSIBLE
    rules: ClassVar[Rules] = FUTURES_RULES

    def __init__(self, market: Market, truth: Truth, faults: Mapping[str, str], now_ns: int) -> None:
        """Start with the market's books; raises ConfigError for a fault's value that is no number."""
        self.market, self.truth = market, truth
        self.random = Random(self.exchange)
        self.peers: dict[BinancePeer, None] = {}
        self.streams: dict[str, Stream] = {}
        # Futures number book updates for all symbols together.
        self.update = 11_757_092_000_000
        self.symbols: dict[str, SymbolState] = {}
        for listing in market.listings:
            payloads = Payloads(self.exchange, self.family, listing, self.contracts[listing.symbol])
            self.symbols[listing.symbol] = SymbolState(payloads, market, truth, self.next_update(None), now_ns)
        self._spelled = {symbol.lower(): symbol for symbol in self.symbols}
        self._by_rhythm: dict[int, dict[str, Stream]] = {every: {} for every in (0, *GRIDS_MS)}
        self._grids = {every: now_ns // (every * MS) for every in GRIDS_MS}
        self._finished = False
        self._now_ns = now_ns
        self._read_faults(faults, now_ns)
        self.funding = Funding(fault_number(faults, "funding_every"))
        self.rest = Rest(self.exchange, self.family, self.symbols, market, truth, self.funding, faults)

    def _read_faults(self, faults: Mapping[str, str], now_ns: int) -> None:
        self._silent = set(faults["silent_stream"].split(",")) if "silent_stream" in faults else set()
        self._close_after_s = fault_number(faults, "close_after")
        self._notice_s = fault_number(faults, "shutdown_notice")
        self._na_trades = fault_number(faults, "na_trades") or 0.0
        self._drop_trades = fault_number(faults, "drop_trades") or 0.0
        chain = fault_number(faults, "break_chain") or 0.0
        self._break_chance = chain if chain < 1 else 0.0
        self._break_at_ns = now_ns + int(chain * SECOND_NS) if chain >= 1 else None
        if self._na_trades > 1 or self._drop_trades > 1:
            raise ConfigError("faults na_trades and drop_trades need a chance between 0 and 1")

    def heal(self, now_ns: int) -> None:
        """End the faults; a silent stream speaks to those that subscribe to it anew."""
        self._read_faults({}, now_ns)
        self.rest.heal()

    def connect(self, path: str, query: str, now_ns: int) -> Peer | Reply:
        """Accept /ws, /ws/<stream>..., /stream and /stream?streams=...; USD-M below /public, /market or bare."""
        group, rest = self._split_path(path)
        names = [unquote(part) for part in rest.split("/")[1:]]
        if path.endswith("/") or not names or names[0] not in ("ws", "stream"):
            return Reply(404, "")
        combined = names[0] == "stream"
        if combined:
            if len(names) > 1:
                return Reply(404, "")
            asked = [part[len("streams=") :] for part in query.split("&") if part.startswith("streams=")]
            wanted = [name for name in unquote(asked[0]).split("/") if name] if asked else []
        else:
            wanted = names[1:]
        peer = BinancePeer(self.rules, group, combined, now_ns, self._attach, self._detach)
        self.peers[peer] = None
        if not peer.subscribe(wanted):
            peer.outbox.append('{"error":{"code":4,"msg":"Too many subscriptions"}}')
            peer.close(1008, "Invalid request")
        return peer

    def _split_path(self, path: str) -> tuple[str, str]:
        """Return the path group and the rest; the bare root of USD-M behaves as /public."""
        if self.family == "usdm":
            head, _, rest = path.removeprefix("/").partition("/")
            return (head, f"/{rest}") if head in _GROUPS else ("public", path)
        return "", path

    def disconnect(self, peer: Peer, now_ns: int) -> None:
        """Take the connection off every stream."""
        if isinstance(peer, BinancePeer):
            self.peers.pop(peer, None)
            for name in peer.names:
                self._detach(peer, name)
            self.rest.strike_again()

    def _attach(self, peer: BinancePeer, name: str) -> None:
        """Deliver a stream to the peer, if it exists and belongs on the peer's path."""
        stream = self.streams.get(name)
        if stream is None:
            stream = make_stream(name, self.family, self._spelled)
            if stream is None:
                return
        if self.family == "usdm" and stream.group != peer.group:
            return
        if name not in self.streams:
            self.streams[name] = self._by_rhythm[stream.every_ms][name] = stream
            for state in self._states(stream):
                state.open(stream, self._now_ns)
        if name not in self._silent:
            stream.peers[peer] = None

    def _detach(self, peer: BinancePeer, name: str) -> None:
        stream = self.streams.get(name)
        if stream is None:
            return
        stream.peers.pop(peer, None)
        if not stream.peers and stream.kind not in LASTING:
            del self.streams[name], self._by_rhythm[stream.every_ms][name]
            for state in self._states(stream):
                state.close(stream)

    def _states(self, stream: Stream) -> list[SymbolState]:
        return [self.symbols[stream.symbol]] if stream.symbol else list(self.symbols.values())

    def get(self, path: str, query: Mapping[str, str], now_ns: int) -> Reply:
        """Answer REST."""
        return self.rest.get(path, query, now_ns)

    def next_update(self, previous: int | None) -> int:
        """Return a symbol's next book update id: spot counts by one, futures jump and share one count."""
        if self.family == "spot":
            return 99_588_317_000 + self.random.randrange(1_000_000) if previous is None else previous + 1
        self.update += 1 + int(self.random.random() * 400)
        return self.update

    def happen(self, happening: Happening) -> None:
        """Queue the real-time streams of a market step and gather the batched ones."""
        state = self.symbols[happening.symbol]
        first = state.update + 1 if self.family == "spot" else self.update + 1
        state.take_change(happening, first, self.next_update(state.update))
        trade = happening.trade
        if trade is None:
            return
        chance = self.random.random
        mark = "MARKET"
        if self.family != "spot":
            if self._na_trades and chance() < self._na_trades:
                state.skip_trade_id(trade)
            if chance() < 0.002:
                mark = "INSURANCE_FUND" if chance() < 0.5 else "ADL"
            elif chance() < 0.01:
                state.liquidate(trade)
        state.take_trade(trade, mark, bool(self._drop_trades) and chance() < self._drop_trades)

    def tick(self, now_ns: int) -> None:
        """Send the batches and periodic streams whose moment has come; once a tenth of a second look after peers."""
        self._now_ns = now_ns
        if not self._finished:
            if self.family == "spot":
                for state in self.symbols.values():
                    state.flush_aggregate(now_ns)
            for every in GRIDS_MS:
                index = now_ns // (every * MS)
                if index != self._grids[every]:
                    if every == 100:
                        self._care(now_ns)
                    self._grids[every] = index
                    self._periodic(every, now_ns)
        elif now_ns // (100 * MS) != self._grids[100]:
            self._grids[100] = now_ns // (100 * MS)
            self._care(now_ns)

    def _periodic(self, every: int, now_ns: int) -> None:
        """Send every stream of one rhythm."""
        if every == 1000:
            self._close_candles(now_ns)
        if every == 100 and self.family != "spot":
            for state in self.symbols.values():
                state.flush_aggregate(now_ns)
        for stream in list(self._by_rhythm[every].values()):
            for state in self._states(stream):
                if not self.market.listed(state.symbol):
                    continue
                if stream.kind == "diff":
                    state.send_diff(stream, now_ns, self._loses_update(state, now_ns))
                elif stream.kind == "partial":
                    state.send_partial(stream, now_ns)
                elif stream.kind == "candle" and stream.interval != "1s" and stream.peers:
                    state.send_open_candle(stream, now_ns)
                elif stream.kind == "mark":
                    state.send_mark(stream, now_ns, self.funding.next(now_ns))
                elif stream.kind == "quotes":
                    state.send_quote(stream, now_ns)
            if stream.kind == "marks":
                self._send_marks(stream, now_ns)

    def _close_candles(self, now_ns: int) -> None:
        for stream in self.streams.values():
            if stream.kind == "candle":
                self.symbols[stream.symbol].send_closed_candles(stream, now_ns)

    def _send_marks(self, stream: Stream, now_ns: int) -> None:
        """All marks in one array, on the full second."""
        now_ns = now_ns // SECOND_NS * SECOND_NS
        texts = [state.mark(now_ns, self.funding.next(now_ns)) for state in self.symbols.values()]
        stream.send(f"[{','.join(texts)}]")

    def _loses_update(self, state: SymbolState, now_ns: int) -> bool:
        """Whether the fault break_chain strikes now."""
        if self._break_at_ns is not None and now_ns >= self._break_at_ns and not state.broken:
            state.broken = True
            return True
        return bool(self._break_chance) and self.random.random() < self._break_chance

    def _care(self, now_ns: int) -> None:
        """Pings, pong deadlines, and the faults that end connections."""
        for peer in list(self.peers):
            age_s = (now_ns - peer.opened_ns) / SECOND_NS
            if self._close_after_s is not None and age_s >= self._close_after_s:
                peer.close(1001, "")
                continue
            if self._notice_s is not None and age_s >= self._notice_s and not peer.noticed:
                peer.noticed = True
                notice = f'{{"e":"serverShutdown","E":{now_ns // MS}}}'
                peer.outbox.append(f'{{"stream":"!serverShutdown","data":{notice}}}' if peer.combined else notice)
            peer.keep(now_ns)

    def finish(self, now_ns: int) -> None:
        """Send what is gathered and end the periodic streams."""
        for state in self.symbols.values():
            state.flush_aggregate(now_ns)
        for stream in list(self.streams.values()):
            if stream.kind in ("diff", "partial"):
                for state in self._states(stream):
                    (state.send_diff if stream.kind == "diff" else state.send_partial)(stream, now_ns)
        self._finished = True


class SpotScript(BinanceScript):
    """Binance spot."""

    exchange = "binance"
    family = "spot"
    faults: ClassVar[Mapping[str, str]] = _SPOT_FAULTS
    plausible: ClassVar[Mapping[str, Bounds]] = {**_PLAUSIBLE, "shutdown_notice": (1.0, 5.0)}
    rules = SPOT_RULES
    listings: ClassVar[tuple[Listing, ...]] = (
        _listing("BTCUSDT", "83091.70", "0.01", "0.00001"),
        _listing("ETHUSDT", "3012.40", "0.01", "0.0001"),
        _listing("BNBUSDT", "912.30", "0.01", "0.001"),
    )
    contracts: ClassVar[Mapping[str, Contract]] = {
        "BTCUSDT": Contract("BTC", "USDT"), "ETHUSDT": Contract("ETH", "USDT"), "BNBUSDT": Contract("BNB", "USDT"),
    }  # fmt: skip
    demo = tuple(
        f"binance:{channel}:{symbol}"
        for symbol in ("BTCUSDT", "ETHUSDT")
        for channel in ("trade", "quote", "book", "book_snapshot_5", "candle_1s", "candle_1m")
    )


class UsdmScript(BinanceScript):
    """Binance USD-M futures, with the split into /public and /market."""

    exchange = "binance-usdm"
    family = "usdm"
    faults: ClassVar[Mapping[str, str]] = _FUTURES_FAULTS
    listings: ClassVar[tuple[Listing, ...]] = (
        _listing("BTCUSDT", "83091.7", "0.1", "0.001", True),
        _listing("ETHUSDT", "3012.40", "0.01", "0.001", True),
        _listing("BNBUSDT", "912.30", "0.01", "0.01", True),
        _listing("BTCUSDT_261225", "83540.1", "0.1", "0.001", True),
    )
    contracts: ClassVar[Mapping[str, Contract]] = {
        "BTCUSDT": Contract("BTC", "USDT"), "ETHUSDT": Contract("ETH", "USDT"), "BNBUSDT": Contract("BNB", "USDT"),
        "BTCUSDT_261225": Contract("BTC", "USDT", 1798185600000),
    }  # fmt: skip
    demo = tuple(
        f"binance-usdm:{channel}:{symbol}"
        for symbol in ("BTCUSDT", "ETHUSDT")
        for channel in ("trade", "quote", "book", "book_snapshot_5", "candle_1m", "funding", "mark_price")
    )


class CoinmScript(BinanceScript):
    """Binance COIN-M futures: amounts are contracts of 100 USD (BTC) or 10 USD."""

    exchange = "binance-coinm"
    family = "coinm"
    faults: ClassVar[Mapping[str, str]] = _FUTURES_FAULTS
    listings: ClassVar[tuple[Listing, ...]] = (
        _listing("BTCUSD_PERP", "83732.4", "0.1", "1", True),
        _listing("ETHUSD_PERP", "3010.25", "0.01", "1", True),
        _listing("BTCUSD_261225", "84110.3", "0.1", "1", True),
    )
    contracts: ClassVar[Mapping[str, Contract]] = {
        "BTCUSD_PERP": Contract("BTC", "USD", None, 100), "ETHUSD_PERP": Contract("ETH", "USD", None, 10),
        "BTCUSD_261225": Contract("BTC", "USD", 1798185600000, 100),
    }  # fmt: skip
