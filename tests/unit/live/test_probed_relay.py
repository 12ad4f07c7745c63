"""Tracers that heed nothing and say too much: the root helper bounds them both."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from root_helper import PATIENCE_S, target

from voltscope.live.bpftrace import Program
from voltscope.probed import relay
from voltscope.probed.identity import Caller, Subject
from voltscope.probed.protocol import MOST_ANSWER_BYTES, decoded, receive

_ATTACHED = """echo '{"type": "attached_probes", "data": {"probes": 1}}'"""


@pytest.fixture
def passed_on(kernel_probes: Path, tmp_path: Path) -> Callable[..., tuple[relay.Relay, str, list[dict[str, object]]]]:
    """Runs a script in bpftrace's place: the relay, why it ended, and what the client got."""

    def run(script: str, seconds: float) -> tuple[relay.Relay, str, list[dict[str, object]]]:
        program = tmp_path / "bpftrace"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE_S)
        heard: list[dict[str, object]] = []

        def hear() -> None:
            while (frame := receive(theirs, MOST_ANSWER_BYTES)) is not None:
                heard.append(decoded(frame))

        client = threading.Thread(target=hear)
        client.start()
        with target() as pid, Subject(pid) as subject:
            watch = relay.Relay(ours, Caller(1, 0, 0), subject, threading.Event())
            reason = watch.run(Program("", pid=pid), seconds, program, [])
        ours.close()
        client.join(PATIENCE_S)
        return watch, reason, heard

    return run


def test_a_tracer_that_heeds_nothing_is_killed_when_its_time_is_over(
    passed_on: Callable[..., tuple[relay.Relay, str, list[dict[str, object]]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_GRACE_S", 0.2)
    begun = time.monotonic()
    watch, reason, heard = passed_on(f"trap '' INT TERM\n{_ATTACHED}\nexec sleep {PATIENCE_S:.0f}", 0.2)
    assert reason == relay.TIME
    assert time.monotonic() - begun < PATIENCE_S - 5
    assert (watch.sent, len(heard)) == (1, 1)


def test_what_is_said_too_much_is_dropped_and_counted(
    passed_on: Callable[..., tuple[relay.Relay, str, list[dict[str, object]]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "_GRACE_S", 0.2)
    monkeypatch.setattr(relay, "MOST_BYTES_A_SECOND", 10_000)
    begun = time.monotonic()
    flood = """exec yes '{"type": "printf", "data": "as long as a line may be"}'"""
    watch, reason, heard = passed_on(f"{_ATTACHED}\n{flood}", 0.3)
    allowed = 10_000 * (time.monotonic() - begun + 1)
    assert reason == relay.TIME
    assert 0 < watch.sent * len('["printf","as long as a line may be"]') <= allowed
    assert watch.dropped > watch.sent
    assert heard[-1]["update"]["dropped"] > 0  # type: ignore[index]
