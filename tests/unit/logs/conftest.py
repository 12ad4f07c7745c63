"""What every test of the room leaves behind: closed files; and a real rsyslogd for those that want one."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from rsyslog_rig import Rsyslog

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


@pytest.fixture
def rsyslog(tmp_path: Path) -> Iterator[Callable[..., Rsyslog]]:
    """Starts one for such `inputs`; with an `authority` it wants TLS."""
    started: list[Rsyslog] = []

    def start(inputs: str, authority: Authority | None = None, queue: str = "Direct") -> Rsyslog:
        started.append(Rsyslog(tmp_path / f"rsyslog{len(started)}", inputs, authority, queue))
        started[-1].start()
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")
