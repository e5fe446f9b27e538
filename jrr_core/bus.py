"""Routes: from the class of an event to the buffers that want it. Synchronous, nothing is awaited or copied."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any


class Bus:
    """Hands every published event to each route that accepts its class, in order of publishing."""

    __slots__ = ("_routes",)

    def __init__(self) -> None:
        """Start without routes."""
        self._routes: dict[type, tuple[Callable[[Any], None], ...]] = {}

    def route(self, accepts: Iterable[type], put: Callable[[Any], None]) -> None:
        """From now on call `put` with each event whose class is one of `accepts` (exact classes)."""
        for kind in accepts:
            self._routes[kind] = (*self._routes.get(kind, ()), put)

    def unroute(self, put: Callable[[Any], None]) -> None:
        """Stop calling `put`."""
        for kind, routes in self._routes.items():
            self._routes[kind] = tuple([route for route in routes if route != put])

    def publish(self, events: Sequence[Any]) -> None:
        """Hand over the events; routes must not raise."""
        routes = self._routes
        for event in events:
            for put in routes.get(event.__class__, ()):
                put(event)
