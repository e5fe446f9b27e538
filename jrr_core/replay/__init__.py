"""Captures and recorded frames through the same parsers and sinks as live data: the same frames give the same rows.

Reads files, opens no socket to an exchange; `served` plays one back to clients. Unlike a socket a file can wait:
nothing is ever dropped for want of room.
"""

from .player import Player
from .replay import Replay, ReplayCounts
from .served import Playback, exchange_of
from .source import Source, Sources
from .window import Window

__all__ = ["Playback", "Player", "Replay", "ReplayCounts", "Source", "Sources", "Window", "exchange_of"]
