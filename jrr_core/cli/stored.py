"""The store that commands read: the one the settings give, and what a user calls a symbol in it."""

from attrs import evolve

from ..builder import ManagerBuilder
from ..config import Config
from ..errors import ConfigError
from ..store import Store
from .options import load_plugins


def store_of(config: Config) -> Store:
    """Return the one sink of the settings that can be read back; raises ConfigError where there is none, or several."""
    sinks = ManagerBuilder(plugins=load_plugins(config), config=evolve(config, exchanges={})).sinks()
    stores = {sink.name: sink for sink in sinks if isinstance(sink, Store)}
    if len(stores) > 1:
        raise ConfigError(f"several stores could be meant ({', '.join(stores)}); name one with --plugins")
    if not stores:
        raise ConfigError("no installed sink can be read back; `jrr plugins` lists the sinks there are")
    return next(iter(stores.values()))
