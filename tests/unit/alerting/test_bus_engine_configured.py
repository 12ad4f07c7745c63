"""The alerts engine configured anew while it runs: it asks and tells whom it is told to, and lets go of the others."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alertd_rig import wait_for
from servers.alertmanager import AlertmanagerServer

from voltscope.alerting.site.engine import AlertsEngine
from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.errors import ConfigError


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[AlertsEngine]:
    """Configured by the test, and not started yet."""
    (tmp_path / "config").write_text("[volttron]\ninstance-name = plant\n")
    made = AlertsEngine(EngineContext("alerts", tmp_path, tmp_path, lambda _: FactsAnswer(None, None, "nobody")))
    yield made
    made.stop()


def test_fifty_configurations_leave_neither_connections_nor_threads(
    engine: AlertsEngine, alertmanager: AlertmanagerServer
) -> None:
    port = alertmanager.url.rpartition(":")[2]
    servers = [{"alertmanager": {"urls": [f"http://{host}:{port}"]}, "poll_s": 600} for host in ("127.0.0.1", "127.1")]
    engine.configure(servers[0])
    engine.start()
    _complain(engine)
    _asked(engine, since=0.0)
    _told(engine)
    threads = _threads()
    assert len(threads) == 3 and _connections(alertmanager) == 2
    with warnings.catch_warnings(record=True) as unclosed:
        warnings.simplefilter("always", ResourceWarning)
        for number in range(50):
            before = time.time()
            engine.configure(servers[(number + 1) % 2])
            _asked(engine, before)
            _told(engine)
    assert _of(unclosed, alertmanager) == []
    wait_for(lambda: _threads() == threads and _connections(alertmanager) == 2, "as many as before")


def test_what_cannot_be_used_is_refused_and_nothing_changes(
    engine: AlertsEngine, alertmanager: AlertmanagerServer, tmp_path: Path
) -> None:
    engine.configure({"alertmanager": {"urls": [alertmanager.url]}, "poll_s": 1})
    engine.start()
    _complain(engine)
    _told(engine)
    with pytest.raises(ConfigError, match="token_file"):
        engine.configure({"alertmanager": {"urls": ["http://127.0.0.1:1"], "token_file": str(tmp_path / "none")}})
    assert engine.handle("status", {})["alertmanager"] == alertmanager.url
    _asked(engine, time.time())


def test_it_stops_with_no_connection_left(engine: AlertsEngine, alertmanager: AlertmanagerServer) -> None:
    engine.configure({"alertmanager": {"urls": [alertmanager.url]}})
    engine.start()
    _complain(engine)
    _asked(engine, since=0.0)
    _told(engine)
    with warnings.catch_warnings(record=True) as unclosed:
        warnings.simplefilter("always", ResourceWarning)
        engine.stop()
        wait_for(lambda: not _connections(alertmanager) and not _threads(), "the end of all of it")
    assert _of(unclosed, alertmanager) == []


def _complain(engine: AlertsEngine) -> None:
    now = time.time()
    one = {
        "sender": "hvac",
        "key": "warm",
        "topic": "alerts/X/y",
        "text": "warm",
        "count": 1,
        "first": now,
        "last": now,
    }
    engine.handle("exchange", {"alerts": [one]})


def _asked(engine: AlertsEngine, since: float) -> None:
    """Until the server it is configured with was asked what fires."""

    def asked() -> bool:
        answer: dict[str, Any] = engine.handle("alerts", {})
        return answer["error"] is None and answer["at"] > since

    wait_for(asked, "an answer of Alertmanager")


def _told(engine: AlertsEngine) -> None:
    """Until Alertmanager was told what goes on."""
    wait_for(lambda: _metric(engine, "voltscope_alerts_sent_total"), "alerts that were sent")


def _metric(engine: AlertsEngine, name: str) -> float:
    (family,) = [one for one in engine.handle("metrics", {}) if one["name"] == name]
    return float(family["samples"][0]["value"])


def _of(unclosed: list[warnings.WarningMessage], server: AlertmanagerServer) -> list[str]:
    """Those of connections to it: other tests leave some, too, which are found to be gone at any time."""
    port = server.url.rpartition(":")[2]
    return [str(one.message) for one in unclosed if f", {port})" in str(one.message)]


def _threads() -> list[str]:
    """The engine's."""
    return sorted(one.name for one in threading.enumerate() if one.name.startswith(("alerts", "outbox-alerts")))


def _connections(server: AlertmanagerServer) -> int:
    """Open ones to it: nobody else has any."""
    port = int(server.url.rpartition(":")[2])
    rows = [line.split() for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]]
    return sum(row[2].endswith(f":{port:04X}") and row[3] == "01" for row in rows)
