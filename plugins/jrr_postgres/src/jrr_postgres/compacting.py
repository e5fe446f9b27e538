"""Compaction in a process of its own, so that computing it takes nothing from collecting.

The settings, secrets among them, come by standard input as JSON; what was
compacted goes to standard output, a line each. It ends with its parent.
"""

import asyncio
import contextlib
import json
import os
import sys
from datetime import date
from typing import Any

from attrs import asdict

from jrr_core.errors import JrrError, SinkUnavailable

from .failures import ERRORS, on_open
from .settings import StorageConfig, target_of

_NICE = 19
_STOP_S = 5.0


async def in_child(settings: StorageConfig, before: date) -> tuple[list[str], list[str]]:
    """Compact every day before `before` in a child process; return what was done and what was left, in words.

    Raises SinkUnavailable with the child's own words where it fails. A
    cancelled call stops the child, which leaves every day as it was or done.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"from {__name__} import main; main()",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    given = json.dumps({"settings": asdict(settings), "before": before.isoformat()}).encode() + b"\n"
    try:
        assert process.stdin is not None
        process.stdin.write(given)
        # Standard input stays open: its end is how the child learns that nobody waits for it any more.
        assert process.stdout is not None
        assert process.stderr is not None
        out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
        process.stdin.close()
        if await process.wait():
            words = err.decode("utf-8", "replace").strip().splitlines()
            raise SinkUnavailable(f"the compacting process ended: {words[-1] if words else 'without a word'}")
        return out.decode().splitlines(), err.decode().splitlines()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            async with asyncio.timeout(_STOP_S):
                await process.wait()


async def _work(given: dict[str, Any]) -> None:
    import asyncpg

    from .compact import compact

    settings = StorageConfig(**given["settings"])
    target = target_of(settings)
    try:
        connection = await asyncpg.connect(**target.arguments(), timeout=settings.connect_timeout_s)
    except ERRORS as error:
        raise on_open(error, target, settings) from error
    try:

        def log(text: str) -> None:
            print(text, file=sys.stderr)

        for packed in await compact(connection, settings.schema, date.fromisoformat(given["before"]), log):
            print(packed)
    finally:
        await connection.close()


async def _until_orphaned() -> None:
    """Return when standard input ends."""
    await asyncio.to_thread(sys.stdin.read)


async def _main() -> None:
    given = json.loads(await asyncio.to_thread(sys.stdin.readline))
    work, orphaned = asyncio.ensure_future(_work(given)), asyncio.ensure_future(_until_orphaned())
    await asyncio.wait((work, orphaned), return_when=asyncio.FIRST_COMPLETED)
    if not work.done():
        os._exit(1)
    error = work.exception()
    if error is not None:
        print(error if isinstance(error, JrrError) else f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not by returning: the thread that reads standard input waits for as long as the parent does.
    os._exit(0 if error is None else 1)


def main() -> None:
    """Be the child."""
    os.nice(_NICE)
    asyncio.run(_main())
