"""What holds for every test, and the peer that several rooms share."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from servers.missing import PeerMissing, without
from servers.opensearch.node import OpenSearch


def pytest_configure() -> None:
    """Undo an ignored SIGINT: a shell without job control gives it to what it starts in the background.

    Whatever the tests start would inherit it, and could be stopped neither by Ctrl-C nor by those who send SIGINT.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


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
