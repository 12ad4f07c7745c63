"""Whether the kernel's clock is kept by NTP, asked of adjtimex(2): works without systemd and without rights."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

_STA_UNSYNC = 0x0040
_TIME_ERROR = 5


@dataclass(frozen=True)
class KernelClock:
    """`synchronised` as the kernel sees it; the estimated and the largest possible error in seconds."""

    synchronised: bool
    estimated_error_s: float
    maximum_error_s: float


class _Timeval(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_usec", ctypes.c_long))


class _Timex(ctypes.Structure):
    # struct timex of <sys/timex.h>; the padding at its end is part of the ABI
    _fields_ = (
        ("modes", ctypes.c_int),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", _Timeval),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        ("padding", ctypes.c_int * 11),
    )


def kernel_clock() -> KernelClock | None:
    """The kernel's word on its clock; None where it cannot be asked (a sandbox that forbids the call)."""
    timex = _Timex(modes=0)  # 0: read only
    state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    if state < 0:
        return None
    synchronised = state != _TIME_ERROR and not timex.status & _STA_UNSYNC
    return KernelClock(synchronised, timex.esterror / 1e6, timex.maxerror / 1e6)
