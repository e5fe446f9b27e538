"""A store: whether it opens and can be written."""

from ..errors import JrrError
from ..sink import Sink
from .finding import Finding


async def check_store(sink: Sink) -> Finding:
    """Open and close a store: its schema is made or migrated as a run would do it; a newer one is refused."""
    what = f"store {sink.name}"
    try:
        await sink.open()
    except JrrError as error:
        return Finding("error", what, str(error), f"correct [sinks.{sink.name}], or start the store")
    except Exception as error:
        # A sink is plugin code: what it should not raise is a finding too.
        return Finding("error", what, f"{type(error).__name__}: {error}", "tell the author of the plugin")
    finally:
        await sink.close()
    return Finding("ok", what, "opens and can be written, its schema is this version's")
