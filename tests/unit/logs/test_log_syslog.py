"""Syslog and JSON lines reach a real rsyslogd whole and in order; what is wrong with a receiver is told."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from batches import AT, batch, numbered
from certificates import Authority
from peers import peer, refused_port, silent
from rsyslog_rig import Rsyslog, keys
from waiting import until

from voltscope.configuration import load
from voltscope.errors import ConfigError, ReceiverError
from voltscope.logs.record import STDERR, Batch, document, event_id, iso
from voltscope.logs.settings import LogshipConfig, SyslogReceiver
from voltscope.logs.transports.framing import LARGEST_DATAGRAM, as_datagrams
from voltscope.logs.transports.syslog import Rfc3164, Rfc5424, SyslogTransport

Start = Callable[..., Rsyslog]
TRACEBACK = "Traceback (most recent call last):\n  File x\nValueError: bad"


def to(port: int, timeout_s: float = 10.0, host: str = "127.0.0.1", **further: object) -> SyslogTransport:
    return SyslogTransport(SyslogReceiver(host=host, port=port, **further), timeout_s)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("protocol", "framing"), [("tcp", "newline"), ("tcp", "octet-counting"), ("udp", None), ("tls", None)]
)
def test_a_record_arrives_with_all_it_carries(
    rsyslog: Start, authority: Authority, protocol: str, framing: str | None
) -> None:
    receiver = rsyslog("tls" if protocol == "tls" else "plain", authority)
    further = keys(authority) if protocol == "tls" else {}
    transport = to(receiver.port, protocol=protocol, framing=framing, **further)
    sent = batch('first "quoted] \\ ü € 𐍈', TRACEBACK, agent="demo agent[1]", version='1"2')
    transport.send(sent)
    until(lambda: len(receiver.received()) >= 2)
    transport.close()
    first, second = receiver.received()
    assert first["message"] == 'first "quoted] \\ ü € 𐍈'
    assert (first["app"], first["pid"], first["severity"], first["host"]) == ("demo_agent[1]", "77", "info", "edge1")
    assert first["at"] == iso(AT / 1000)
    assert f'id="{event_id(sent.source.generation, 100)}"' in first["data"]
    for data in ('sequence="1"', 'site="north"', 'spool="01SPOOL"', 'agent="demo agent[1\\]"', 'version="1\\"2"'):
        assert data in first["data"]
    assert second["message"] == (TRACEBACK.replace("\n", "\\n") if framing == "newline" else TRACEBACK)
    assert 'error_type="ValueError"' in second["data"]


def test_many_records_arrive_in_order(rsyslog: Start) -> None:
    receiver = rsyslog("plain")
    transport = to(receiver.port, framing="octet-counting")
    for first in range(1, 5000, 1000):
        transport.send(numbered(first, 1000))
    until(lambda: len(receiver.received()) == 5000)
    transport.close()
    assert [each["message"] for each in receiver.received()] == [f"record {number}" for number in range(1, 5001)]


def test_the_older_format_arrives(rsyslog: Start) -> None:
    receiver = rsyslog("plain")
    transport = to(receiver.port, format="rfc3164")
    transport.send(batch("old\nstyle", agent="platform.driver", level=40))
    until(lambda: len(receiver.received()) == 1)
    transport.close()
    (seen,) = receiver.received()
    assert (seen["message"].strip(), seen["tag"], seen["severity"]) == ("old\\nstyle", "platform.driver[77]:", "err")
    local = time.localtime(AT // 1000)
    assert seen["raw"].startswith(f"<131>{time.strftime('%b', local)} {local.tm_mday:2d} {time.strftime('%T', local)} ")


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_json_lines_are_elastic_common_schema(protocol: str) -> None:
    sent = batch("line\nfeed", TRACEBACK, "ü\0\u2028", flags=STDERR, version="1.2")
    received = take(sent, protocol=protocol, body="json")
    assert [json.loads(line) for line in received.splitlines()] == [document(sent, index) for index in range(3)]


def take(sent: Batch, protocol: str, **further: object) -> bytes:
    """All bytes that arrive at a plain socket, datagrams with a newline behind each."""
    if protocol == "udp":
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(10)
            transport = to(server.getsockname()[1], protocol="udp", **further)
            transport.send(sent)
            transport.close()
            return b"\n".join(server.recv(1 << 17) for _ in sent.records)
    received = bytearray()

    def collect(connection: socket.socket) -> None:
        while data := connection.recv(1 << 16):
            received.extend(data)
        done.set()

    done = threading.Event()
    with peer(collect) as port:
        transport = to(port, **further)
        transport.send(sent)
        transport.close()
        assert done.wait(60)
    return bytes(received)


def test_octet_counts_are_of_bytes() -> None:
    data = take(batch("ascii", "ü€𐍈\n", "half a pair \ud800"), "tcp", framing="octet-counting")
    seen = []
    while data:
        length, _, rest = data.partition(b" ")
        seen.append(rest[: int(length)].decode().partition("] ")[2])
        data = rest[int(length) :]
    assert seen == ["ascii", "ü€𐍈\n", "half a pair ?"]


@pytest.mark.parametrize("text", ["x" * 200_000, "€" * 70_000, "\n" * 70_000])
@pytest.mark.parametrize("body", ["text", "json"])
def test_a_datagram_is_never_too_long(text: str, body: str) -> None:
    sent = batch("before", text, "after")
    lines = take(sent, "udp", body=body).split(b"\n<" if body == "text" else b"\n{")
    assert len(lines) == 3
    assert 0.6 * LARGEST_DATAGRAM < len(lines[1]) <= LARGEST_DATAGRAM
    lines[1].decode()
    if body == "json":
        cut = json.loads(b"{" + lines[1])
        assert cut["labels"]["cut"] == "true"
        assert text.startswith(cut["message"])


def test_a_receivers_hang_up_is_seen_before_anything_is_lost(rsyslog: Start) -> None:
    receiver = rsyslog("plain")
    transport = to(receiver.port)
    transport.send(numbered(1, 3))
    until(lambda: len(receiver.received()) == 3)
    receiver.stop()
    with pytest.raises(ReceiverError, match="Connection refused"):
        transport.send(numbered(4, 3))
    receiver.start()
    transport.send(numbered(4, 3))
    until(lambda: len(receiver.received()) == 6)
    transport.close()
    assert [each["message"] for each in receiver.received()] == [f"record {number}" for number in range(1, 7)]


def test_a_receiver_that_reads_nothing_is_told_from_one_that_is_away() -> None:
    with peer(silent) as port:
        transport = to(port, timeout_s=0.5)
        started = time.monotonic()
        with pytest.raises(ReceiverError, match=r"accepts connections and reads nothing: [0-9]+ bytes have waited"):
            for first in range(1, 100):
                transport.send(batch("x" * 1_000_000, first=first))
        assert time.monotonic() - started < 30
        transport.close()
    with pytest.raises(ReceiverError, match="Connection refused"):
        to(refused_port()).send(numbered(1, 1))


def test_a_receiver_that_dies_with_records_unread_is_noticed() -> None:
    def dies(connection: socket.socket) -> None:
        connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with peer(dies) as port:
        transport = to(port)
        with pytest.raises(ReceiverError, match=r"reset|closed|Broken pipe"):
            for first in range(1, 100):
                transport.send(batch("x" * 100_000, first=first))


def test_what_a_receiver_says_does_not_matter() -> None:
    def chatters(connection: socket.socket) -> None:
        while connection.recv(1 << 16):
            connection.sendall(b"220 garbage\r\n" * 1000)

    with peer(chatters) as port:
        transport = to(port)
        for first in range(1, 50):
            transport.send(numbered(first, 1))
        transport.close()


@pytest.mark.parametrize("host", ["no-such-host.invalid", "a" * 70, "x..y"])
@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_a_host_that_cannot_be_found_is_named(host: str, protocol: str) -> None:
    transport = to(514, host=host, protocol=protocol)
    with pytest.raises(ReceiverError, match=f"syslog.{protocol}://{host}:514 does not take log records"):
        transport.send(numbered(1, 1))


def test_datagrams_find_the_address_where_somebody_listens() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        transport = to(server.getsockname()[1], host="localhost", protocol="udp")
        for _ in range(4):  # the refusal of a datagram is told to the next one
            with contextlib.suppress(ReceiverError):
                transport.send(numbered(1, 2))
        assert server.recv(1 << 16)
        transport.close()


class TestTls:
    def test_a_certificate_nobody_known_signed_is_refused(
        self, rsyslog: Start, authority: Authority, tmp_path: Path
    ) -> None:
        receiver = rsyslog("tls", authority)
        wrong = {**keys(authority), "ca_file": str(Authority(tmp_path / "another").certificate)}
        with pytest.raises(ReceiverError, match=r"certificate verify failed.*Check ca_file"):
            to(receiver.port, protocol="tls", **wrong).send(numbered(1, 1))

    def test_the_certificate_must_have_the_servers_name(self, rsyslog: Start, authority: Authority) -> None:
        receiver = rsyslog("tls", authority)
        ours = keys(authority)
        with pytest.raises(ReceiverError, match="certificate is not valid for 'elsewhere'"):
            to(receiver.port, protocol="tls", server_name="elsewhere", **ours).send(numbered(1, 1))
        to(receiver.port, protocol="tls", server_name="localhost", **ours).send(numbered(1, 1))
        until(lambda: len(receiver.received()) == 1)

    @pytest.mark.parametrize("ours", ["none", "a stranger's"])
    def test_a_receiver_that_does_not_like_our_certificate_gets_nothing(
        self, rsyslog: Start, authority: Authority, ours: str
    ) -> None:
        receiver = rsyslog("tls", authority)
        given = keys(authority, "stranger") if ours != "none" else {"ca_file": str(authority.certificate)}
        transport = to(receiver.port, protocol="tls", **given)
        for _ in range(3):
            with pytest.raises(ReceiverError):
                transport.send(numbered(1, 1))
        assert receiver.received() == []

    def test_a_receiver_without_tls_is_refused(self, rsyslog: Start, authority: Authority) -> None:
        receiver = rsyslog("plain")
        transport = to(receiver.port, timeout_s=0.5, protocol="tls", ca_file=str(authority.certificate))
        with pytest.raises(ReceiverError):
            transport.send(numbered(1, 1))

    def test_files_that_cannot_be_loaded_are_named(self, authority: Authority, tmp_path: Path) -> None:
        ours = keys(authority)
        garbage = tmp_path / "garbage.pem"
        garbage.write_text("garbage")
        with pytest.raises(ConfigError, match=r"ca_file.*nowhere.pem"):
            to(1, protocol="tls", ca_file=str(tmp_path / "nowhere.pem"))
        with pytest.raises(ConfigError, match=r"ca_file.*garbage.pem"):
            to(1, protocol="tls", ca_file=str(garbage))
        with pytest.raises(ConfigError, match=r"certificate_file.*edge1.pem with key .*garbage.pem"):
            to(1, protocol="tls", **{**ours, "key_file": str(garbage)})


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"protocol": "tcp", "ca_file": "x"}, "ca_file is for TLS"),
        ({"protocol": "tls", "key_file": "x"}, "key_file needs certificate_file"),
        ({"port": 0}, "port"),
        ({"framing": "stx"}, r"receivers\[0\].framing: found 'stx'; allowed: newline, octet-counting"),
        ({"protocol": "sctp"}, r"receivers\[0\].protocol: found 'sctp'; allowed: tcp, udp, tls"),
        ({"type": "sylog"}, r"receivers\[0\].type: found 'sylog'; allowed: syslog, relp, "),
        ({"cafile": "x"}, r"receivers\[0\].cafile: found an unknown key; allowed: .*ca_file.*host, port, protocol"),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(given: dict[str, object], complaint: str) -> None:
    receiver = {"type": "syslog", "host": "h", "port": 514, **given}
    with pytest.raises(ConfigError, match=complaint):
        load(LogshipConfig, {"receivers": [receiver]})


def test_receivers_configured_so_far_mean_what_they_meant() -> None:
    config = load(
        LogshipConfig, {"receivers": [{"type": "syslog", "host": "h", "port": 5514, "framing": "octet-counting"}]}
    )
    (receiver,) = config.receivers
    assert isinstance(receiver, SyslogReceiver)
    assert SyslogTransport(receiver).name == "syslog+tcp://h:5514"
    assert receiver.protocol == "tcp"


def test_what_is_remembered_of_kinds_of_records_is_bounded() -> None:
    render = Rfc5424(one_line=True)
    for first in range(1, 50_000, 1000):
        render(batch(*["x"] * 1000, first=first, line=first))
        for index in range(200):
            render(batch("x", line=first * 1000 + index))
    assert len(render._kinds) < 6000


def test_times_are_right_across_seconds_and_centuries() -> None:
    render = Rfc5424(one_line=True)
    sent = batch("a", "b", "c", "d", "e")
    for record, at in zip(sent.records, (AT, AT + 876, AT + 877, -1, 253_402_300_799_999), strict=True):
        record.at = at
    seen = [text.split()[1] for text in render(sent)]
    assert seen == [
        "2026-11-21T04:00:00.123Z",
        "2026-11-21T04:00:00.999Z",
        "2026-11-21T04:00:01.000Z",
        "1969-12-31T23:59:59.999Z",
        "9999-12-31T23:59:59.999Z",
    ]
    assert len(as_datagrams(Rfc3164(one_line=False), sent)) == 5
