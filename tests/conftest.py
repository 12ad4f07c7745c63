"""What holds for every test, and the peer that several rooms share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from servers.missing import PeerMissing, without
from servers.opensearch.node import OpenSearch


def pytest_configure() -> None:
    """Undo an ignored SIGINT: a shell without job control gives it to what it starts in the background.

    Whatever the tests start would inherit it, and could be stopped neither by Ctrl-C nor by those who send SIGINT.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Share the rooms out among the processes of a parallel run, whole: what a room's tests start, they share."""
    from xdist.scheduler import LoadScopeScheduling

    class RoomScheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return _room(nodeid)

    return RoomScheduling(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In a parallel run, begin with the room that brings a platform up: it waits most of its time."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _room(item.nodeid) != "e2e")


def _room(nodeid: str) -> str:
    """The folder below `tests`, or below `tests/unit`, that a test lies in."""
    parts = nodeid.split("::")[0].split("/")
    return parts[2] if parts[1] == "unit" else parts[1]


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    """A node that all tests share: each uses indices of its own name."""
    try:
        node = OpenSearch(tmp_path_factory.mktemp("opensearch"))
    except PeerMissing as error:
        without(error)
    node.start()
    try:
        yield node
    finally:
        node.stop()
