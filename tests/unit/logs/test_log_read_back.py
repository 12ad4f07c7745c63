"""What receivers have, read back from a real OpenSearch and from files, and compared with what they were sent."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from batches import batch, numbered
from peers import refused_port
from servers.opensearch.node import OpenSearch

from voltscope.configuration import load
from voltscope.errors import ConfigError, ReceiverError
from voltscope.logs.read_back import ReadBack, read_back
from voltscope.logs.reconcile import compare
from voltscope.logs.settings import (
    ElasticsearchReceiver,
    FileReceiver,
    GroupReceiver,
    LogshipConfig,
    LumberjackReceiver,
    Receiver,
    SyslogReceiver,
)
from voltscope.logs.transports import elasticsearch
from voltscope.logs.transports.base import transport_for

SPOOL = "01SPOOL"


def asked(receiver: Receiver, folder: Path) -> ReadBack:
    found = read_back(receiver, folder)
    assert found is not None
    return found


def test_gaps_of_a_store_are_found_and_copies_counted(opensearch: OpenSearch, tmp_path: Path) -> None:
    receiver = ElasticsearchReceiver(urls=(opensearch.url,), index="compared", data_stream=True)
    transport = transport_for(receiver, tmp_path)
    for first, size in ((1, 10), (13, 5), (20, 1)):
        transport.send(numbered(first, size))
    opensearch.ask("POST", "/compared/_rollover")
    transport.send(numbered(13, 2))
    transport.close()
    found = compare(asked(receiver, tmp_path), SPOOL, 1, 25)
    assert found.gaps == [(11, 12), (18, 19), (21, 25)]
    assert (found.missing, found.doubled, found.refused) == (9, 2, 0)
    assert compare(asked(receiver, tmp_path), SPOOL, 3, 9).gaps == []
    assert compare(asked(receiver, tmp_path), "01OTHER", 1, 3).gaps == [(1, 3)]


def test_pages_lose_and_double_nothing(opensearch: OpenSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elasticsearch, "PAGE", 7)
    receiver = ElasticsearchReceiver(urls=(opensearch.url,), index="paged", data_stream=True)
    transport = transport_for(receiver, tmp_path)
    transport.send(numbered(1, 50))
    opensearch.ask("POST", "/paged/_rollover")
    transport.send(numbered(1, 50))
    transport.close()
    found = compare(asked(receiver, tmp_path), SPOOL, 1, 51)
    assert (found.gaps, found.doubled) == ([(51, 51)], 50)


def test_an_index_that_is_not_there_has_nothing(opensearch: OpenSearch, tmp_path: Path) -> None:
    receiver = ElasticsearchReceiver(urls=(opensearch.url,), index="never")
    assert compare(asked(receiver, tmp_path), SPOOL, 1, 3).gaps == [(1, 3)]
    assert compare(asked(receiver, tmp_path), SPOOL, 1, 0).gaps == []


def test_what_is_among_the_dead_letters_is_in_no_gap(opensearch: OpenSearch, tmp_path: Path) -> None:
    nothing = {"index_patterns": ["dead-*"], "template": {"mappings": {"dynamic": "strict"}}}
    opensearch.ask("PUT", "/_index_template/dead", nothing)
    receiver = ElasticsearchReceiver(urls=(opensearch.url,), index="dead")
    transport = transport_for(receiver, tmp_path)
    transport.send(numbered(1, 3))
    transport.close()
    found = compare(asked(receiver, tmp_path), SPOOL, 1, 4)
    assert (found.gaps, found.refused) == ([(4, 4)], 3)


def test_a_store_that_does_not_answer_is_no_gap(tmp_path: Path) -> None:
    receiver = ElasticsearchReceiver(urls=(f"http://127.0.0.1:{refused_port()}",))
    with pytest.raises(ReceiverError, match="refused"):
        compare(asked(receiver, tmp_path), SPOOL, 1, 3)


def test_a_file_and_what_rotation_made_of_it(tmp_path: Path) -> None:
    path = tmp_path / "records.json"
    receiver = FileReceiver(path=str(path))
    transport = transport_for(receiver, tmp_path)
    transport.send(numbered(1, 4))
    with gzip.open(tmp_path / "records.json.2.gz", "wb") as packed:
        packed.write(path.read_bytes())
    path.unlink()
    transport.send(numbered(5, 4))
    path.rename(tmp_path / "records.json.1")
    transport.send(batch('"sequence":9,"spool":"01SPOOL"', first=10))
    transport.close()
    with path.open("ab") as file:
        file.write(b'{"labels":{"spool":"01SPOOL"},"event":{"id":"x","sequence":12')  # cut off
    (tmp_path / "records.jsonl").write_bytes((tmp_path / "records.json.1").read_bytes())  # another file
    found = compare(asked(receiver, tmp_path), SPOOL, 2, 12)
    assert (found.gaps, found.doubled) == ([(9, 9), (11, 12)], 0)


def test_a_file_that_is_not_there_has_nothing_and_a_broken_one_is_an_error(tmp_path: Path) -> None:
    receiver = FileReceiver(path=str(tmp_path / "f"))
    assert compare(asked(receiver, tmp_path), SPOOL, 1, 2).gaps == [(1, 2)]
    (tmp_path / "f.1.gz").write_bytes(b"no gzip")
    with pytest.raises(ReceiverError, match="cannot be read back"):
        compare(asked(receiver, tmp_path), SPOOL, 1, 2)


def test_members_of_a_group_have_it_together(tmp_path: Path) -> None:
    files = tuple(FileReceiver(path=str(tmp_path / name)) for name in "ab")
    receiver = GroupReceiver(name="g", mode="round-robin", members=files)
    transport = transport_for(receiver, tmp_path)
    for first in (1, 4, 9):
        transport.send(numbered(first, 3))
    transport.close()
    assert compare(asked(receiver, tmp_path), SPOOL, 1, 12).gaps == [(7, 8), (12, 12)]


def test_receivers_that_pass_records_on_are_asked_for_where_they_are_stored(
    opensearch: OpenSearch, tmp_path: Path
) -> None:
    store = ElasticsearchReceiver(urls=(opensearch.url,), index="behind")
    transport = transport_for(store, tmp_path)  # as Logstash would
    transport.send(numbered(1, 3))
    transport.send(numbered(5, 2))
    transport.close()
    receivers = (
        LumberjackReceiver(host="h", port=1, stored_in=store),
        SyslogReceiver(host="h", port=1, body="json", stored_in=store),
    )
    for receiver in (*receivers, GroupReceiver(name="g", members=receivers)):
        assert compare(asked(receiver, tmp_path), SPOOL, 1, 6).gaps == [(4, 4)]
    with pytest.raises(ConfigError, match="body json"):
        given = {"type": "syslog", "host": "h", "port": 1, "stored_in": {"urls": [opensearch.url]}}
        load(LogshipConfig, {"receivers": [given]})


def test_receivers_that_cannot_be_asked(tmp_path: Path) -> None:
    syslog = SyslogReceiver(host="h", port=1)
    assert read_back(syslog, tmp_path) is None
    files = (FileReceiver(path=str(tmp_path / "f")), syslog)
    assert read_back(GroupReceiver(name="g", members=files), tmp_path) is None


class Has:
    """A receiver that has these sequences."""

    def __init__(self, *found: int) -> None:
        self._found = found

    def sequences(self, spool: str, first: int, last: int) -> Iterator[Iterable[int]]:
        yield (sequence for sequence in self._found if first <= sequence <= last)

    def refused(self, spool: str) -> set[int]:
        return set()


def test_gaps_are_whole_across_the_parts_that_are_looked_at_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voltscope.logs.reconcile._AT_ONCE", 4)
    found = compare(Has(1, 2, 9, 9, 9, 13), SPOOL, 1, 14)
    assert (found.gaps, found.doubled) == ([(3, 8), (10, 12), (14, 14)], 2)
