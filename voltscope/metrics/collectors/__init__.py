"""The collectors: one file each, named like the collector; a new file registers itself with `@register`."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, TypeVar

from voltscope.metrics.families import Family, Samples
from voltscope.metrics.snapshot import Snapshot


class Collector(ABC):
    """Fills families of its own from a snapshot. One instance serves concurrent scrapes in several threads.

    `keeps_s`: how long, in seconds, its last answer may stand in while it is too slow to give another. Only for what
    stays true that long: never for states.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    families: ClassVar[tuple[Family, ...]]
    keeps_s: ClassVar[float] = 0.0

    def __init__(self, data_dir: Path) -> None:
        """`data_dir` is the engine's own folder, for what must outlive a restart."""
        self.data_dir = data_dir

    @abstractmethod
    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """Put samples in. Whatever it raises costs this collector's series and no other's."""


CollectorT = TypeVar("CollectorT", bound=type[Collector])
_REGISTERED: dict[str, type[Collector]] = {}


def register(collector: CollectorT) -> CollectorT:
    """Class decorator: make a collector known by its name."""
    _REGISTERED[collector.name] = collector
    return collector


def collectors() -> dict[str, type[Collector]]:
    """Every collector there is, by name, in alphabetical order."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return dict(sorted(_REGISTERED.items()))
