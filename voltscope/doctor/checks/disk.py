"""Disk: room below VOLTTRON_HOME, in bytes and in inodes."""

from __future__ import annotations

import os
from collections.abc import Iterator

from voltscope.cli.terminal import size
from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import World

WARN_BYTES, WARN_SHARE = 1_000_000_000, 0.10
FAIL_BYTES, FAIL_SHARE = 200_000_000, 0.02
_REMEDY = "Rotate and remove old logs (volttron.log has no limit of its own) or give VOLTTRON_HOME a larger disk."


def disk(world: World) -> Iterator[Finding]:
    """A full disk stops the historian first, and silently."""
    if world.home.is_dir():
        found = os.statvfs(world.home)
        yield judged(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize, found.f_favail, found.f_files)


def judged(free: int, whole: int, free_inodes: int, inodes: int) -> Finding:
    """The finding for a disk of `whole` bytes and `inodes` (0 where the file system has no such limit)."""
    share = free / whole if whole else 0.0
    text = f"{size(free)} free ({share:.0%}) for VOLTTRON_HOME"
    if inodes and free_inodes / inodes < FAIL_SHARE:
        return Finding("disk", FAIL, f"{text}, but hardly an inode is left.", "Remove small files nobody needs.")
    if free < FAIL_BYTES or share < FAIL_SHARE:
        return Finding("disk", FAIL, f"{text}.", _REMEDY)
    if free < WARN_BYTES or share < WARN_SHARE:
        return Finding("disk", WARN, f"{text}.", _REMEDY)
    return Finding("disk", OK, f"{text}.")
