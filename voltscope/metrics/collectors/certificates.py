"""Certificates below VOLTTRON_HOME/certificates: when each expires."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path

from voltscope.metrics.certificates import earliest_expiry
from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, gauge
from voltscope.metrics.snapshot import Snapshot

EXPIRY = gauge(
    "volttron_certificate_expiry_timestamp_seconds",
    "When the certificate, or the first of a chain, expires, since the epoch. At most 100 files below "
    "VOLTTRON_HOME/certificates.",
    "certificate",
)
UNREADABLE = gauge(
    "volttron_certificates_unreadable", "Files there that should hold a certificate and could not be read."
)
MAX_FILES = 100
# Remote platforms leave files there; a folder gone wild must not keep a scrape.
_MAX_LOOKED_AT = 1000
_SUFFIXES = (".crt", ".pem", ".cer")


@register
class CertificatesCollector(Collector):
    """Files are parsed again when they change only: a file's time and size are the key."""

    name = "certificates"
    help = "When certificates of VOLTTRON_HOME expire."
    families = (EXPIRY, UNREADABLE)

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._lock = threading.Lock()
        self._known: dict[tuple[Path, int, int], float | ValueError | OSError | None] = {}

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        folder = snapshot.volttron_home / "certificates"
        files = sorted(
            path
            for path in itertools.islice(folder.rglob("*"), _MAX_LOOKED_AT)
            if path.suffix in _SUFFIXES and "private" not in path.relative_to(folder).parts
        )[:MAX_FILES]
        with self._lock:
            known = {}
            for path in files:
                key, expiry = self._expiry(path)
                known[key] = expiry
                if isinstance(expiry, float):
                    samples.set(EXPIRY, expiry, certificate=path.relative_to(folder))
            self._known = known
        if files:
            samples.set(UNREADABLE, sum(isinstance(expiry, Exception) for expiry in known.values()))

    def _expiry(self, path: Path) -> tuple[tuple[Path, int, int], float | ValueError | OSError | None]:
        try:
            about = path.stat()
            key = (path, about.st_mtime_ns, about.st_size)
            return key, self._known[key] if key in self._known else earliest_expiry(path)
        except (OSError, ValueError) as error:
            return (path, 0, 0), error
