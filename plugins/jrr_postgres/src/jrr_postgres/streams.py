"""The small numbers rows carry in the place of exchange, symbol and part."""

from typing import Any

Key = tuple[str, str, str | None]


class StreamIds(dict[Key, int]):
    """The streams of the database by (exchange, symbol, part).

    Asking for an unknown one gives 0 and notes it: `register` then stores
    what was noted, and the caller asks again.
    """

    def __init__(self, schema: str) -> None:
        """Know none yet."""
        super().__init__()
        self._schema = schema
        self._unknown: dict[Key, None] = {}

    def __missing__(self, key: Key) -> int:
        self._unknown[key] = None
        return 0

    @property
    def unknown(self) -> bool:
        """Whether a stream was asked for that has no number here."""
        return bool(self._unknown)

    def forget_unknown(self) -> None:
        """Drop what was noted: the rows that asked for it are not stored."""
        self._unknown.clear()

    async def register(self, connection: Any) -> None:
        """Number what is unknown; the numbers stay, whatever becomes of the rows."""
        keys, self._unknown = [*self._unknown], {}
        columns = [*zip(*keys, strict=True)]
        given = "unnest($1::text[], $2::text[], $3::text[]) AS g (exchange, symbol, part)"
        same = "s.exchange = g.exchange AND s.symbol = g.symbol AND s.part IS NOT DISTINCT FROM g.part"
        await connection.execute(
            f"INSERT INTO {self._schema}.streams (exchange, symbol, part) SELECT * FROM {given} "
            f"WHERE NOT EXISTS (SELECT FROM {self._schema}.streams s WHERE {same}) ON CONFLICT DO NOTHING",
            *columns,
        )
        found = await connection.fetch(
            f"SELECT s.exchange, s.symbol, s.part, s.id FROM {self._schema}.streams s JOIN {given} ON {same}", *columns
        )
        self.update({(exchange, symbol, part): number for exchange, symbol, part, number in found})
