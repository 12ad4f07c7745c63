"""What was acknowledged is acknowledged, whoever was killed, in whatever order."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from alertd_rig import CRASHED, AlertdProcess, Client, Rules, wait_for
from servers.alertmanager import AlertmanagerServer

KILL = signal.SIGKILL
# Deeds, one after the other: kill or start (a)lertd, kill or start the Alert(m)anager, which forgets its silences.
ORDERS = (
    "-m +m",  # Alertmanager alone
    "-a +a",
    "-a -m +m +a",
    "-m -a +a +m",
    "-m +m -a -m +a +m",
)


class Both:
    """alertd and Alertmanager as processes, and what fires."""

    def __init__(self, folder: Path, alertmanager: AlertmanagerServer) -> None:
        self.alertmanager, self.process = alertmanager, AlertdProcess(folder, alertmanager)
        self.rules = Rules(alertmanager.url)
        self.client: Client = self.process.start()

    def do(self, deeds: str) -> None:
        """What ORDERS say."""
        for deed in deeds.split():
            if deed == "-m":
                self.alertmanager.stop(KILL)
            elif deed == "-a":
                self.process.stop(KILL)
            elif deed == "+a":
                self.client = self.process.start()
            else:
                self.alertmanager.start()
                self.rules.repeat()

    def silences(self, fingerprint: str) -> int:
        """How many silences hold that alert back in Alertmanager."""
        return sum(
            len(one["status"]["silencedBy"]) for one in self.alertmanager.alerts() if one["fingerprint"] == fingerprint
        )


@pytest.fixture
def both(tmp_path: Path, alertmanager: AlertmanagerServer) -> Iterator[Both]:
    started = Both(tmp_path, alertmanager)
    yield started
    started.process.stop()


def test_an_acknowledgement_survives_all_of_it(both: Both) -> None:
    alert = both.rules.fire(CRASHED)
    other = both.rules.fire({**CRASHED, "agent": "platform.driver"})
    wait_for(lambda: both.client.state(other), "the alerts")
    given = both.client.post("/api/acknowledgements", {"alert": alert, "why": "on my way"})
    before = both.client.alert(alert)
    for order in ORDERS:
        both.do(order)
        # Alertmanager was killed before it wrote anything down: the silence is made anew, and there is one
        wait_for(lambda: both.silences(alert) == 1, f"its silence after {order}")
        after = wait_for(lambda: both.client.alert(alert), "the alert")
        assert before is not None and after["occurrence"] == before["occurrence"], order
        assert after["state"] == "acknowledged", order
        assert (after["acknowledgement"]["id"], after["acknowledgement"]["why"]) == (given["id"], "on my way")
        wait_for(lambda: both.client.state(other) == "firing", f"the other after {order}")
        assert both.silences(other) == 0, order


def test_one_given_or_ended_while_alertmanager_is_dead_is_so_after_the_death_of_alertd(both: Both) -> None:
    alert = both.rules.fire(CRASHED)
    wait_for(lambda: both.client.state(alert), "the alert")
    both.do("-m")
    both.client.post("/api/acknowledgements", {"alert": alert, "why": "on my way"})
    both.do("-a +a")
    assert both.client.state(alert) == "acknowledged"
    both.do("+m")
    wait_for(lambda: both.silences(alert) == 1, "its silence")

    given = both.client.get("/api/acknowledgements")["acknowledgements"][0]
    both.do("-m")
    both.client.delete(f"/api/acknowledgements/{given['id']}")
    both.do("-a +m +a")
    wait_for(lambda: both.client.get("/api/alerts")["alertmanager"]["settled"], "a round")
    wait_for(lambda: both.client.state(alert) == "firing", "the alert")
    assert both.silences(alert) == 0
