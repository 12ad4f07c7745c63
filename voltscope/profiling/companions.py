"""What goes on beside captures: continuous profiling, triggers, and what is sent elsewhere; each as configured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from voltscope.engine.service import FactsAnswer
from voltscope.profiling.archive import Archive
from voltscope.profiling.continuous import Continuous
from voltscope.profiling.recorder import Recorder
from voltscope.profiling.settings import (
    GrafanaSettings,
    IndexSettings,
    ProfilerConfig,
    PyroscopeSettings,
    ServerSettings,
)
from voltscope.profiling.stacks import Stacks
from voltscope.profiling.targets import Targets
from voltscope.profiling.triggers import Triggers
from voltscope.profiling.windows import Window, Windows

if TYPE_CHECKING:
    from voltscope.profiling.outbox import ServerOutbox

_INDEX, _GRAFANA, _PYROSCOPE = "index", "grafana", "pyroscope"
_Settings = TypeVar("_Settings", bound=ServerSettings)


class Companions:
    """Started with the first `apply`; `url()` is where the profiler listens."""

    def __init__(
        self,
        archive: Archive,
        windows: Windows,
        targets: Targets,
        recorder: Recorder,
        facts: Callable[[float], FactsAnswer],
        url: Callable[[], str | None],
    ) -> None:
        self._archive, self._windows, self._url = archive, windows, url
        self._config = ProfilerConfig()
        self.continuous = Continuous(targets, recorder.backends, self._window, None)
        self.triggers = Triggers(targets, facts, recorder)
        self._senders: dict[str, ServerOutbox] = {}

    def apply(self, config: ProfilerConfig) -> None:
        """Do what `config` says. Raises ConfigError for files that cannot be read; what was done till then stays."""
        before = self._config
        if config.index != before.index:
            self._replace(_INDEX, config.index, self._indexer)
        if config.grafana != before.grafana:
            self._replace(_GRAFANA, config.grafana, self._annotator)
        if config.pyroscope != before.pyroscope:
            self._replace(_PYROSCOPE, config.pyroscope, self._pusher)
        self._windows.retain(config.continuous_retention)
        self.continuous.apply(config.continuous, config.site)
        if config.triggers != before.triggers:
            self.triggers.apply(config.triggers)
        self._config = config  # at last: what failed above is tried again with the next

    def kept(self) -> None:
        """There is a new capture in the archive."""
        self._notice(_INDEX, _GRAFANA)

    def senders(self) -> list[tuple[str, ServerOutbox]]:
        """What sends elsewhere, by what it sends to: `index`, `grafana`, `pyroscope`."""
        return [(name, self._senders[name]) for name in (_INDEX, _GRAFANA, _PYROSCOPE) if name in self._senders]

    def status(self) -> dict[str, Any]:
        """Of each what it does; None for what is not configured."""
        sending = dict.fromkeys((_INDEX, _GRAFANA, _PYROSCOPE), None)
        return {
            "continuous": self.continuous.status(),
            **sending,
            **{name: sender.status() for name, sender in self.senders()},
        }

    def stop(self) -> None:
        """End everything; what is under way is kept."""
        self.triggers.stop()
        self.continuous.stop()
        for _, sender in self.senders():
            sender.stop()

    def _window(self, window: Window, stacks: Stacks) -> None:
        self._windows.keep(window, stacks)
        self._notice(_PYROSCOPE)

    def _notice(self, *names: str) -> None:
        for name in names:
            sender = self._senders.get(name)
            if sender is not None:
                sender.notice()

    def _replace(self, name: str, settings: _Settings | None, make: Callable[[_Settings], ServerOutbox]) -> None:
        """Put another sender in the place of that name, or none where there are no settings."""
        old = self._senders.pop(name, None)
        if old is not None:
            old.stop()
        if settings is not None:
            self._senders[name] = sender = make(settings)
            sender.start()

    # Imported when configured: most sites have no such servers.

    def _indexer(self, settings: IndexSettings) -> ServerOutbox:
        from voltscope.profiling.indexing import CaptureIndexer

        return CaptureIndexer(self._archive, settings, self._url)

    def _annotator(self, settings: GrafanaSettings) -> ServerOutbox:
        from voltscope.profiling.annotations import Annotator

        return Annotator(self._archive, settings, self._url)

    def _pusher(self, settings: PyroscopeSettings) -> ServerOutbox:
        from voltscope.profiling.pyroscope.push import WindowPusher

        return WindowPusher(self._windows, settings)
