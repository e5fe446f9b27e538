"""Real PostgreSQL servers for tests and benchmarks: started, stopped and broken at will.

    with Home() as home, fresh_database(home.shared()) as dsn:
        ...

Nothing of the collector imports this. `JRR_TEST_POSTGRES`, the DSN of a
running server whose user may create databases, is used in place of ours.
"""

from .database import connected, execute, fetch, fresh_database, opened, pack, with_sink
from .home import Address, Given, Home, kinds
from .proxy import Proxy
from .server import PASSWORD_ROLE, Server

__all__ = [
    "PASSWORD_ROLE", "Address", "Given", "Home", "Proxy", "Server", "connected", "execute", "fetch", "fresh_database",
    "kinds", "opened", "pack", "with_sink",
]  # fmt: skip
