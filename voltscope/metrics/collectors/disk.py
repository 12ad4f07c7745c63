"""The disk below VOLTTRON_HOME: a full one stops historians, configuration and logs alike."""

from __future__ import annotations

import os

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, gauge
from voltscope.metrics.snapshot import Snapshot

FREE = gauge("volttron_disk_free_bytes", "Bytes free for the platform's user on the disk of VOLTTRON_HOME.")
SIZE = gauge("volttron_disk_size_bytes", "Size of the disk of VOLTTRON_HOME.")
FILES_FREE = gauge("volttron_disk_free_files", "Inodes free there; absent where the file system has no such limit.")


@register
class DiskCollector(Collector):
    """One statvfs(2) a scrape."""

    name = "disk"
    help = "Free space on the disk of VOLTTRON_HOME."
    families = (FREE, SIZE, FILES_FREE)

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        disk = os.statvfs(snapshot.volttron_home)
        samples.set(FREE, disk.f_bavail * disk.f_frsize)
        samples.set(SIZE, disk.f_blocks * disk.f_frsize)
        samples.set(FILES_FREE, disk.f_favail if disk.f_files else None)
