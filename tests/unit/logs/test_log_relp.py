"""RELP with a real rsyslogd: every record is acknowledged, and none is lost when the receiver is killed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from batches import batch, numbered
from certificates import Authority
from peers import peer, refused_port, silent
from rsyslog_rig import Rsyslog, keys
from waiting import until

from voltscope.errors import ConfigError, ReceiverError
from voltscope.logs.settings import RelpReceiver
from voltscope.logs.transports.relp import RelpTransport

Start = Callable[..., Rsyslog]
_OFFER = b"200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog"
OPENED = b"1 rsp %d %s\n" % (len(_OFFER), _OFFER)


def to(port: int, answer_s: float = 10.0, **further: object) -> RelpTransport:
    return RelpTransport(RelpReceiver(host="127.0.0.1", port=port, **further), answer_s)  # type: ignore[arg-type]


def numbers(receiver: Rsyslog) -> list[int]:
    found = [each["message"].removeprefix("record ") for each in receiver.received()]
    return [int(each) for each in found if each.isdecimal()]


@pytest.mark.parametrize("tls", [False, True])
def test_what_was_sent_is_there_when_send_returns(rsyslog: Start, authority: Authority, tls: bool) -> None:
    receiver = rsyslog("relp-tls" if tls else "relp", authority)
    transport = to(receiver.port, tls=tls, **(keys(authority) if tls else {}))
    transport.send(batch("ü€𐍈 multi\nline", "", "x" * 60_000))
    assert [each["message"] for each in receiver.received()] == ["ü€𐍈 multi\nline", "", "x" * 60_000]
    for first in range(4, 4000, 999):
        transport.send(numbered(first, 999))
        assert numbers(receiver)[-1] == first + 998
    transport.close()
    assert numbers(receiver) == list(range(4, 4000))


@pytest.mark.parametrize("window", [1, 7, 4096])
def test_any_window_will_do(rsyslog: Start, window: int) -> None:
    receiver = rsyslog("relp")
    transport = to(receiver.port, window=window)
    transport.send(numbered(1, 50))
    transport.close()
    assert numbers(receiver) == list(range(1, 51))


@pytest.mark.parametrize("tls", [False, True])
def test_nothing_is_lost_when_the_receiver_is_killed_again_and_again(
    rsyslog: Start, authority: Authority, tls: bool
) -> None:
    receiver = rsyslog("relp-tls" if tls else "relp", authority)
    transport = to(receiver.port, tls=tls, **(keys(authority) if tls else {}))
    kills = 5
    finished = threading.Event()

    def took_more_than(least: int) -> Callable[[], bool]:
        return lambda: len(receiver.received()) > least

    def killer() -> None:
        for _ in range(kills):
            until(took_more_than(len(receiver.received()) + 2000))
            receiver.kill()
            receiver.start()
        finished.set()

    thread = threading.Thread(target=killer)
    thread.start()
    next_one, failures, sent = 1, 0, False
    while not (sent and finished.is_set() and next_one > 15_000):
        try:
            transport.send(numbered(next_one, 1000))
            next_one, sent = next_one + 1000, True
        except ReceiverError:
            failures, sent = failures + 1, False
    thread.join()
    transport.close()
    seen = numbers(receiver)
    assert sorted(set(seen)) == list(range(1, next_one))
    assert failures >= kills
    # at most what was under way at each kill comes twice
    assert len(seen) - len(set(seen)) <= kills * 1000


def test_an_orderly_restart_loses_nothing_from_a_queue_in_memory_either(rsyslog: Start) -> None:
    receiver = rsyslog("relp", queue="LinkedList")
    transport = to(receiver.port)
    for first in (1, 1001, 2001):
        transport.send(numbered(first, 1000))
        receiver.stop()
        receiver.start()
    transport.close()
    assert numbers(receiver) == list(range(1, 3001))


def test_a_retry_begins_behind_what_was_acknowledged() -> None:
    sessions: list[list[int]] = []

    def half(connection: socket.socket) -> None:
        """Answers to the first 100 messages of a session, then hangs up; the second session takes all."""
        sessions.append([])
        for number, command, data in frames(connection):
            if command == b"open":
                connection.sendall(OPENED)
            elif command == b"syslog":
                sessions[-1].append(int(data.rpartition(b" ")[2]))
                connection.sendall(b"%d rsp 6 200 OK\n" % number)
                if len(sessions) == 1 and len(sessions[0]) == 100:
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(1 << 16):
                        pass
                    return

    with peer(half) as port:
        transport = to(port)
        with pytest.raises(ReceiverError):
            transport.send(numbered(1, 500))
        transport.send(numbered(1, 500))
        transport.close()
    assert sessions == [list(range(1, 101)), list(range(101, 501))]


def frames(connection: socket.socket) -> Iterator[tuple[int, bytes, bytes]]:
    """What a client sends, read as simply as can be: a second opinion on its framing."""
    with connection.makefile("rb") as stream:
        while True:
            words = []
            for _ in range(3):
                word = b""
                while (byte := stream.read(1)) not in (b" ", b"\n", b""):
                    word += byte
                words.append(word)
            if not words[0]:
                return
            data = stream.read(int(words[2])) if int(words[2]) else b""
            if int(words[2]):
                assert stream.read(1) == b"\n"
            yield int(words[0]), words[1], data


def test_a_session_is_ended_politely() -> None:
    commands: list[bytes] = []

    def record(connection: socket.socket) -> None:
        for number, command, _ in frames(connection):
            commands.append(command)
            connection.sendall(OPENED if command == b"open" else b"%d rsp 6 200 OK\n" % number)

    with peer(record) as port:
        transport = to(port)
        transport.send(numbered(1, 2))
        transport.close()
        transport.close()
    assert commands == [b"open", b"syslog", b"syslog", b"close"]


def test_answers_may_come_in_pieces_and_in_any_order() -> None:
    def shuffled(connection: socket.socket) -> None:
        waiting = []
        for number, command, _ in frames(connection):
            if command == b"open":
                answer = b"0 hint 3 abc\n" + OPENED  # hints that are not known are to be ignored
                for position in range(len(answer)):
                    connection.sendall(answer[position : position + 1])
            else:
                waiting.append(number)
            if len(waiting) == 10:
                for each in reversed(waiting):
                    connection.sendall(b"%d rsp 6 2" % each)
                    connection.sendall(b"00 OK\n")

    with peer(shuffled) as port:
        transport = to(port, window=10)
        transport.send(numbered(1, 10))
        transport.close()


def test_a_receiver_that_ended_the_session_while_nothing_was_sent_gets_a_new_one() -> None:
    sessions: list[int] = []

    def ends(connection: socket.socket) -> None:
        sessions.append(0)
        for number, command, _ in frames(connection):
            if command == b"open":
                connection.sendall(OPENED)
                continue
            sessions[-1] += 1
            connection.sendall(b"%d rsp 6 200 OK\n" % number)
            if sessions[-1] == 2:
                connection.sendall(b"0 serverclose 0\n")
                return

    with peer(ends) as port:
        transport = to(port)
        transport.send(numbered(1, 2))
        until(lambda: transport._connection.hung_up())
        transport.send(numbered(3, 2))
        transport.close()
    assert sessions == [2, 2]


GARBAGE = {
    b"HTTP/1.1 400 Bad Request\r\n\r\n": "which is not RELP",
    b"220 mail.example ESMTP\r\n": "which is not RELP",
    b"1 rsp 999999 200 OK\n": "which is not RELP",
    b"1 rsp 6 200 OKx": "which is not RELP",
    b"\0\0\0\0": "which is not RELP",
    b"7 rsp 6 200 OK\n": "is it a RELP receiver",
    b"1 rsp 6 200 OK\n": "does not take syslog messages",
    b"1 rsp 15 500 no sessions\n": "refuses the session: '500 no sessions'",
    b"": "closed the connection",
}


@pytest.mark.parametrize(("said", "complaint"), GARBAGE.items(), ids=range(len(GARBAGE)))
def test_a_receiver_that_is_none_is_told_of(said: bytes, complaint: str) -> None:
    def says(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(said)

    with peer(says) as port, pytest.raises(ReceiverError, match=complaint):
        to(port).send(numbered(1, 1))


WRONG_ANSWERS = {
    b"99 rsp 6 200 OK\n": "answers to 99, which is no message that waits",
    b"2 rsp 6 200 OK\n2 rsp 6 200 OK\n": "answers to 2, which is no message that waits",
    b"2 rsp 14 500 queue full\n": "refuses a record: '500 queue full'",
    b"2 syslog 2 hi\n": "sends 'syslog' instead of answers",
    b"0 serverclose 0\n": "ended the session",
    b"garbage": "'garbage', which is not RELP",
    b"2 rsp 6 200 OK garbage": "which is not RELP",
}


@pytest.mark.parametrize(("said", "complaint"), WRONG_ANSWERS.items(), ids=range(len(WRONG_ANSWERS)))
def test_acknowledgements_are_matched_and_garbage_acknowledges_nothing(said: bytes, complaint: str) -> None:
    def says(connection: socket.socket) -> None:
        for _, command, _ in frames(connection):
            connection.sendall(OPENED if command == b"open" else said)

    with peer(says) as port:
        transport = to(port, window=2)
        with pytest.raises(ReceiverError, match=complaint):
            transport.send(numbered(1, 3))


def test_a_receiver_that_never_answers_does_not_hold_up_for_ever() -> None:
    def opens_only(connection: socket.socket) -> None:
        for _, command, _ in frames(connection):
            if command == b"open":
                connection.sendall(OPENED)

    for behaviour in (silent, opens_only):
        with peer(behaviour) as port, pytest.raises(ReceiverError, match=r"has not answered for 0\.3 s"):
            to(port, answer_s=0.3).send(numbered(1, 3))
    with pytest.raises(ReceiverError, match="Connection refused"):
        to(refused_port()).send(numbered(1, 1))


def test_a_receiver_that_stops_reading_is_told_of() -> None:
    def opens_only(connection: socket.socket) -> None:
        connection.recv(1 << 16)
        connection.sendall(OPENED)
        silent(connection)

    with peer(opens_only) as port, pytest.raises(ReceiverError, match="accepts connections and reads nothing"):
        to(port, answer_s=0.5).send(batch(*["x" * 1_000_000] * 30))


def test_transaction_numbers_begin_again_after_the_last() -> None:
    seen: list[int] = []

    def record(connection: socket.socket) -> None:
        for number, command, _ in frames(connection):
            seen.append(number)
            connection.sendall(OPENED if command == b"open" else b"%d rsp 6 200 OK\n" % number)

    with peer(record) as port:
        transport = to(port)
        transport.send(numbered(1, 1))
        transport._number = 999_999_998
        transport.send(numbered(2, 3))
        transport.close()
    assert seen == [1, 2, 999_999_999, 1, 2, 3]


def test_an_empty_batch_needs_no_receiver() -> None:
    to(refused_port()).send(batch())


class TestTls:
    def test_a_certificate_nobody_known_signed_is_refused(
        self, rsyslog: Start, authority: Authority, tmp_path: Path
    ) -> None:
        receiver = rsyslog("relp-tls", authority)
        wrong = {**keys(authority), "ca_file": str(Authority(tmp_path / "another").certificate)}
        with pytest.raises(ReceiverError, match=r"certificate verify failed.*Check ca_file"):
            to(receiver.port, tls=True, **wrong).send(numbered(1, 1))

    @pytest.mark.parametrize("ours", ["none", "a stranger's"])
    def test_a_receiver_that_does_not_like_our_certificate_gets_nothing(
        self, rsyslog: Start, authority: Authority, ours: str
    ) -> None:
        receiver = rsyslog("relp-tls", authority)
        given = keys(authority, "stranger") if ours != "none" else {"ca_file": str(authority.certificate)}
        with pytest.raises(ReceiverError):
            to(receiver.port, tls=True, **given).send(numbered(1, 1))
        assert receiver.received() == []

    def test_files_that_cannot_be_loaded_are_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"ca_file.*nowhere"):
            to(1, tls=True, ca_file=str(tmp_path / "nowhere"))
