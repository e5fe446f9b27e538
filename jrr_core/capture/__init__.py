"""A run on disk: every frame in both directions and all that happened between them, written while it runs, read back.

Never names an exchange, never raises into the run that it records.
"""

from .entry import Line, Lost, Opened
from .folder import capture_files
from .reader import Item, read_capture
from .settings import CaptureSettings
from .writer import Capture

__all__ = ["Capture", "CaptureSettings", "Item", "Line", "Lost", "Opened", "capture_files", "read_capture"]
