"""alertd: what runs beside Alertmanager, put together, started and stopped."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from prometheus_client.core import Metric

from voltscope.alerting.acknowledgements import Acknowledgements
from voltscope.alerting.alertmanager import Alertmanager
from voltscope.alerting.dead_mans_switch import DeadMansSwitch
from voltscope.alerting.desk import WAIT_S, Desk
from voltscope.alerting.direct import ways
from voltscope.alerting.documents import Documents
from voltscope.alerting.door import Door
from voltscope.alerting.evidence import Evidence
from voltscope.alerting.flapping import Flapping
from voltscope.alerting.history import History
from voltscope.alerting.http import Api
from voltscope.alerting.maintenance import Maintenance
from voltscope.alerting.memory import keep_small
from voltscope.alerting.metrics import collected
from voltscope.alerting.parts import Parts
from voltscope.alerting.settings import AlertdConfig
from voltscope.alerting.sites import Sites
from voltscope.alerting.standing import Standings
from voltscope.alerting.store import Database
from voltscope.alerting.targets import SiteTargets
from voltscope.alerting.trail import Trail
from voltscope.alerting.watch import Watch
from voltscope.alerting.watchdog import Verdict, Watchdog
from voltscope.configuration import load
from voltscope.engine.lock import DirectoryLock
from voltscope.errors import ConfigError, VoltscopeError
from voltscope.web import Access, Server, WebConfigFile, WebConfigured, guarded, identified, is_loopback
from voltscope.web.access import ACKNOWLEDGER, WEBHOOK
from voltscope.web.program import serve

if TYPE_CHECKING:
    from voltscope.alerting.mqtt import MqttPublisher

_log = logging.getLogger(__name__)

DATA_DIR = Path("~/.local/share/voltscope/alertd")
# A notification of some alerts with a megabyte of text each is still one; Alertmanager's max_alerts bounds it.
MAX_BODY = 16 << 20
_TIDY_S = 3600.0
# Alertmanager may tell nobody of the end of what is silenced then. What it does tell it tells within group_interval, of
# what was acknowledged after the time of grace, and so that it fires again.
_UNTOLD_S = 1800.0


class Alertd:
    """The whole of it. `url` is where it listens."""

    def __init__(
        self,
        config: AlertdConfig,
        data_dir: Path | None = None,
        site_file: Path | None = None,
        clock: Callable[[], float] = time.time,
        wait_s: float = WAIT_S,
    ) -> None:
        """`site_file`: of the site whose evidence is taken, unless the configuration names others. `wait_s`: how long
        an answer waits for Alertmanager.

        Raises ConfigError for what cannot be used, EngineLocked when another alertd has the data directory,
        AlertStoreError when its database cannot be opened.
        """
        self._config, self._clock = config, clock
        self._access = _access(config)
        data_dir = (data_dir or Path(config.data_dir or DATA_DIR)).expanduser().absolute()
        sites = Sites.read(config.sites, site_file)
        alertmanager = Alertmanager(config.alertmanager)
        targets = SiteTargets(config.prometheus, clock) if config.prometheus is not None else None
        told = ways(config.dead_mans_switch) if config.dead_mans_switch is not None else []
        try:
            data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError("data_dir", f"{data_dir} ({error})", "a directory of ours alone") from error
        self._web = (
            WebConfigFile(data_dir / Path(config.web_config_file).expanduser()) if config.web_config_file else None
        )
        self._lock = DirectoryLock(data_dir)
        self._lock.acquire()
        self._database = database = Database(data_dir)
        now = clock()
        self._standings, self._history, trail = Standings(database), History(database), Trail(database)
        parts = Parts(
            alertmanager,
            database,
            self._standings,
            self._history,
            Acknowledgements(self._standings, self._history, config.acknowledge, config.watchdog.alert),
            Maintenance(self._standings, config.decommission, config.watchdog.alert, targets),
            Flapping(database, self._standings, config.flapping, config.watchdog.alert, now),
            Watchdog(database, config.watchdog, now),
            targets,
        )
        switch = config.dead_mans_switch
        self._switch = DeadMansSwitch(told, switch.repeat_s, database, clock) if switch is not None else None
        self._evidence = Evidence(self._history, sites, config.evidence, clock)
        self.watch = Watch(parts, config, clock, self._evidence.began, self._judged)
        self._mqtt = _publisher(config, data_dir)
        self._desk = Desk(self.watch, self._history, trail, clock, self._mqtt, config.quiet_receivers, wait_s)
        documents = Documents(self._standings, sites)
        api = Api(self.watch, self._desk, self._history, trail, documents, clock, self._metrics)
        self._server = self._listener(api)
        self._stopping = threading.Event()
        self._tidying = threading.Thread(target=self._tidy_on, name="tidy", daemon=True)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return self._server.url

    def start(self) -> None:
        """Begin. Raises VoltscopeError when it cannot listen."""
        self._server.start()
        for part in (self._switch, self._evidence, self._mqtt):
            if part is not None:
                part.start()
        self.watch.start()
        self._tidying.start()

    def stop(self) -> None:
        """End everything; nothing accepted is lost."""
        self._stopping.set()
        self._server.stop()
        self.watch.stop()
        self._tidying.join()
        for part in (self._evidence, self._switch, self._mqtt):
            if part is not None:
                part.stop()
        self.watch.parts.alertmanager.close()
        if self.watch.parts.targets is not None:
            self.watch.parts.targets.close()
        self._database.close()
        self._lock.release()

    def _judged(self, verdict: Verdict, trouble: str | None) -> None:
        if self._switch is not None:
            self._switch.judge(verdict, trouble)

    def _metrics(self, states: dict[str, int]) -> list[Metric]:
        return collected(self.watch, states, self._desk, self._evidence, self._switch, self._mqtt, self._clock())

    def tidy(self) -> None:
        """Let go of old history, and take back from MQTT what is over. Raises VoltscopeError."""
        oldest = self._clock() - self._config.keep_days * 86400
        self._history.retain(oldest, self._config.keep_occurrences)
        self._standings.retain(oldest)
        if self._mqtt is not None and self.watch.seen.settled:
            self._mqtt.take_back(self._is_long_over)

    def _is_long_over(self, fingerprint: str) -> bool:
        last = self._history.last(fingerprint)
        return last is not None and last.ended is not None and self._clock() - last.ended > _UNTOLD_S

    def _tidy_on(self) -> None:
        while True:
            try:
                self.tidy()
            except VoltscopeError as error:
                _log.error("%s", error)
            if self._stopping.wait(_TIDY_S):
                return

    def _listener(self, api: Api) -> Server:
        config, web = self._config, self._web
        app = guarded(
            api.routes(),
            self._access,
            open_reads=is_loopback(config.host),
            names=config.names,
            identify=identified,
            public=("/-/healthy", "/-/watchdog"),
            posts={"/api/acknowledgements": ACKNOWLEDGER, "/api/webhook": WEBHOOK},
            max_body=MAX_BODY,
        )
        return Server(
            Door(app if web is None else WebConfigured(app, web, self._access), self._desk.refused),
            config.host,
            config.port,
            certificate=Path(config.certificate) if config.certificate else None,
            key=Path(config.key) if config.key else None,
            tls=web.context() if web is not None and web.has_tls else None,
        )


def read_config(path: Path | None) -> AlertdConfig:
    """The configuration in a JSON file, the defaults without one. Raises ConfigError."""
    if path is None:
        return AlertdConfig()
    try:
        given = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError("(whole)", f"{path} ({error})", "a readable JSON file") from error
    if not isinstance(given, dict):
        raise ConfigError("(whole)", f"{path}, which holds no JSON object", "a JSON object")
    return load(AlertdConfig, given)


def run(config: AlertdConfig, data_dir: Path | None = None, site_file: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT; call it from the main thread. Raises as Alertd does."""
    keep_small()
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    serve(lambda: Alertd(config, data_dir, site_file), "alertd")


def _publisher(config: AlertdConfig, data_dir: Path) -> MqttPublisher | None:
    if config.mqtt is None:
        return None
    from voltscope.alerting.mqtt import MqttPublisher  # here: an MQTT client is for who has a broker

    return MqttPublisher(config.mqtt, data_dir / "mqtt.sqlite")


def _access(config: AlertdConfig) -> Access:
    """Who may do what. Raises ConfigError, also for keys that do not go together."""
    config.check_listening()
    try:
        return Access(Path(config.credentials).expanduser() if config.credentials else None)
    except VoltscopeError as error:
        raise ConfigError("credentials", repr(config.credentials), str(error)) from error
