"""Which package each agent's next start will run, and since when it is there: pip's own records, read as folders."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_RECORD = re.compile(r"(?P<name>[^-]+)-(?P<version>.+)\.dist-info")
_SEPARATORS = re.compile(r"[-_.]+")


@dataclass(frozen=True)
class Package:
    """An installed package; `installed_at` in seconds since the epoch, as the file system says."""

    version: str
    installed_at: float


class Packages:
    """Packages of an environment, and those that monolithic VOLTTRON unpacks for each agent alone."""

    def __init__(self, search: Iterable[str] | None = None) -> None:
        """`search`: folders as in sys.path, which is the default: engines run in the platform's environment."""
        self._search = [Path(folder) for folder in (sys.path if search is None else search) if folder]
        self._lock = threading.Lock()
        self._listed: dict[Path, tuple[int, dict[str, Path]]] = {}

    def of(self, volttron_home: Path, name: str, version: str | None, uuid: str) -> Package | None:
        """The package of the agent whose distribution `name` is; None where it is not found. Raises nothing."""
        wanted = _normal(name)
        own = volttron_home / "agents" / uuid / f"{name}-{version}"
        for folder in ([own] if uuid and "/" not in f"{uuid}{name}{version}" else []) + self._search:
            record = self._records(folder).get(wanted)
            if record is not None:
                try:
                    match = _RECORD.fullmatch(record.name)
                    return Package(match["version"], record.stat().st_mtime) if match else None
                except OSError:
                    continue  # being replaced at this moment
        return None

    def _records(self, folder: Path) -> dict[str, Path]:
        """The records in a folder by normal name; it is listed again when it changed."""
        with self._lock:
            try:
                changed = folder.stat().st_mtime_ns
                known = self._listed.get(folder)
                if known is None or known[0] != changed:
                    found = {}
                    for entry in os.listdir(folder):  # noqa: PTH208 - names are all that is wanted of a thousand
                        match = _RECORD.fullmatch(entry)
                        if match:
                            found[_normal(match["name"])] = folder / entry
                    known = self._listed[folder] = (changed, found)
            except (OSError, ValueError):  # ValueError: agents' names may hold what no path can
                self._listed.pop(folder, None)
                return {}
            return known[1]


def _normal(name: str) -> str:
    """As names are compared (PEP 503)."""
    return _SEPARATORS.sub("-", name).lower()
