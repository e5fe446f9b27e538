"""`jrr digest`: a fingerprint of what a store holds."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import click

from ..digest import Digest, Part, digests, total
from ..store import QueryStore, Selection
from ..wire import encode
from .moment import moments
from .options import config_options, json_option, scope_options, settings
from .stored import among, query_store_of, streams
from .tell import tell


@click.command()
@json_option
@scope_options
@config_options
def digest(
    as_json: bool,
    exchange: str | None,
    symbol: str | None,
    since: str | None,
    until: str | None,
    config_file: Path | None,
    plugins: str | None,
    overrides: tuple[str, ...],
) -> None:
    """Print a fingerprint of the stored rows, by exchange and channel.

    Equal rows give equal digests, in any store: compare a store with its
    backup, with another kind of store, or with the replay of a capture. With
    --from or --to market events alone count.
    """
    store = query_store_of(settings(config_file, plugins, overrides))
    found = asyncio.run(_digests(store, exchange, symbol, *moments(since, until, time.time_ns())))
    whole = total(found.values())
    if as_json:
        parts = [
            {"exchange": part[0], "channel": part[1], "rows": each.rows, "digest": each.text}
            for part, each in found.items()
        ]
        tell(encode({"parts": parts, "rows": whole.rows, "digest": whole.text}))
        return
    width = max((len(":".join(part)) for part in found), default=0)
    for part, each in found.items():
        tell(f"{':'.join(part):<{width}}  {each.rows:>12,}  {each.text[:32]}")
    tell(f"{'everything':<{width}}  {whole.rows:>12,}  {whole.text[:32]}")


async def _digests(
    store: QueryStore, exchange: str | None, symbol: str | None, since: int | None, until: int | None
) -> Mapping[Part, Digest]:
    chosen = {(where, name) for where, _, name in await among(store, await streams(store), exchange, symbol)}
    selection = Selection(exchange=exchange, ts_from=since, ts_to=until)
    if symbol is None:
        return await digests(store, selection)
    return await digests(store, selection, lambda where, name: (where, name) in chosen)
