"""A program that serves until it is told to stop."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from typing import Protocol

_log = logging.getLogger(__name__)


class Serving(Protocol):
    """What listens at `url` between `start` and `stop`."""

    @property
    def url(self) -> str: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...


def serve(make: Callable[[], Serving], name: str) -> None:
    """Serve what `make` makes until SIGTERM or SIGINT; call it from the main thread. Raises as those do."""
    ends = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before any thread starts: none of them may take one
    try:
        serving = make()
        serving.start()
        _log.info("%s at %s", name, serving.url)
        signal.sigwait(ends)
        serving.stop()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
