"""The alerts engine: configuration, its threads, and the answers to its bridge."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from voltscope.alerting.settings import AlertmanagerSettings
from voltscope.alerting.site.conditions import Heard
from voltscope.alerting.site.firing import Firing, FromAlertd, FromAlertmanager, Source, acknowledge
from voltscope.alerting.site.ledger import Ledger
from voltscope.alerting.site.metrics import families
from voltscope.alerting.site.publications import Publications
from voltscope.alerting.site.recovery import Evidence
from voltscope.alerting.site.sender import Sender
from voltscope.alerting.site.settings import AlertdSettings, AlertsConfig
from voltscope.alerting.site.store import Store
from voltscope.configuration import load
from voltscope.engine.service import EngineContext
from voltscope.errors import BadRequest, ConfigError, UnknownMethod, VoltscopeError
from voltscope.outbound.http_client import HttpClient
from voltscope.platform.home import instance_name, platform_pid
from voltscope.platform.processes import ProcessTable

_log = logging.getLogger(__name__)

STORE = "alerts.sqlite"  # in the data directory
JUDGE_S = 3.0
_FACTS_S = 3.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_LONGEST_WHY = 500


class AlertsEngine:
    """An `EngineService`. Threads: one judges what is over, one tells Alertmanager, one asks what fires."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._config = AlertsConfig()
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._store: Store | None = None
        self._ledger: Ledger | None = None
        self._publications: Publications | None = None
        self._sender: Sender | None = None
        self._ask_now = threading.Event()
        self._topics: dict[str, float] = {}
        self._firing: list[Firing] = []
        self._firing_at: float | None = None
        self._asking: str | None = "Nobody was asked yet."

    def configure(self, config: Mapping[str, Any]) -> None:
        """Check and apply. Raises ConfigError, and keeps what it had."""
        new = load(AlertsConfig, config)
        for server in (new.alertmanager, new.alertd):
            if server is not None:
                HttpClient(server)  # raises ConfigError for files that it cannot use
        before, sender = self._config, None
        if self._ledger is not None and (before.alertmanager, before.resend_s) != (new.alertmanager, new.resend_s):
            sender = Sender(self._ledger, new.alertmanager, new.resend_s)
        self._config = new
        if sender is not None:
            old, self._sender = self._sender, sender
            sender.start()
            if old is not None:
                old.stop()
        self._ask_now.set()

    def start(self) -> None:
        """Open the store and begin. Raises VoltscopeError."""
        self._store = Store(self._context.data_dir / STORE)
        self._ledger = Ledger(self._store, self._origin)
        self._publications = Publications(self._store, self._life)
        self._sender = Sender(self._ledger, self._config.alertmanager, self._config.resend_s)
        self._sender.start()
        for target in (self._judge_on, self._ask_on):
            thread = threading.Thread(target=target, name=f"alerts{target.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def handle(self, method: str, params: dict[str, Any]) -> Any:
        """Answer `exchange` (docs/alerting.md), `alerts`, `acknowledge`, `metrics` or `status`."""
        ledger, publications, sender = self._ledger, self._publications, self._sender
        if ledger is None or publications is None or sender is None:
            raise VoltscopeError("the alerts engine is not started.", "Ask again in a moment.")
        if method == "exchange":
            return self._exchange(ledger, publications, sender, params)
        if method == "alerts":
            return {"alerts": msgspec.to_builtins(self._firing), "at": self._firing_at, "error": self._asking}
        if method == "acknowledge":
            return self._acknowledge(params)
        if method == "metrics":
            return families(ledger, sender, publications, self._asking)
        if method == "status":
            return self._status(ledger, sender)
        raise UnknownMethod(
            f"the alerts engine has no method {method!r}.", "It has: alerts, acknowledge, metrics, status."
        )

    def stop(self) -> None:
        """End the threads and close the store."""
        self._stopping.set()
        self._ask_now.set()
        if self._sender is not None:
            self._sender.stop()
        for thread in self._threads:
            thread.join(3.0)
        if self._store is not None:
            self._store.close()

    def _exchange(
        self, ledger: Ledger, publications: Publications, sender: Sender, params: dict[str, Any]
    ) -> dict[str, Any]:
        try:
            heard = msgspec.convert(params.get("alerts", []), list[Heard])
            self._topics = msgspec.convert(params.get("topics", {}), dict[str, float])
            published = msgspec.convert(params.get("published", []), list[str])
        except msgspec.ValidationError as error:
            raise BadRequest(f"the bridge tells of alerts in another form: {error}.") from error
        publications.told(published)
        if ledger.heard(heard, int(params.get("dropped", 0))):
            sender.notice()
        return {"watch": ledger.watched, "topics": ledger.topics, "publish": publications.due()}

    def _acknowledge(self, params: dict[str, Any]) -> Any:
        alertd, alert, why = self._config.alertd, params.get("alert"), params.get("why")
        if alertd is None or alertd.token_file is None:
            raise ConfigError(
                "alertd", "no alertd, or none with a token_file", "alertd with an acknowledger's token_file"
            )
        if not (isinstance(alert, str) and alert and isinstance(why, str) and why.strip()):
            raise BadRequest("alert and why are wanted.", "List the alerts, take an id from there, and give a reason.")
        who = str(params.get("requested_by") or "somebody")
        return acknowledge(alertd, alert, f"{why.strip()[:_LONGEST_WHY]} ({who}, on the bus)")

    def _status(self, ledger: Ledger, sender: Sender) -> dict[str, Any]:
        return {
            "alertmanager": sender.url,
            "failure": sender.failure,
            "waiting": ledger.waiting,
            "open": [
                {"agent": one.agent, "key": one.label, "began": one.began, "withheld": one.withheld}
                for one in ledger.open[:100]
            ],
            "ill": ledger.ill[:100],
            "asked": self._asking,
        }

    def _judge_on(self) -> None:
        assert self._ledger is not None  # start made it  # noqa: S101
        while not self._stopping.wait(JUDGE_S):
            try:
                # nobody is asked for anything while nothing is complained of
                facts = self._context.facts(_FACTS_S) if self._ledger.watched else None
                fresh = facts.facts if facts is not None and facts.error is None else None
                if self._ledger.judge(Evidence(fresh, self._topics), self._config.quiet_s) and self._sender:
                    self._sender.notice()
            except VoltscopeError as error:
                _log.warning("what is over is judged later: %s", error)
            except Exception:
                if not self._stopping.is_set():
                    _log.exception("cannot judge which alerts are over")

    def _ask_on(self) -> None:
        assert self._publications is not None  # noqa: S101
        source: Source | None = None
        servers: tuple[AlertmanagerSettings, AlertdSettings | None] | None = None
        while not self._stopping.is_set():
            wanted = (self._config.alertmanager, self._config.alertd)
            try:
                if source is not None and servers != wanted:
                    source.close()
                    source = None
                if source is None:
                    source, servers = _source(*wanted), wanted
                self._ask(self._publications, source)
            except VoltscopeError as error:
                self._asking = str(error)
            except Exception as error:
                self._asking = type(error).__name__
                if not self._stopping.is_set():
                    _log.exception("cannot find what fires")
            self._ask_now.wait(self._config.poll_s)
            self._ask_now.clear()
        if source is not None:
            source.close()

    def _ask(self, publications: Publications, source: Source) -> None:
        firing, complete = source.firing(*self._origin())
        self._firing, self._firing_at, self._asking = firing, time.time(), None
        publications.seen(firing, complete)

    def _origin(self) -> tuple[str, str]:
        return self._config.site or socket.gethostname(), instance_name(self._context.volttron_home)

    def _life(self) -> str:
        """Names the platform's process as no other was or will be, of this boot or another."""
        pid = platform_pid(self._context.volttron_home)
        birth = ProcessTable().birth(pid) if pid is not None else None
        try:
            boot = _BOOT_ID.read_text().strip()
        except OSError:
            boot = ""
        return f"{boot} {pid} {birth}"


def _source(alertmanager: AlertmanagerSettings, alertd: AlertdSettings | None) -> Source:
    return FromAlertd(alertd) if alertd is not None else FromAlertmanager(alertmanager)
