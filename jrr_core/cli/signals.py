"""Work that SIGINT and SIGTERM end in order."""

import asyncio
import signal
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any


async def until_signalled(work: Coroutine[Any, Any, None]) -> None:
    """Work until done; SIGINT and SIGTERM cancel it, so that it closes what it holds.

    SIGINT is ignored by what a script starts in the background, unless it is handled here.
    """
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError, RuntimeError):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await work
