"""Where a part of the bench works: a platform's home of its own, interpreters with the probe and without."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from live_lib import profiler
from live_lib.targets import environment


class Place:
    """Below `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.home.mkdir()
        (self.home / "VOLTTRON_PID").write_text(str(os.getpid()))  # agents are children of the platform: of us

    @cached_property
    def probed(self) -> Path:
        """The interpreter of an environment where the probe is enabled."""
        return environment(self.folder / "probed", True)

    @cached_property
    def plain(self) -> Path:
        """The same without the probe."""
        return environment(self.folder / "plain", False)

    @contextlib.contextmanager
    def profiler(self) -> Iterator[profiler.Site]:
        """The platform's profiler, meanwhile."""
        with profiler.profiler(self.home) as made:
            yield made
