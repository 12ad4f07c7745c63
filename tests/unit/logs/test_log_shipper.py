"""From the spool to receivers: everything, in order, from where it stopped, whatever the receiver does."""

from __future__ import annotations

import json
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from batches import batch
from delivering import delivered, shipping
from peers import peer, refused_port, silent
from servers.lumberjack.server import Lumberjack
from servers.missing import PeerMissing, without
from waiting import until

from voltscope.errors import ReceiverError
from voltscope.logs import shipper as shipper_module
from voltscope.logs.delivery_metrics import receiver_families
from voltscope.logs.record import Batch
from voltscope.logs.settings import FileReceiver, GroupReceiver, LumberjackReceiver
from voltscope.logs.shipper import Shipper
from voltscope.logs.spool import Limits, Position, Spool
from voltscope.logs.transports.base import Transport, transport_for
from voltscope.outbound.circuit import Circuit


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool.open(tmp_path / "spool")
    yield made
    made.close()


def add(spool: Spool, count: int, size: int = 20, created: float | None = None) -> None:
    """`count` records as one frame; `created`: seconds since the epoch, now when left out."""
    first = spool.last + 1
    made = batch(*[f"record {number} " + "x" * size for number in range(first, first + count)], first=first)
    made.created = round((time.time() if created is None else created) * 1000)
    position = Position("/log", 1, 2, b"h", 100 * (first + count), "", time.time())
    spool.append(Batch(made.origin, made.source, made.created, made.records), position)


def file(tmp_path: Path) -> Transport:
    return transport_for(FileReceiver(path=str(tmp_path / "out")), tmp_path)


def sequences(path: Path) -> list[int]:
    return [json.loads(line)["event"]["sequence"] for line in path.read_text().splitlines()]


def test_a_new_receiver_gets_everything_in_order(spool: Spool, tmp_path: Path) -> None:
    add(spool, 5000)
    add(spool, 3)
    with shipping(spool, file(tmp_path)) as shipper:
        until(delivered(spool, shipper))
        add(spool, 4)
        until(delivered(spool, shipper))
        status = shipper.status()
    assert sequences(tmp_path / "out") == list(range(1, 5008))
    assert (status["up"], status["circuit"], status["sent"], status["behind"]) == (True, "closed", 5007, 0)
    assert (status["missed"], status["failures"], status["error"], status["oldest_waiting_s"]) == (0, 0, None, 0.0)


def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for _ in range(3):
        spool = Spool.open(tmp_path / "spool")
        add(spool, 10)
        with shipping(spool, file(tmp_path)) as shipper:
            until(delivered(spool, shipper))
        spool.close()
    assert sequences(tmp_path / "out") == list(range(1, 31))


def test_each_receiver_has_its_own_pace(spool: Spool, tmp_path: Path) -> None:
    dead = transport_for(LumberjackReceiver(host="127.0.0.1", port=refused_port()), tmp_path)
    add(spool, 100, created=time.time() - 60)
    with shipping(spool, dead) as waits, shipping(spool, file(tmp_path)) as works:
        until(delivered(spool, works))
        until(lambda: waits.status()["failures"] > 3)
        status = waits.status()
    assert (status["up"], status["sent"], status["behind"]) == (False, 0, 100)
    assert status["circuit"] in ("open", "half-open") and "Connection refused" in status["error"]
    assert 59 < status["oldest_waiting_s"] < 90
    assert spool.cursor(dead.name) == 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Lumberjack]:
    try:
        made = Lumberjack(tmp_path / "received", "-pause", "2ms")
    except PeerMissing as error:
        without(error)
    made.start()
    yield made
    made.kill()


def test_a_receiver_that_is_killed_again_and_again_loses_nothing(
    spool: Spool, server: Lumberjack, tmp_path: Path
) -> None:
    transport = transport_for(LumberjackReceiver(host="127.0.0.1", port=server.port, window=100), tmp_path)
    stop = threading.Event()

    def killer() -> None:
        while not stop.wait(0.1):
            before = server.received()
            while server.received() == before and not stop.wait(0.02):
                pass  # on a busy machine it would be killed each time before anything came
            server.kill()
            server.start()

    thread = threading.Thread(target=killer)
    thread.start()
    try:
        with shipping(spool, transport) as shipper:
            for _ in range(40):
                add(spool, 500)
            until(delivered(spool, shipper))
            failures = shipper.status()["failures"]
    finally:
        stop.set()
        thread.join()
    assert failures
    assert {event["event"]["sequence"] for event in server.events()} == set(range(1, 20_001))


def test_what_retention_took_first_is_counted(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(segment_bytes=50_000, total_bytes=200_000, cache_bytes=0))
    transport = file(tmp_path)
    add(spool, 100)
    with shipping(spool, transport) as shipper:
        until(delivered(spool, shipper))
    for _ in range(30):
        add(spool, 100, size=300)
    missed = spool.first - 101
    assert missed > 0
    with shipping(spool, file(tmp_path)) as shipper:
        until(delivered(spool, shipper))
        assert shipper.status()["missed"] == missed
    assert sequences(tmp_path / "out") == [*range(1, 101), *range(spool.first, 3101)]
    spool.close()


