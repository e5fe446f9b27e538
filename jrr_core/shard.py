"""Which of several collectors carries a stream: by a hash of its symbol alone, so that no other symbol moves it."""

from hashlib import blake2s

from attrs import define

from .errors import ConfigError
from .subscription import Subscription


@define(frozen=True)
class Shard:
    """The part `index` of `count`, counted from 1.

    All streams of one symbol are in the same part: several channels may share
    a topic of the exchange, and who reads a symbol wants it whole.
    """

    index: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read "2/3"; empty is the whole. Raises ConfigError."""
        index, slash, count = text.partition("/")
        if not text:
            return cls()
        if not (slash and index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count)):
            raise ConfigError(f"run.shard = {text!r} is not a part of a whole; write for example 1/3, 2/3 or 3/3")
        return cls(int(index), int(count))

    def has(self, subscription: Subscription) -> bool:
        """Whether a stream, its symbol as the exchange writes it, belongs to this part."""
        if self.count == 1:
            return True
        name = f"{subscription.exchange}:{subscription.symbol}".encode()
        return int.from_bytes(blake2s(name, digest_size=8).digest()) % self.count == self.index - 1
