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
# Answers this young serve whoever asks: many scrapers must not mean many questions to the platform.
SHARED_FOR_S = 0.2


class FactsSource:
    """Facts by way of whichever link is attached at the moment."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._link: Link | None = None
        self._lock = threading.Lock()
        self._asking = threading.Lock()
        self._last: tuple[Facts, float] | None = None

    def attach(self, link: Link | None) -> None:
        """Use `link` from now on; None when the bridge has gone."""
        self._link = link

    def __call__(self, timeout: float) -> FactsAnswer:
        """The newest facts; waits at most `timeout` seconds for the bridge. Never raises.

        One question is under way at a time; those who came meanwhile share its answer.
        """
        if not self._asking.acquire(timeout=timeout):
            return self._fallback(f"the bridge did not answer somebody else in {timeout:g} s")
        try:
            last = self._last
            if last is not None and self._link is not None and self._clock() - last[1] < SHARED_FOR_S:
                return FactsAnswer(last[0], self._clock() - last[1], None)
            return self._ask(timeout)
        finally:
            self._asking.release()

    def _ask(self, timeout: float) -> FactsAnswer:
        link = self._link
        if link is None:
            return self._fallback(NO_BRIDGE)
        try:
            facts = self._decoded(link.request("facts", {}, timeout))
        except VoltscopeError as failure:
            return self._fallback(str(failure))
        with self._lock:
            self._last = (facts, self._clock())
        return FactsAnswer(facts, 0.0, None)

    def _fallback(self, error: str) -> FactsAnswer:
        """The last answer there was, with its age and why there is no newer one."""
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
