"""What a receiver took and does not have is found, named, looked for again and forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from delivering import delivered, shipping
from servers.opensearch.node import OpenSearch
from spool_writer import SpoolWriter
from waiting import until

from voltscope.errors import UnknownReceiver
from voltscope.logs.delivery_metrics import verification_families
from voltscope.logs.reconcile import KEEP_S, Reconciler, remember, remembered
from voltscope.logs.settings import ElasticsearchReceiver, FileReceiver, GroupReceiver, Receiver, SyslogReceiver
from voltscope.logs.spool import SpoolReader
from voltscope.logs.transports.base import transport_for
from voltscope.logs.verify import Verification

INTERVAL_S = 10.0


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SpoolWriter]:
    made = SpoolWriter(tmp_path / "spool")
    yield made
    made.close()


def write(writer: SpoolWriter, count: int, agent: str = "listener") -> None:
    for number in range(writer.spool.last + 1, writer.spool.last + 1 + count):
        writer.write(f"record {number}", agent=agent)


def send(writer: SpoolWriter, receiver: Receiver, folder: Path) -> None:
    with shipping(writer.spool, transport_for(receiver, folder)) as shipper:
        until(delivered(writer.spool, shipper))


def reconciler(writer: SpoolWriter, folder: Path, *receivers: Receiver) -> Reconciler:
    return Reconciler(folder, receivers, writer.spool.id, writer.spool.cursor, INTERVAL_S)


def lose(path: Path, *sequences: int) -> str:
    """Take these records out of a file; the file as it was."""
    before = path.read_text()
    lines = before.splitlines(keepends=True)
    path.write_text("".join(line for line in lines if json.loads(line)["event"]["sequence"] not in sequences))
    return before


def missing(of: Reconciler) -> list[float]:
    families = {family["name"]: family for family in verification_families(of.status())}
    return [sample["value"] for sample in families["voltscope_log_verify_missing_records"]["samples"]]


def test_what_is_lost_is_told_of_until_it_is_there_again(writer: SpoolWriter, tmp_path: Path) -> None:
    receiver = FileReceiver(path=str(tmp_path / "out"))
    of = reconciler(writer, tmp_path, receiver)
    write(writer, 20)
    assert of.step(1000.0)
    send(writer, receiver, tmp_path)
    before = lose(tmp_path / "out", 3, 4, 9)
    assert not of.step(1005.0)  # nothing is due
    of.step(1010.0)
    assert missing(of) == [0]  # what was taken just now is looked for next time
    of.step(1020.0)
    assert missing(of) == [3]
    assert of.status()[0]["gaps"] == [[3, 4], [9, 9]]
    assert of.status()[0]["at"] == 1020.0
    (tmp_path / "out").write_text(before)
    of.step(1030.0)
    assert missing(of) == [0]


def test_progress_survives_a_restart_and_gaps_are_forgotten_after_a_day(writer: SpoolWriter, tmp_path: Path) -> None:
    receiver = FileReceiver(path=str(tmp_path / "out"))
    reconciler(writer, tmp_path, receiver).step(1000.0)
    write(writer, 10)
    send(writer, receiver, tmp_path)
    lose(tmp_path / "out", 5)
    reconciler(writer, tmp_path, receiver).step(1010.0)
    reconciler(writer, tmp_path, receiver).step(1020.0)
    lose(tmp_path / "out", 1, 2)  # looked at already, and never again
    of = reconciler(writer, tmp_path, receiver)
    assert missing(of) == [1]
    of.step(1030.0)
    assert missing(of) == [1]
    of.step(1020.0 + KEEP_S)
    assert missing(of) == [0]


def test_a_receiver_that_cannot_be_read_back_now_is_asked_again(writer: SpoolWriter, tmp_path: Path) -> None:
    receiver = FileReceiver(path=str(tmp_path / "folder" / "out"))
    (tmp_path / "folder").mkdir()
    of = reconciler(writer, tmp_path, receiver)
    of.step(1000.0)
    write(writer, 3)
    send(writer, receiver, tmp_path)
    lose(tmp_path / "folder" / "out", 2)
    (tmp_path / "folder").rename(tmp_path / "away")
    of.step(1010.0)
    of.step(1020.0)
    assert "cannot be read back" in of.status()[0]["error"] and of.status()[0]["at"] == 1010.0
    (tmp_path / "away").rename(tmp_path / "folder")
    of.step(1030.0)
    assert of.status()[0]["error"] is None and missing(of) == [1]


def test_a_receiver_there_was_before_is_verified_from_now_on(writer: SpoolWriter, tmp_path: Path) -> None:
    receiver = FileReceiver(path=str(tmp_path / "out"))
    write(writer, 10)
    send(writer, receiver, tmp_path)
    (tmp_path / "out").unlink()
    of = reconciler(writer, tmp_path, receiver)
    of.step(1000.0)
    write(writer, 5)
    send(writer, receiver, tmp_path)
    of.step(1010.0)
    of.step(1020.0)
    assert missing(of) == [0]


def test_an_index_that_was_deleted_is_a_gap_with_times_and_agents(
    writer: SpoolWriter, tmp_path: Path, opensearch: OpenSearch
) -> None:
    receiver = ElasticsearchReceiver(urls=(opensearch.url,), index="deleted")
    write(writer, 30, agent="listener")
    writer.write("of another day", agent="platform.driver", at=86_400.0)
    write(writer, 2, agent="platform.driver")
    remember(tmp_path, [receiver])
    send(writer, receiver, tmp_path)
    write(writer, 4)
    verification = Verification(tmp_path, SpoolReader(tmp_path / "spool"))
    writer.spool.close()  # writes the cursors
    (verified,) = verification.run(0.0)
    assert (verified.found.missing, verified.waiting, verified.gaps) == (0, 4, [])
    opensearch.ask("DELETE", "/deleted-1970.01.02")
    (verified,) = verification.run(0.0)
    (gap,) = verified.gaps
    assert (gap.first, gap.last, gap.kept, dict(gap.agents)) == (31, 31, 1, {"platform.driver": 1})
    assert gap.since == gap.until == 86_400.0
    opensearch.ask("DELETE", "/deleted-*")
    (verified,) = verification.run(0.0)
    assert [dict(gap.agents) for gap in verified.gaps] == [{"listener": 30, "platform.driver": 3}]


def test_since_begins_at_the_first_record_read_then(writer: SpoolWriter, tmp_path: Path) -> None:
    receiver = FileReceiver(path=str(tmp_path / "out"))
    remember(tmp_path, [receiver])
    write(writer, 6)
    send(writer, receiver, tmp_path)
    batch = writer.spool.read(3, 1)
    assert batch is not None
    writer.spool.close()
    reader = SpoolReader(tmp_path / "spool")
    (verified,) = Verification(tmp_path, reader).run((batch.created - 1) / 1000 + 0.0005)
    assert verified.found.first <= 4
    (verified,) = Verification(tmp_path, reader).run(batch.created / 1000 + 3600)
    assert (verified.found.first, verified.found.last, verified.found.gaps) == (7, 6, [])


def test_receivers_are_remembered_as_they_were_configured(tmp_path: Path) -> None:
    receivers: list[Receiver] = [
        ElasticsearchReceiver(urls=("https://h",), ca_file="/ca", api_key_file="/key"),
        GroupReceiver(name="g", members=(FileReceiver(path="/f"), SyslogReceiver(host="h", port=1))),
    ]
    assert remembered(tmp_path) == []
    remember(tmp_path, receivers)
    assert remembered(tmp_path) == receivers


def test_who_cannot_be_asked_is_named(tmp_path: Path) -> None:
    reader = SpoolReader(tmp_path / "spool")
    with pytest.raises(UnknownReceiver, match="no receivers"):
        Verification(tmp_path, reader)
    remember(tmp_path, [SyslogReceiver(host="h", port=1)])
    with pytest.raises(UnknownReceiver, match=r"syslog\+tcp://h:1 cannot be asked"):
        Verification(tmp_path, reader)
    with pytest.raises(UnknownReceiver, match=r"no receiver has 'x' in its name\. There are: syslog"):
        Verification(tmp_path, reader, "x")
