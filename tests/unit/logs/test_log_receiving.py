"""All receivers of a configuration together."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from batches import batch
from peers import peer, silent
from waiting import until

from voltscope.errors import ConfigError
from voltscope.logs import shipper as shipper_module
from voltscope.logs.receiving import Receiving
from voltscope.logs.record import Batch
from voltscope.logs.settings import FileReceiver, GroupReceiver, LumberjackReceiver
from voltscope.logs.shipper import Shipper, stop_all
from voltscope.logs.spool import Position, Spool
from voltscope.logs.transports.base import Transport, transport_for


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool.open(tmp_path / "spool")
    add(made)
    yield made
    made.close()


def add(spool: Spool) -> None:
    """Two records more."""
    sent = batch("one", "two", first=spool.last + 1)
    position = Position("/log", 1, 2, b"h", 100 * sent.last, "", time.time())
    spool.append(Batch(sent.origin, sent.source, sent.created, sent.records), position)


def test_receivers_that_say_nothing_are_waited_for_together(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper_module, "_STOP_S", 1.0)
    with peer(silent) as port:
        receiver = LumberjackReceiver(host="127.0.0.1", port=port)
        shippers = [Shipper(spool, transport_for(receiver, tmp_path)) for _ in range(30)]
        for shipper in shippers:
            shipper.start()
        until(lambda: all(shipper.status()["oldest_waiting_s"] > 0 for shipper in shippers))
        begun = time.monotonic()
        stop_all(shippers)
        assert time.monotonic() - begun < 25  # one after the other they take thirty


class Gate(Transport):
    """Takes nothing until it is `open`; `asked`: whether something was to be taken."""

    name, promise = "gate", "acknowledged"

    def __init__(self) -> None:
        self.open, self.asked = threading.Event(), threading.Event()

    def send(self, batch: Batch) -> None:
        self.asked.set()
        assert self.open.wait(60)

    def close(self) -> None:
        pass


def test_one_that_was_stopped_and_ends_late_sets_its_successor_not_back(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper_module, "_STOP_S", 0.0)
    late, after = Gate(), Gate()
    after.open.set()
    old, new = Shipper(spool, late), Shipper(spool, after)
    old.start()
    assert late.asked.wait(60)
    old.stop()
    new.start()
    add(spool)
    until(lambda: spool.cursor("gate") == 4)
    late.open.set()
    until(lambda: old.delivery.sent == 2 and not old._thread.is_alive())
    assert spool.cursor("gate") == 4
    new.stop()
    until(lambda: not new._thread.is_alive())


def test_two_receivers_of_one_name_are_refused(spool: Spool, tmp_path: Path) -> None:
    one, other = (
        GroupReceiver(name="both", members=tuple(FileReceiver(path=str(tmp_path / name)) for name in names))
        for names in ("ab", "cd")
    )
    receiving = Receiving(tmp_path, spool)
    assert len(receiving.prepare([one])[0]) == 1
    with pytest.raises(ConfigError, match="two that are group:both"):
        receiving.prepare([one, other])
