"""Peers that cost seconds to start, one for all tests of the room."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from servers.missing import PeerMissing, without
from servers.opensearch.node import OpenSearch


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
