"""The configuration of alertd: its schema, defaults and limits."""

from __future__ import annotations

from typing import Annotated

import msgspec

from voltscope.configuration import Config
from voltscope.listening import Listening, ListenPort
from voltscope.outbound.keys import Port, ServerKeys, TlsKeys
from voltscope.site import ALERTD_PORT

_Seconds = Annotated[float, msgspec.Meta(gt=0, le=366 * 86400)]
_Count = Annotated[int, msgspec.Meta(ge=1)]


class AlertmanagerSettings(ServerKeys, frozen=True, kw_only=True):
    """Where Alertmanager answers; of several `urls`, members of one cluster, the first that does is asked."""

    urls: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("http://127.0.0.1:9093",)


class PrometheusSettings(ServerKeys, frozen=True, kw_only=True):
    """Where Prometheus answers: asked whether the targets of a decommissioned site are gone."""


class AcknowledgeSettings(Config, frozen=True, kw_only=True):
    """`silence_s`: how long the silence in Alertmanager lasts that stands for an acknowledgement; it is renewed when
    half of it is over, so that alertd may be away for as long as the other half. `grace_s`: how long an acknowledged
    alert may be gone before its acknowledgement ends.
    """

    silence_s: _Seconds = 3600.0
    grace_s: _Seconds = 300.0


class FlapSettings(Config, frozen=True, kw_only=True):
    """An alert flaps when it starts `starts` times within `window_s`, until nothing of it changed for `calm_s`.

    `never`: names of alerts that are not held back, whatever they do; the watchdog never is.
    """

    starts: Annotated[int, msgspec.Meta(ge=2)] = 2
    window_s: _Seconds = 3600.0
    calm_s: _Seconds = 3600.0
    never: tuple[str, ...] = ()


class DecommissionSettings(Config, frozen=True, kw_only=True):
    """`quiet_s`: for so long nothing of a decommissioned site fires, and no target of it is there, before its silence
    ends.
    """

    quiet_s: _Seconds = 86400.0


class EvidenceSettings(Config, frozen=True, kw_only=True):
    """What is taken down when an alert with the label `agent` begins.

    `captures`: ask the site's profiler for a flamegraph. `logs`: the agent's errors from `around_s` before until
    `around_s` after. `per_minute`: of so many alerts at most.
    """

    captures: bool = True
    logs: bool = True
    around_s: _Seconds = 120.0
    per_minute: _Count = 10


class WatchdogSettings(Config, frozen=True, kw_only=True):
    """`alert`: the alert that always fires. It is late when Alertmanager has not heard of it for `max_age_s`; one that
    nobody has heard of for `forget_s` is no longer waited for.
    """

    alert: str = "Watchdog"
    max_age_s: _Seconds = 300.0
    forget_s: _Seconds = 7 * 86400.0


class MailSettings(TlsKeys, frozen=True, kw_only=True):
    """Mail straight to an SMTP server. `starttls`: ask for TLS, and send nothing without."""

    host: str
    to: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    sender: str
    port: Port = 25
    starttls: bool = False
    username: str | None = None
    password_file: str | None = None

    def __post_init__(self) -> None:
        self.check_tls(self.starttls)
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")


class HookSettings(ServerKeys, frozen=True, kw_only=True):
    """A web hook: a POST of JSON to the whole URL, the first of `urls` that takes it."""


class DeadMansSwitch(Config, frozen=True, kw_only=True):
    """Whom alertd tells by itself, past Alertmanager, when the watchdog is late and when it is back.

    `repeat_s`: told again after so long.
    """

    mail: MailSettings | None = None
    webhook: HookSettings | None = None
    repeat_s: _Seconds = 6 * 3600.0

    def __post_init__(self) -> None:
        if self.mail is None and self.webhook is None:
            raise ValueError("mail or webhook, or both")


class MqttSettings(TlsKeys, frozen=True, kw_only=True):
    """A broker that alerts are published to. `topic`: what all topics begin with. `client_id`: ours at the broker."""

    host: str
    port: Port = 1883
    tls: bool = False
    username: str | None = None
    password_file: str | None = None
    client_id: str = "voltscope-alertd"
    topic: Annotated[str, msgspec.Meta(pattern=r"^[^/+#\x00][^+#\x00]*[^/+#\x00]$", max_length=200)] = (
        "voltscope/alerts"
    )

    def __post_init__(self) -> None:
        self.check_tls(self.tls)
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")


class AlertdConfig(Listening, frozen=True, kw_only=True):
    """Everything there is to set; `{}` is a configuration.

    Without `credentials` nobody may acknowledge. `data_dir`: where acknowledgements and history are kept,
    ~/.local/share/voltscope/alertd when None. `sites`: site files, whose profilers and logs evidence is taken from; the
    one of `voltscope --site` when there is none. `poll_s`: how often Alertmanager is asked. `settle_s`: how long
    Alertmanager runs before what it does not know is over: Prometheus sends what fires once a minute.
    `quiet_receivers`: names of Alertmanager's that reach nobody but us. `keep_days`, `keep_occurrences`: how much
    history is kept.
    """

    port: ListenPort = ALERTD_PORT
    data_dir: str | None = None
    sites: tuple[str, ...] = ()
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    prometheus: PrometheusSettings | None = None
    poll_s: Annotated[float, msgspec.Meta(ge=0.05, le=60)] = 5.0
    settle_s: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 150.0
    acknowledge: AcknowledgeSettings = AcknowledgeSettings()
    flapping: FlapSettings = FlapSettings()
    decommission: DecommissionSettings = DecommissionSettings()
    evidence: EvidenceSettings = EvidenceSettings()
    watchdog: WatchdogSettings = WatchdogSettings()
    dead_mans_switch: DeadMansSwitch | None = None
    mqtt: MqttSettings | None = None
    quiet_receivers: tuple[str, ...] = ("history", "heartbeat")
    keep_days: Annotated[float, msgspec.Meta(gt=0)] = 400.0
    keep_occurrences: _Count = 100_000
