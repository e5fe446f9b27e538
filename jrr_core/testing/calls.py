"""Which calls of a function reach the world outside: clocks, random numbers, sockets, files, processes.

Used by the suites to hold code that must be pure to its word. The interpreter
reports every call of a built-in function, so it does not matter by which name
the code knows it.
"""

import datetime
import gc
import random
import socket
import sys
from collections.abc import Callable
from typing import Any

# Built-in functions by module, as `__module__` names it.
_CLOCKS = {
    "time": {"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"},
}
_CHANCES = {"posix": {"urandom", "getrandom"}}
_WAITS = {
    "time": {"sleep"},
    "io": {"open", "open_code"},
    "_io": {"open", "open_code"},
    "posix": {"open", "system", "fork", "posix_spawn", "stat", "listdir", "scandir"},
    "_posixsubprocess": {"fork_exec"},
    "_socket": {"getaddrinfo", "gethostbyname", "socket"},
    "select": {"select", "poll", "epoll"},
}
# What may be asked of the event loop's thread by code that hands its files to another.
_SLEEPS = {"time": {"sleep"}, "posix": {"fsync", "fdatasync", "system"}, "_posixsubprocess": {"fork_exec"}}
_NOW = {"now", "utcnow", "today"}


def clocks(run: Callable[[], object]) -> list[str]:
    """Return the calls by which `run` read a clock, each once."""
    return _calls(run, lambda function: _listed(function, _CLOCKS) or _is_now(function))


def chances(run: Callable[[], object]) -> list[str]:
    """Return the calls by which `run` drew a random number, each once."""
    return _calls(run, lambda function: _listed(function, _CHANCES) or _is_random(function))


def waiting(run: Callable[[], object]) -> list[str]:
    """Return the calls by which `run` slept or touched a file, a socket or a process, each once."""
    return _calls(run, lambda function: _listed(function, _WAITS) or _is_socket(function))


def sleeping(run: Callable[[], object]) -> list[str]:
    """Return the calls by which `run`, in this thread, slept or waited for a disk or a process, each once."""
    return _calls(run, lambda function: _listed(function, _SLEEPS))


def _calls(run: Callable[[], object], matters: Callable[[Any], bool]) -> list[str]:
    found: dict[str, None] = {}

    def note(frame: object, event: str, function: Any) -> None:
        if event == "c_call" and matters(function):
            found[f"{function.__module__ or type(function.__self__).__name__}.{function.__name__}"] = None

    before, collecting = sys.getprofile(), gc.isenabled()
    # A collection would run what others have to say about garbage of theirs.
    gc.disable()
    sys.setprofile(note)
    try:
        run()
    finally:
        sys.setprofile(before)
        if collecting:
            gc.enable()
    return list(found)


def _listed(function: Any, names: dict[str, set[str]]) -> bool:
    return function.__name__ in names.get(function.__module__ or "", ())


def _is_now(function: Any) -> bool:
    owner = getattr(function, "__self__", None)
    return function.__name__ in _NOW and isinstance(owner, type) and issubclass(owner, datetime.date)


def _is_random(function: Any) -> bool:
    return isinstance(getattr(function, "__self__", None), random.Random)


def _is_socket(function: Any) -> bool:
    return isinstance(getattr(function, "__self__", None), socket.SocketType)
