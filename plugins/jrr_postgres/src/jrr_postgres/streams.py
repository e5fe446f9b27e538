"""The small numbers rows carry in the place of exchange, symbol and part."""

from collections.abc import Iterable
from typing import Any

Key = tuple[str, str, str | None]


class StreamIds(dict[Key, int]):
    """The streams of the database by (exchange, symbol, part), as far as they were asked for."""

    def __init__(self, schema: str) -> None:
        """Know none yet."""
        super().__init__()
        self._schema = schema

    async def register(self, connection: Any, wanted: Iterable[Key]) -> None:
        """Number those of the streams that have no number here; the numbers stay, whatever becomes of the rows."""
        keys = [key for key in wanted if key not in self]
        if not keys:
            return
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
