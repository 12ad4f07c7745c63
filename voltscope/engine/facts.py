"""The engine's view of the platform: asks the bridge, and falls back to its last answer with its age."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import msgspec

from voltscope.engine.link import Link
from voltscope.engine.service import FactsAnswer
from voltscope.errors import VoltscopeError
from voltscope.platform.agents import Facts

NO_BRIDGE = "no bridge is attached"


class FactsSource:
    """Facts by way of whichever link is attached at the moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._link: Link | None = None
        self._lock = threading.Lock()
        self._last: tuple[Facts, float] | None = None

    def attach(self, link: Link | None) -> None:
        """Use `link` from now on; None when the bridge has gone."""
        self._link = link

    def __call__(self, timeout: float) -> FactsAnswer:
        """The newest facts; waits at most `timeout` seconds for the bridge. Never raises."""
        link = self._link
        error: str | None = NO_BRIDGE
        if link is not None:
            try:
                facts = self._decoded(link.request("facts", {}, timeout))
            except VoltscopeError as failure:
                error = str(failure)
            else:
                with self._lock:
                    self._last = (facts, self._clock())
                return FactsAnswer(facts, 0.0, None)
        with self._lock:
            last = self._last
        if last is None:
            return FactsAnswer(None, None, error)
        return FactsAnswer(last[0], self._clock() - last[1], error)

    @staticmethod
    def _decoded(answer: Any) -> Facts:
        try:
            return msgspec.convert(answer, Facts)
        except msgspec.ValidationError as error:
            raise VoltscopeError(f"the bridge sent facts of another form: {error}.") from error
