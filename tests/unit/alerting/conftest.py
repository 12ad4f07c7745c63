"""A real Alertmanager for each test, and alertd beside it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alertd_rig import Rig
from servers.alertmanager import AlertmanagerServer
from servers.missing import PeerMissing, without


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[AlertmanagerServer]:
    """It runs, and knows nothing yet."""
    folder = tmp_path / "alertmanager"
    folder.mkdir()
    try:
        server = AlertmanagerServer(folder)
    except PeerMissing as error:
        without(error)
    server.start()
    try:
        yield server
    finally:
        server.stop(signal.SIGKILL)  # nobody needs what it would write down


@pytest.fixture
def alertd(tmp_path: Path, alertmanager: AlertmanagerServer) -> Iterator[Callable[..., Rig]]:
    """Starts alertd with these keys of its configuration; one for a test."""
    started: list[Rig] = []

    def start(**config: Any) -> Rig:
        started.append(Rig(tmp_path, alertmanager, **config))
        return started[-1]

    yield start
    for rig in started:
        rig.stop()
