"""Everything sampled, as one: captures and continuous windows, by their labels and over time."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from voltscope.errors import CaptureNotFound
from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.capture import Capture
from voltscope.profiling.picture import began_at
from voltscope.profiling.stacks import Stacks
from voltscope.profiling.windows import Series, Windows

Labels = Mapping[str, str]
Wanted = Callable[[Labels], bool]
CONTINUOUS = "continuous"


@dataclass(frozen=True)
class Profile:
    """One stretch of sampling. `at`: its begin, milliseconds since the epoch; `length`: likewise; `rate` in hertz."""

    labels: Labels
    kind: Kind
    at: int
    length: int
    rate: float
    samples: int


class Profiles:
    """What is in `archive` and in `windows`.

    Labels are `service_name` (the agent), `site`, `instance`, `backend` and `reason`; those without a value are left
    out. Times are milliseconds since the epoch, both ends included; a stretch counts when it begins between them.
    """

    def __init__(self, archive: Archive, windows: Windows) -> None:
        self._archive, self._windows = archive, windows

    def select(self, since: int, until: int, wanted: Wanted, kind: Kind | None = None) -> Iterator[Profile]:
        """The stretches with labels that are `wanted`, in no order."""
        for capture, at in self._captures(since, until, wanted, kind):
            length = round(capture.duration_s * 1000)
            yield Profile(_labels_of(capture), capture.kind, at, length, capture.rate_hz, capture.samples)
        for window in self._windows.windows(since, until, _series_wanted(wanted, kind)):
            series = window.series
            yield Profile(labels_of(series), series.kind, window.started, window.length, window.rate, window.samples)

    def merged(self, since: int, until: int, wanted: Wanted, kind: Kind) -> dict[float, Stacks]:
        """The sum of their stacks, by the rate they were sampled at."""
        totals: dict[float, Counter[tuple[str, ...]]] = {}
        for rate, stacks in self._windows.merged(since, until, _series_wanted(wanted, kind)).items():
            totals.setdefault(rate, Counter()).update(stacks)
        for capture, _ in self._captures(since, until, wanted, kind):
            try:
                stacks = self._archive.stacks(capture.id)
            except CaptureNotFound:
                continue  # retention took it meanwhile
            totals.setdefault(float(capture.rate_hz), Counter()).update(stacks)
        return {rate: dict(total) for rate, total in totals.items()}

    def _captures(self, since: int, until: int, wanted: Wanted, kind: Kind | None) -> Iterator[tuple[Capture, int]]:
        for capture in self._archive.captures():
            at = round(began_at(capture) * 1000)
            if since <= at <= until and kind in (None, capture.kind) and wanted(_labels_of(capture)):
                yield capture, at


@functools.lru_cache(maxsize=1024)
def labels_of(series: Series) -> Labels:
    """The labels of a continuous series."""
    return _labels(series.agent, series.site, series.instance, series.backend, CONTINUOUS)


def _labels_of(capture: Capture) -> Labels:
    return _labels(capture.agent, capture.site, capture.instance, capture.backend, capture.reason)


def _labels(agent: str, site: str | None, instance: str | None, backend: str, reason: str) -> Labels:
    named = {"service_name": agent, "site": site, "instance": instance, "backend": backend, "reason": reason}
    return {name: value for name, value in named.items() if value}


def _series_wanted(wanted: Wanted, kind: Kind | None) -> Callable[[Series], bool]:
    return lambda series: kind in (None, series.kind) and wanted(labels_of(series))
