"""The root helper where somebody comes too often: it goes on serving, and does not write a line for each."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from root_helper import PATIENCE_S

from voltscope.errors import HelperBusy
from voltscope.live.helper import Helper
from voltscope.probed import daemon, limits
from voltscope.probed.daemon import Daemon
from voltscope.probed.protocol import MOST_ANSWER_BYTES, decoded, receive, send


class _Served:
    """A helper without any program: it answers hello. `lines`: what it wrote."""

    def __init__(self, place: Path) -> None:
        self.place, self.lines = place, list[str]()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(place))
        self._listener.listen()
        self._daemon = Daemon(self._listener, Path("/bin/false"), {}, self.lines.append)
        self._thread = threading.Thread(target=self._daemon.serve)
        self._thread.start()

    def close(self) -> None:
        """End it, as a signal does."""
        self._daemon.stop()
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()
        self._listener.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[_Served]:
    found = _Served(tmp_path / "s")
    yield found
    found.close()


def _connected(place: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE_S)
    connection.connect(str(place))
    return connection


def test_no_thread_to_be_had_is_one_client_less_and_not_the_end(
    served: _Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without:
        without.setattr(daemon.threading.Thread, "start", none)
        with _connected(served.place) as connection:
            assert connection.recv(1) == b""
    assert Helper(served.place).hello().programs == []


def test_refused_connections_are_written_down_at_the_pace_of_requests(
    served: _Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "RATE", 0.0)
    held = [_connected(served.place) for _ in range(limits.MOST_CONNECTIONS_EACH)]
    for connection in held:  # each has its place when it is answered
        send(connection, {"ask": "hello"})
        assert "answer" in decoded(receive(connection, MOST_ANSWER_BYTES) or b"{}")
    refusals = 0
    for _ in range(2 * limits.BURST):
        with pytest.raises(HelperBusy):
            Helper(served.place).hello()
        refusals += 1
    for connection in held:
        connection.close()
    assert refusals > len(served.lines) == limits.BURST


def test_requests_that_come_too_soon_wait_before_they_are_refused(
    served: _Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BURST", 2)
    monkeypatch.setattr(limits, "RATE", 0.0)  # however long a busy machine takes from one to the next
    waits: list[float] = []
    with _connected(served.place) as connection:
        monkeypatch.setattr(served._daemon._over, "wait", waits.append)
        for _ in range(4):
            send(connection, {"ask": "hello"})
        codes = [
            decoded(receive(connection, MOST_ANSWER_BYTES) or b"{}").get("error", {}).get("code") for _ in range(4)
        ]
    assert codes[:2] == [None, None]
    assert codes.count("helper-busy") == len(waits) > 0
    assert set(waits) == {1 / daemon.RATE}
