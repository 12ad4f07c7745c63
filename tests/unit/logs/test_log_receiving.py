"""All receivers of a configuration together."""

from __future__ import annotations

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
from voltscope.logs.transports.base import transport_for


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    made = Spool.open(tmp_path / "spool")
    sent = batch("one", "two")
    position = Position("/log", 1, 2, b"h", 100, "", time.time())
    made.append(Batch(sent.origin, sent.source, sent.created, sent.records), position)
    yield made
    made.close()


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


def test_two_receivers_of_one_name_are_refused(spool: Spool, tmp_path: Path) -> None:
    one, other = (
        GroupReceiver(name="both", members=tuple(FileReceiver(path=str(tmp_path / name)) for name in names))
        for names in ("ab", "cd")
    )
    receiving = Receiving(tmp_path, spool)
    assert len(receiving.prepare([one])[0]) == 1
    with pytest.raises(ConfigError, match="two that are group:both"):
        receiving.prepare([one, other])
