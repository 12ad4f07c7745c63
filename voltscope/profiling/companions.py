"""What goes on beside captures: continuous profiling, triggers, and what is sent elsewhere; each as configured."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from voltscope.engine.service import FactsAnswer
from voltscope.profiling.archive import Archive
from voltscope.profiling.continuous import Continuous
from voltscope.profiling.recorder import Recorder
from voltscope.profiling.settings import ProfilerConfig
from voltscope.profiling.stacks import Stacks
from voltscope.profiling.targets import Targets
from voltscope.profiling.triggers import Triggers
from voltscope.profiling.windows import Window, Windows

if TYPE_CHECKING:
    from voltscope.profiling.annotations import Annotator
    from voltscope.profiling.indexing import CaptureIndexer
    from voltscope.profiling.pyroscope.push import WindowPusher


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
        self._indexer: CaptureIndexer | None = None
        self._annotator: Annotator | None = None
        self._pusher: WindowPusher | None = None

    def apply(self, config: ProfilerConfig) -> None:
        """Do what `config` says. Raises ConfigError for files that cannot be read; what was done till then stays."""
        before = self._config
        if config.index != before.index:
            self._index(config)
        if config.grafana != before.grafana:
            self._annotate(config)
        if config.pyroscope != before.pyroscope:
            self._push(config)
        self._windows.retain(config.continuous_retention)
        self.continuous.apply(config.continuous, config.site)
        if config.triggers != before.triggers:
            self.triggers.apply(config.triggers)
        self._config = config  # at last: what failed above is tried again with the next

    def kept(self) -> None:
        """There is a new capture in the archive."""
        for sender in (self._indexer, self._annotator):
            if sender is not None:
                sender.notice()

    def senders(self) -> list[tuple[str, CaptureIndexer | Annotator | WindowPusher]]:
        """What sends elsewhere, by what it sends to: `index`, `grafana`, `pyroscope`."""
        named = (("index", self._indexer), ("grafana", self._annotator), ("pyroscope", self._pusher))
        return [(name, sender) for name, sender in named if sender is not None]

    def status(self) -> dict[str, Any]:
        """Of each what it does; None for what is not configured."""
        sending = dict.fromkeys(("index", "grafana", "pyroscope"), None)
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
        if self._pusher is not None:
            self._pusher.notice()

    # Imported when configured: most sites have no such servers.

    def _index(self, config: ProfilerConfig) -> None:
        from voltscope.profiling.indexing import CaptureIndexer

        old, self._indexer = self._indexer, None
        if old is not None:
            old.stop()
        if config.index is not None:
            self._indexer = CaptureIndexer(self._archive, config.index, self._url)
            self._indexer.start()

    def _annotate(self, config: ProfilerConfig) -> None:
        from voltscope.profiling.annotations import Annotator

        old, self._annotator = self._annotator, None
        if old is not None:
            old.stop()
        if config.grafana is not None:
            self._annotator = Annotator(self._archive, config.grafana, self._url)
            self._annotator.start()

    def _push(self, config: ProfilerConfig) -> None:
        from voltscope.profiling.pyroscope.push import WindowPusher

        old, self._pusher = self._pusher, None
        if old is not None:
            old.stop()
        if config.pyroscope is not None:
            self._pusher = WindowPusher(self._windows, config.pyroscope)
            self._pusher.start()
