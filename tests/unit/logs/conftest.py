"""What every test of the room leaves behind: closed files."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from voltscope.logs.spool import Spool
from voltscope.logs.spool.cursors import Cursors
from voltscope.logs.spool.filesystem import SYSTEM


@pytest.fixture(autouse=True)
def _spools_are_closed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Whatever a test leaves open, as a kill does: a thousand descriptors are all a process has by default."""
    opened: list[Spool] = []
    loaded: list[Cursors] = []
    whole, load = Spool.open, Cursors.load

    def noted(*arguments: Any, **keywords: Any) -> Spool:
        opened.append(whole(*arguments, **keywords))
        return opened[-1]

    def noted_too(cursors: Cursors, last: int) -> None:
        loaded.append(cursors)
        load(cursors, last)

    monkeypatch.setattr(Spool, "open", noted)
    monkeypatch.setattr(Cursors, "load", noted_too)
    yield
    for spool in opened:
        if spool._files is SYSTEM:  # a model of a disk has no descriptors
            with contextlib.suppress(Exception):
                spool.close()
    for cursors in loaded:
        if cursors._files is SYSTEM:
            cursors.let_go()
