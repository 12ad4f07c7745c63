"""Records reach a real rsyslogd whole and in order, also one that was away."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from logs_rig import Rig

from voltscope.logs.shipper import Shipper
from voltscope.logs.transports.syslog import SyslogTransport

RSYSLOGD = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
if RSYSLOGD is None and os.environ.get("CI"):
    pytest.fail("rsyslogd is missing: apt-get install rsyslog", pytrace=False)
pytestmark = pytest.mark.skipif(RSYSLOGD is None, reason="needs rsyslogd")

CONFIGURATION = """
global(workDirectory="{folder}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off")
module(load="imtcp")
module(load="imudp")
template(name="json" type="list" option.jsonf="on") {{
    property(outname="message" name="msg" format="jsonf")
    property(outname="app" name="app-name" format="jsonf")
    property(outname="pid" name="procid" format="jsonf")
    property(outname="severity" name="syslogseverity-text" format="jsonf")
    property(outname="at" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="data" name="structured-data" format="jsonf")
}}
ruleset(name="keep") {{ action(type="omfile" file="{folder}/received" template="json") }}
input(type="imtcp" address="127.0.0.1" port="{port}" ruleset="keep")
input(type="imudp" address="127.0.0.1" port="{port}" ruleset="keep")
"""


class Receiver:
    def __init__(self, folder: Path) -> None:
        self.folder, self.process = folder, None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (folder / "rsyslog.conf").write_text(CONFIGURATION.format(folder=folder, port=self.port))

    def start(self) -> None:
        assert RSYSLOGD is not None
        command = [RSYSLOGD, "-n", "-f", str(self.folder / "rsyslog.conf"), "-i", str(self.folder / "pid")]
        self.process: subprocess.Popen[bytes] | None = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        _until(self._listens)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def received(self) -> list[dict[str, str]]:
        try:
            lines = (self.folder / "received").read_text().splitlines()
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines]


def _until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    folder = tmp_path / "receiver"
    folder.mkdir()
    made = Receiver(folder)
    yield made
    made.stop()


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    (tmp_path / "site").mkdir()
    rig = Rig(tmp_path / "site")
    rig.store.set_labels({"site": "north", "instance": "vm", "host": "edge1"})
    return rig


@pytest.mark.parametrize(
    ("protocol", "framing"), [("tcp", "newline"), ("tcp", "octet-counting"), ("udp", "octet-counting")]
)
def test_a_record_arrives_with_all_it_carries(receiver: Receiver, rig: Rig, protocol: str, framing: str) -> None:
    receiver.start()
    rig.write('first "quoted] \\ ü', "Traceback (most recent call last):\n  File x\nValueError: bad")
    rig.drain()
    shipper = Shipper(rig.store, SyslogTransport("127.0.0.1", receiver.port, protocol, framing))
    shipper.start()
    try:
        _until(lambda: len(receiver.received()) >= 2)
    finally:
        shipper.stop()
    first, second = receiver.received()
    hit = rig.hits()[0]
    assert first["message"].strip() == 'first "quoted] \\ ü'
    assert (first["app"], first["pid"], first["severity"]) == ("unknown", "77", "info")
    assert first["at"] == hit.doc()["@timestamp"]
    assert f'id="{hit.event_id}"' in first["data"]
    assert 'site="north"' in first["data"]
    newline = "\\n" if framing == "newline" else "\n"
    assert second["message"].strip() == newline.join(
        ["Traceback (most recent call last):", "  File x", "ValueError: bad"]
    )
    assert 'error_type="ValueError"' in second["data"]


def test_a_receiver_that_was_away_gets_everything_in_order(receiver: Receiver, rig: Rig) -> None:
    shipper = Shipper(rig.store, SyslogTransport("127.0.0.1", receiver.port, "tcp", "octet-counting"))
    shipper.start()
    try:
        rig.write(*[f"before {i}" for i in range(300)])
        rig.drain()
        _until(lambda: shipper.delivery.failures > 0)
        assert not shipper.delivery.up
        receiver.start()
        _until(lambda: len(receiver.received()) == 300)
        receiver.stop()
        rig.write(*[f"meanwhile {i}" for i in range(300)])
        rig.drain()
        _until(lambda: not shipper.delivery.up)
        assert len(rig.hits()) == 600  # reading never waited for the receiver
        receiver.start()
        rig.write("after")
        rig.drain()
        _until(lambda: len(receiver.received()) == 601)
    finally:
        shipper.stop()
    wanted = [f"before {i}" for i in range(300)] + [f"meanwhile {i}" for i in range(300)] + ["after"]
    assert [entry["message"].strip() for entry in receiver.received()] == wanted


def test_a_restarted_shipper_goes_on_where_it_stopped(receiver: Receiver, rig: Rig) -> None:
    receiver.start()
    for number in range(3):
        rig.write(f"record {number}")
        rig.drain()
        shipper = Shipper(rig.store, SyslogTransport("127.0.0.1", receiver.port, "tcp", "newline"))
        shipper.start()
        count = number + 1
        name = shipper.transport.name
        _until(lambda name=name, count=count: rig.store.cursor(name) == count)  # type: ignore[misc]
        shipper.stop()
    _until(lambda: len(receiver.received()) == 3)
    assert [entry["message"].strip() for entry in receiver.received()] == ["record 0", "record 1", "record 2"]
