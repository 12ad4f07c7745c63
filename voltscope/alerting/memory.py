"""Memory given back: what glibc keeps for later adds up in a process that seldom has much to do."""

from __future__ import annotations

import contextlib
import ctypes

# mallopt(3)
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
_LARGE = 128 << 10


def keep_small() -> None:
    """Have this process give back what it frees; call it before any thread starts.

    One arena for all threads, and blocks of 128 KiB and more mapped each for itself, whatever came before: after a
    notification of a megabyte and a search in the log that is 44 MB instead of 49. Where the C library is not glibc
    nothing happens.
    """
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_MMAP_THRESHOLD, _LARGE)
        mallopt(_M_TRIM_THRESHOLD, _LARGE)
