"""What holds for every test, and the peer that several rooms share."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.missing import PeerMissing, without
from servers.opensearch.node import OpenSearch


def pytest_configure() -> None:
    """Undo an ignored SIGINT: a shell without job control gives it to what it starts in the background.

    Whatever the tests start would inherit it, and could be stopped neither by Ctrl-C nor by those who send SIGINT.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # xdist's own reads the marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Share the rooms out among the processes of a parallel run, whole: what a room's tests start, they share.

    The room that brings a platform up waits most of its time, and begins first.
    """
    for item in items:
        item.add_marker(pytest.mark.xdist_group(_room(item.path)))
    if config.getoption("numprocesses", None) or hasattr(config, "workerinput"):
        items.sort(key=lambda item: _room(item.path) != "e2e")


def _room(path: Path) -> str:
    """The folder below `tests`, or below `tests/unit`, that a test lies in."""
    parts = path.relative_to(Path(__file__).parent).parts
    return parts[1] if parts[0] == "unit" else parts[0]


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