def test_a_dead_receiver_costs_no_memory(spool: Spool, tmp_path: Path) -> None:
    transport = transport_for(LumberjackReceiver(host="127.0.0.1", port=refused_port()), tmp_path)
    with shipping(spool, transport, 0.0001, 0.0001) as shipper:
        add(spool, 2000, size=500)
        until(lambda: shipper.status()["failures"] > 50)
        tracemalloc.start()
        try:
            begun, before = shipper.status()["failures"], tracemalloc.get_traced_memory()[0]
            until(lambda: shipper.status()["failures"] > begun + 1440, seconds=300)  # a day of tries once a minute
            grown = tracemalloc.get_traced_memory()[0] - before
        finally:
            tracemalloc.stop()
    assert grown < 5_000_000  # the batch being tried, at most


def test_stopping_does_not_wait_for_a_receiver_that_says_nothing(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper_module, "_STOP_S", 0.2)
    add(spool, 10)
    with peer(silent) as port:
        transport = transport_for(LumberjackReceiver(host="127.0.0.1", port=port), tmp_path)
        shipper = Shipper(spool, transport)
        shipper.start()
        until(lambda: shipper.status()["oldest_waiting_s"] > 0)
        begun = time.monotonic()
        shipper.stop()
        assert time.monotonic() - begun < 25


class Broken(Transport):
    """A transport with a fault of ours, which heals."""

    name, promise = "broken", "nothing"

    def __init__(self, faults: int) -> None:
        self.faults, self.taken = faults, 0

    def send(self, batch: Batch) -> None:
        if self.faults:
            self.faults -= 1
            raise ZeroDivisionError("division by zero")
        self.taken += len(batch.records)

    def close(self) -> None:
        pass


def test_a_fault_of_ours_ends_no_shipping(spool: Spool) -> None:
    add(spool, 10)
    transport = Broken(3)
    with shipping(spool, transport) as shipper:
        until(delivered(spool, shipper))
        assert shipper.status()["failures"] == 3
    assert transport.taken == 10


def test_how_soon_records_arrive_is_told(spool: Spool, tmp_path: Path) -> None:
    now = time.time()
    add(spool, 4, created=now)
    add(spool, 2, created=now - 30)
    with shipping(spool, file(tmp_path)) as shipper:
        until(delivered(spool, shipper))
        families = {family["name"]: family for family in receiver_families([shipper.status()])}
    within = {
        sample["labels"]["within"]: sample["value"]
        for sample in families["voltscope_log_delivered_within_total"]["samples"]
    }
    assert within["10"] == 4 and within["60"] == within["600"] == 6
    (total,) = families["voltscope_log_delivery_seconds_total"]["samples"]
    assert 60 <= total["value"] < 120


def test_members_of_a_group_are_told_of_apart(spool: Spool, tmp_path: Path) -> None:
    members = (LumberjackReceiver(host="127.0.0.1", port=refused_port()), FileReceiver(path=str(tmp_path / "out")))
    add(spool, 10)
    with shipping(spool, transport_for(GroupReceiver(name="both", members=members), tmp_path)) as shipper:
        until(delivered(spool, shipper))
        families = {family["name"]: family for family in receiver_families([shipper.status()])}
    sent = {sample["labels"]["key"]: sample["value"] for sample in families["voltscope_log_sent_total"]["samples"]}
    port = members[0].port
    assert sent == {
        "group:both": 10,
        f"group:both/lumberjack://127.0.0.1:{port}": 0,
        f"group:both/file://{tmp_path / 'out'}": 10,
    }
    assert sequences(tmp_path / "out") == list(range(1, 11))


class Joins(Transport):
    """Takes several batches as one, and fails as often as told."""

    name, promise, joins, max_records = "joins", "acknowledged", True, 10

    def __init__(self, faults: int) -> None:
        self.faults = faults
        self.calls: list[list[tuple[int, int]]] = []

    def send(self, batch: Batch) -> None:
        self.send_all([batch])

    def send_all(self, batches: Sequence[Batch]) -> None:
        self.calls.append([(batch.first, batch.last) for batch in batches])
        if len(self.calls) <= self.faults:
            raise ReceiverError("not now")

    def close(self) -> None:
        pass


def test_small_batches_go_together_and_after_a_failure_the_same_ones(spool: Spool) -> None:
    add(spool, 3)
    transport = Joins(faults=2)
    shipper = Shipper(spool, transport, Circuit(0.01, 0.01))
    for _ in range(2):
        with pytest.raises(ReceiverError):
            shipper._step()
        add(spool, 4)
    for _ in range(3):
        shipper._step()
    assert transport.calls == [[(1, 3)], [(1, 3)], [(1, 3)], [(4, 7), (8, 11)]]
    add(spool, 25)
    for _ in range(3):
        shipper._step()
    assert transport.calls[4:] == [[(12, 21)], [(22, 31)], [(32, 36)]]
    assert shipper.status()["sent"] == 36
