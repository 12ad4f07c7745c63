"""Several receivers as one, on real Beats inputs that are killed and come back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from batches import numbered
from peers import peer, refused_port, silent
from servers.lumberjack.server import Lumberjack
from servers.missing import PeerMissing, without

from voltscope.configuration import load
from voltscope.errors import ConfigError, ReceiverError
from voltscope.logs.settings import (
    ElasticsearchReceiver,
    FileReceiver,
    GroupReceiver,
    LogshipConfig,
    LumberjackReceiver,
    SyslogReceiver,
)
from voltscope.logs.transports.group import GroupTransport
from voltscope.outbound.circuit import Circuit


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[list[Lumberjack]]:
    try:
        made = [Lumberjack(tmp_path / f"out{number}") for number in range(2)]
    except PeerMissing as error:
        without(error)
    for server in made:
        server.start()
    yield made
    for server in made:
        server.kill()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def group(folder: Path, clock: Clock, mode: Any, *ports: int) -> GroupTransport:
    members = tuple(LumberjackReceiver(host="127.0.0.1", port=port) for port in ports)
    receiver = GroupReceiver(name="two", mode=mode, members=members)
    return GroupTransport(receiver, folder, lambda: Circuit(clock=clock, chance=lambda: 1.0))


def sequences(server: Lumberjack) -> list[int]:
    return [event["event"]["sequence"] for event in server.events()]


def test_failover_goes_to_the_first_that_works_and_back(
    tmp_path: Path, clock: Clock, servers: list[Lumberjack]
) -> None:
    first, second = servers
    transport = group(tmp_path, clock, "failover", first.port, second.port)
    assert (transport.name, transport.promise) == ("group:two", "acknowledged")
    transport.send(numbered(1, 10))
    first.kill()
    transport.send(numbered(11, 10))
    clock.now = 0.4
    first.start()
    transport.send(numbered(21, 10))  # its pause of half a second is not over
    assert [one["circuit"] for one in transport.status()] == ["open", "closed"]
    assert "Connection refused" in transport.status()[0]["error"]
    clock.now = 0.6
    transport.send(numbered(31, 10))
    transport.close()
    assert sequences(first) == [*range(1, 11), *range(31, 41)]
    assert sequences(second) == [*range(11, 31)]
    assert [(one["sent"], one["failures"], one["up"]) for one in transport.status()] == [(20, 1, True), (20, 0, True)]


def test_when_nobody_takes_records_the_first_to_be_due_is_tried(tmp_path: Path, clock: Clock) -> None:
    transport = group(tmp_path, clock, "failover", refused_port(), refused_port())
    for _ in range(4):
        with pytest.raises(ReceiverError, match=r"no receiver of group:two takes.*refused.*; .*refused") as raised:
            transport.send(numbered(1, 1))
        assert not raised.value.permanent
    # both at first, then one a try
    assert sorted(one["failures"] for one in transport.status()) == [2, 3]


def test_round_robin_gives_each_a_batch_in_turn(tmp_path: Path, clock: Clock, servers: list[Lumberjack]) -> None:
    transport = group(tmp_path, clock, "round-robin", *(server.port for server in servers))
    for first in (1, 11, 21, 31):
        transport.send(numbered(first, 10))
    assert sequences(servers[0]) == [*range(1, 11), *range(21, 31)]
    servers[1].kill()
    transport.send(numbered(41, 10))
    transport.send(numbered(51, 10))
    transport.close()
    assert sequences(servers[0])[20:] == [*range(41, 61)]


def test_side_by_side_every_record_goes_to_one_of_them(tmp_path: Path, clock: Clock, servers: list[Lumberjack]) -> None:
    transport = group(tmp_path, clock, "least-outstanding", *(server.port for server in servers))
    for first in range(1, 4001, 400):
        transport.send(numbered(first, 400))
    found = [sequences(server) for server in servers]
    assert all(found)
    assert Counter(found[0] + found[1]) == Counter(range(1, 4001))
    servers[1].kill()
    transport.send(numbered(4001, 400))
    transport.close()
    assert set(sequences(servers[0])) | set(sequences(servers[1])) == set(range(1, 4401))


def test_side_by_side_what_nobody_took_is_sent_again_it_alone(
    tmp_path: Path, clock: Clock, servers: list[Lumberjack]
) -> None:
    transport = group(tmp_path, clock, "least-outstanding", *(server.port for server in servers))
    for server in servers:
        server.kill()
    with pytest.raises(ReceiverError, match="no receiver"):
        transport.send(numbered(1, 200))
    servers[0].start()
    clock.now = 0.6
    transport.send(numbered(1, 200))
    transport.close()
    assert sorted(sequences(servers[0])) == list(range(1, 201))


def test_a_member_that_says_nothing_holds_up_one_batch_only(
    tmp_path: Path, clock: Clock, servers: list[Lumberjack]
) -> None:
    with peer(silent) as port:
        transport = group(tmp_path, clock, "failover", port, servers[1].port)
        transport.members[0].transport._connection._timeout_s = 0.3  # type: ignore[attr-defined]  # 30 s otherwise
        for first in (1, 11, 21):
            transport.send(numbered(first, 10))
        transport.close()
    assert sequences(servers[1]) == [*range(1, 31)]
    assert transport.status()[0]["failures"] == 1


def test_it_promises_what_its_weakest_member_does(tmp_path: Path) -> None:
    store = ElasticsearchReceiver(urls=("http://h",))
    file, udp = FileReceiver(path=str(tmp_path / "f")), SyslogReceiver(host="h", port=1, protocol="udp")

    def promise(*members: Any) -> str:
        return GroupTransport(GroupReceiver(name="g", members=members), tmp_path).promise

    assert promise(store, store) == "acknowledged"  # a retry goes to another store
    assert promise(store, file) == "acknowledged"
    assert promise(file, udp) == "nothing"


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"name": "g", "members": []}, "length"),
        ({"name": "g", "members": [{"type": "file", "path": "f"}]}, "length"),
        ({"name": "g", "members": [{"type": "group", "name": "h", "members": []}] * 2}, "group"),
        ({"members": [{"type": "file", "path": "f"}] * 2}, "name"),
    ],
)
def test_configurations_that_are_refused(given: dict[str, Any], match: str) -> None:
    with pytest.raises(ConfigError, match=match):
        load(LogshipConfig, {"receivers": [{"type": "group", **given}]})
