"""What alertd says of itself, for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import Metric

from voltscope.alerting.dead_mans_switch import DeadMansSwitch
from voltscope.alerting.desk import Desk
from voltscope.alerting.documents import STATES
from voltscope.alerting.evidence import Evidence
from voltscope.alerting.watch import Watch
from voltscope.metrics.families import Samples, counter, gauge, info
from voltscope.version import __version__

if TYPE_CHECKING:
    from voltscope.alerting.mqtt import MqttPublisher

KINDS = ("acknowledgement", "silence", "maintenance", "decommission", "flapping")

INFO = info("voltscope_alertd_info", "The version of alertd.", "version")
ALERTS = gauge("voltscope_alertd_alerts", "Alerts that go on, the watchdog left out.", state=STATES)
STANDING = gauge("voltscope_alertd_standing", "Acknowledgements, silences and the like in force.", kind=KINDS)
UNAPPLIED = gauge("voltscope_alertd_unapplied", "Those whose silence Alertmanager does not hold yet, or does not take.")
REACHABLE = gauge("voltscope_alertd_alertmanager_up", "Whether Alertmanager answered when it was last asked.")
ROUNDS = counter("voltscope_alertd_rounds_total", "How often Alertmanager was asked.")
FAILURES = counter("voltscope_alertd_round_failures_total", "How often that failed.")
WATCHDOG = gauge("voltscope_alertd_watchdog_late", "Whether the alert that always fires does not arrive.")
WATCHDOG_AGE = gauge(
    "voltscope_alertd_watchdog_age_seconds", "Since when Alertmanager has not heard of it; absent when it never has."
)
NOTIFICATIONS = counter("voltscope_alertd_notifications_total", "Notifications that Alertmanager posted here.")
EVIDENCE = counter(
    "voltscope_alertd_evidence_total",
    "Flamegraphs asked for when an alert began, failures of that and of reading logs, and alerts left out of it.",
    outcome=("taken", "failed", "left-out"),
)
DIRECT = counter("voltscope_alertd_direct_total", "What the dead man's switch told people directly.")
MQTT_WAITING = gauge("voltscope_alertd_mqtt_waiting", "Messages that the MQTT broker has not acknowledged.")
MQTT_PUBLISHED = counter("voltscope_alertd_mqtt_published_total", "Messages that it has.")
MQTT_UP = gauge("voltscope_alertd_mqtt_up", "Whether there is a connection to it.")

FAMILIES = (
    INFO, ALERTS, STANDING, UNAPPLIED, REACHABLE, ROUNDS, FAILURES, WATCHDOG, WATCHDOG_AGE, NOTIFICATIONS, EVIDENCE,
    DIRECT, MQTT_WAITING, MQTT_PUBLISHED, MQTT_UP,
)  # fmt: skip


def collected(
    watch: Watch,
    states: dict[str, int],
    desk: Desk,
    evidence: Evidence,
    switch: DeadMansSwitch | None,
    mqtt: MqttPublisher | None,
    now: float,
) -> list[Metric]:
    """All of it as it is now. `states`: how many alerts are in each."""
    samples, seen, verdict = Samples(FAMILIES), watch.seen, watch.verdict()
    standing = watch.parts.standings.open()
    samples.set(INFO, 1, version=__version__)
    for state in STATES:
        samples.set(ALERTS, states.get(state, 0), state=state)
    for kind in KINDS:
        samples.set(STANDING, sum(one.kind == kind for one in standing), kind=kind)
    samples.set(UNAPPLIED, sum(one.id not in seen.applied for one in standing))
    samples.set(REACHABLE, seen.error is None)
    samples.set(ROUNDS, watch.rounds)
    samples.set(FAILURES, watch.failures)
    samples.set(WATCHDOG, verdict.state == "late")
    samples.set(WATCHDOG_AGE, now - verdict.last if verdict.last is not None else None)
    samples.set(NOTIFICATIONS, desk.notifications)
    for outcome, count in (("taken", evidence.taken), ("failed", evidence.failed), ("left-out", evidence.left_out)):
        samples.set(EVIDENCE, count, outcome=outcome)
    samples.set(DIRECT, switch.sent if switch is not None else None)
    if mqtt is not None:
        samples.set(MQTT_WAITING, mqtt.waiting)
        samples.set(MQTT_PUBLISHED, mqtt.published)
        samples.set(MQTT_UP, mqtt.failure is None)
    return samples.metrics()
