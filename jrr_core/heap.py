"""How a long run uses memory: what `jrr run` tells the allocator and the collector of garbage, once each.

Neither changes what is computed; both are left alone where they do not exist.
"""

import contextlib
import ctypes
import gc

# malloc.h of glibc. Setting either keeps the thresholds where they are: by default a freed block of some megabytes
# raises them to its size for good, and the holes that batches of rows then leave in the heap are never given back.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_THRESHOLD_BYTES = 128 * 1024


def give_back() -> None:
    """Have memory that large batches took returned to the system when they are freed (glibc only)."""
    with contextlib.suppress(AttributeError, OSError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _THRESHOLD_BYTES)
        libc.mallopt(_M_TRIM_THRESHOLD, _THRESHOLD_BYTES)


def settle() -> None:
    """Take what start-up made out of the garbage collector's rounds: it stays, and looking at it again is lost time."""
    gc.collect()
    gc.freeze()
