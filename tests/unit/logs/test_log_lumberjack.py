"""Lumberjack against a real Beats input built on Elastic's Go library, and against receivers that do not keep to it."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from batches import GENERATION, batch, numbered
from certificates import Authority
from peers import peer, refused_port, silent
from servers.lumberjack.server import Lumberjack
from servers.missing import PeerMissing, without

from voltscope.errors import ConfigError, ReceiverError
from voltscope.logs.record import document
from voltscope.logs.settings import LumberjackReceiver
from voltscope.logs.transports.lumberjack import LumberjackTransport


@contextmanager
def beats(out: Path, *options: str) -> Iterator[Lumberjack]:
    try:
        server = Lumberjack(out, *options)
    except PeerMissing as error:
        without(error)
    server.start()
    try:
        yield server
    finally:
        server.kill()


@contextmanager
def sender(port: int, ack_s: float = 10.0, patience_s: float = 10.0, **keys: object) -> Iterator[LumberjackTransport]:
    receiver = LumberjackReceiver(host="127.0.0.1", port=port, **keys)  # type: ignore[arg-type]
    transport = LumberjackTransport(receiver, ack_s, patience_s)
    try:
        yield transport
    finally:
        transport.close()


def sequences(server: Lumberjack) -> list[int]:
    return [event["event"]["sequence"] for event in server.events()]


@pytest.mark.parametrize("compression", [0, 3])
def test_documents_arrive_whole_and_in_order(tmp_path: Path, compression: int) -> None:
    sent = batch("one", "two\nTraceback (most recent call last):\n  x\nValueError: häßlich", "three\x00\x7f")
    with beats(tmp_path / "out") as server, sender(server.port, compression=compression) as transport:
        transport.send(sent)
        transport.send(numbered(4, 2))
        events = server.events()
    assert [event["event"]["sequence"] for event in events] == [1, 2, 3, 4, 5]
    for index, event in enumerate(events[:3]):
        metadata = event.pop("@metadata")
        assert (metadata["beat"], metadata["_id"]) == ("voltscope", event["event"]["id"])
        assert event == document(sent, index)
    assert events[0]["event"]["id"].startswith(GENERATION)


def test_a_record_of_ten_megabytes_has_a_window_of_its_own(tmp_path: Path) -> None:
    with beats(tmp_path / "out") as server, sender(server.port) as transport:
        transport.send(batch("small", "x" * 10_000_000, "after"))
        assert [len(event["message"]) for event in server.events()] == [5, 10_000_000, 5]


def test_a_receiver_killed_and_restarted_mid_stream_loses_nothing(tmp_path: Path) -> None:
    count, size = 120, 50
    # acknowledged a while after it was written: kills fall between the two as well
    with beats(tmp_path / "out", "-pause", "5ms") as server, sender(server.port) as transport:
        done, failures = 0, 0
        stop = threading.Event()

        def killer() -> None:
            while not stop.wait(0.15):
                before = server.received()
                while server.received() == before and not stop.wait(0.02):
                    pass  # on a busy machine it would be killed each time before anything came
                server.kill()
                server.start()

        thread = threading.Thread(target=killer)
        thread.start()
        try:
            while done < count:
                try:
                    transport.send(numbered(1 + done * size, size))
                    done += 1
                except ReceiverError as error:
                    assert not error.permanent
                    failures += 1
                    time.sleep(0.01)
        finally:
            stop.set()
            thread.join()
        found = Counter(sequences(server))
    assert set(found) == set(range(1, count * size + 1))
    assert failures


def test_while_the_receiver_says_it_is_at_work_it_is_waited_for(tmp_path: Path) -> None:
    with beats(tmp_path / "out", "-pause", "1s") as server, sender(server.port, ack_s=0.5) as transport:
        transport.send(numbered(1, 3))  # go-lumber gives a sign each 0.2 s
        assert sequences(server) == [1, 2, 3]


def test_tls_with_a_client_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    certificate, key = authority.sign("server", "IP:127.0.0.1")
    ours, our_key = authority.sign("edge1", "DNS:edge1")
    ca = str(authority.certificate)
    options = ("-cert", str(certificate), "-key", str(key), "-ca", ca)
    with beats(tmp_path / "out", *options) as server:
        keys = {"tls": True, "ca_file": ca, "certificate_file": str(ours), "key_file": str(our_key)}
        with sender(server.port, **keys) as transport:
            assert transport.name.startswith("lumberjack+tls://")
            transport.send(numbered(1, 3))
        with sender(server.port, tls=True, ca_file=ca) as transport, pytest.raises(ReceiverError, match="not take"):
            transport.send(numbered(4, 1))
        stranger = str(Authority(tmp_path / "stranger").certificate)
        with (
            sender(server.port, **{**keys, "ca_file": stranger}) as transport,
            pytest.raises(ReceiverError, match=r"certificate verify failed.*Check ca_file"),
        ):
            transport.send(numbered(4, 1))
        assert sequences(server) == [1, 2, 3]


def test_keys_that_are_not_there_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="ca_file"):
        LumberjackTransport(LumberjackReceiver(host="h", port=1, tls=True, ca_file=str(tmp_path / "none")))


def _window(connection: socket.socket) -> list[dict[str, object]]:
    """Read one uncompressed window."""
    stream = connection.makefile("rb")
    assert stream.read(2) == b"2W"
    (count,) = struct.unpack(">I", stream.read(4))
    assert stream.read(2) == b"2C"
    inner = zlib.decompress(stream.read(struct.unpack(">I", stream.read(4))[0]))
    documents = []
    for number in range(1, count + 1):
        assert struct.unpack(">2sI", inner[:6]) == (b"2J", number)
        (length,) = struct.unpack(">I", inner[6:10])
        documents.append(json.loads(inner[10 : 10 + length]))
        inner = inner[10 + length :]
    assert not inner
    return documents


def _ack(number: int) -> bytes:
    return struct.pack(">2sI", b"2A", number)


def test_what_was_acknowledged_of_a_batch_is_not_sent_again() -> None:
    windows: list[list[object]] = []

    def act(connection: socket.socket) -> None:
        windows.append([event["event"]["sequence"] for event in _window(connection)])  # type: ignore[index]
        connection.sendall(_ack(0) + _ack(4) + _ack(7)[:3])
        if len(windows) > 1:
            connection.sendall(_ack(7)[3:] + _ack(0))
            connection.recv(1)

    with peer(act) as port, sender(port) as transport:
        with pytest.raises(ReceiverError, match="closed the connection"):
            transport.send(numbered(11, 11))
        transport.send(numbered(11, 11))
    assert windows == [list(range(11, 22)), list(range(15, 22))]


@pytest.mark.parametrize(
    ("said", "match", "permanent"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "no acknowledgement.*Beats input", True),
        (b"2B\0\0\0\1", "no acknowledgement", True),
        (b"1A\0\0\0\1", "no acknowledgement", True),
        (b"2A\0\1\0\0", "acknowledges 65536 records of 3", True),
        (b"2", "has not answered for 0.3 s", False),
        (b"", "has not answered for 0.3 s", False),
        (b"2A\0\0\0\2", "has not answered for 0.3 s", False),
    ],
)
def test_a_receiver_that_acknowledges_garbage_or_never_is_told_of(said: bytes, match: str, permanent: bool) -> None:
    def act(connection: socket.socket) -> None:
        _window(connection)
        connection.sendall(said)
        connection.recv(1)

    with peer(act) as port, sender(port, ack_s=0.3) as transport:
        with pytest.raises(ReceiverError, match=match) as raised:
            transport.send(numbered(1, 3))
        assert raised.value.permanent == permanent


def test_signs_of_life_alone_do_not_hold_us_for_ever() -> None:
    def act(connection: socket.socket) -> None:
        _window(connection)
        while True:
            connection.sendall(_ack(0))
            time.sleep(0.02)

    with (
        peer(act) as port,
        sender(port, patience_s=0.3) as transport,
        pytest.raises(ReceiverError, match="at work on 3 records"),
    ):
        transport.send(numbered(1, 3))


def test_a_receiver_that_never_reads_is_told_of() -> None:
    with (
        peer(silent) as port,
        sender(port, ack_s=0.3, compression=0) as transport,
        pytest.raises(ReceiverError, match="reads nothing"),
    ):
        transport.send(batch(*["x" * 1_000_000] * 30))


def test_an_idle_connection_that_the_receiver_gave_up_is_made_anew(tmp_path: Path) -> None:
    with beats(tmp_path / "out") as server, sender(server.port) as transport:
        transport.send(numbered(1, 2))
        server.kill()
        server.start()
        transport.send(numbered(3, 2))  # no error: nobody has to retry what was never sent
        assert sequences(server) == [1, 2, 3, 4]


def test_nobody_there() -> None:
    with sender(refused_port()) as transport, pytest.raises(ReceiverError, match=r"refused.*running and reachable"):
        transport.send(numbered(1, 1))
