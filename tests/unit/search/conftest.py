"""Spools to write, and stores over them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from spool_writer import SpoolWriter
from store_rig import FOUR, SMALL, fill, seal, text_of

from voltscope.search.segment_index import index_sealed
from voltscope.search.store import Store


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SpoolWriter]:
    writer = SpoolWriter(tmp_path / "spool", limits=SMALL)
    yield writer
    writer.close()


@pytest.fixture(params=["being written", "sealed", "indexed"])
def store(writer: SpoolWriter, request: pytest.FixtureRequest) -> Iterator[Store]:
    """Four records, in a segment of each kind."""
    writer.add(*FOUR)
    if request.param != "being written":
        seal(writer)
    if request.param == "indexed":
        assert index_sealed(writer.folder) == 1
    store = Store.open(writer.folder)
    yield store
    store.close()


@pytest.fixture
def many(writer: SpoolWriter) -> Iterator[Store]:
    """3000 records in several segments: some indexed, some not yet, one being written."""
    fill(writer, 2000, text_of)
    index_sealed(writer.folder)
    fill(writer, 1000, text_of)
    assert len(list(writer.folder.glob("*.seg"))) > len(list(writer.folder.glob("*.idx"))) + 1 > 3
    store = Store.open(writer.folder)
    yield store
    store.close()
