"""The bridge: the VOLTTRON agent that gives an engine what only VIP can, and offers the engine's work as RPC.

It imports volttron, gevent and the link, and nothing heavy: all real work is the engine's.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Annotated, Any, ClassVar

import gevent
import msgspec

from voltscope.configuration import Config, load
from voltscope.engine.supervisor import EngineSupervisor
from voltscope.errors import ConfigError, UnknownMethod, VoltscopeError
from voltscope.platform import alerts, bus, canary, devices, imports
from voltscope.platform.exported import METHOD, Exports
from voltscope.platform.facts import Asked, FactsGatherer, Services, Watches
from voltscope.platform.frames import refuse_large_answers
from voltscope.platform.reachability import Reachability

_log = logging.getLogger(__name__)

DEVICE_CONFIG_PAUSE_S = 60.0
CONFIG_TIMEOUT_S = 10.0


class BridgeConfig(Config, frozen=True, kw_only=True):
    """Configuration of every agent of ours; `engine` is the engine's own.

    `interpreter`: a Python that runs the engine instead of the platform's; `data_dir`: where the engine keeps its
    data, VOLTTRON_HOME/voltscope/NAME by default; `canary`: whether the exporter publishes a stamped record every
    minute, to be found again in the historians; times in seconds.
    """

    engine: dict[str, Any] = msgspec.field(default_factory=dict)
    interpreter: str | None = None
    data_dir: str | None = None
    rpc_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 2.0
    health_interval_s: Annotated[float, msgspec.Meta(ge=0)] = 10.0
    canary: bool = False


class Bridge(imports.Agent):  # type: ignore[misc]  # volttron ships no types
    """Base of our agents. Subclasses name their engine and export what they offer.

    `watches`: whether the engine wants what agents say and what passes on the bus as well (the exporter does; the
    others need processes only, and platforms with many agents should not be asked thrice).
    """

    engine: ClassVar[str]
    watches: ClassVar[bool] = False

    def __init__(self, config_path: Any = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)  # they hold secret keys: passed on, never logged
        self._home = Path(os.environ["VOLTTRON_HOME"]).expanduser()
        self._config = BridgeConfig()
        self._default = dict(imports.load_config(config_path) or {}) if config_path else {}
        self._watches = self._make_watches() if self.watches else None
        if self._watches is not None and (socket := imports.vip_socket()) is not None:
            refuse_large_answers(socket, self._watches.exports.refused)
        self._asked: Callable[[], Collection[str]] | None = None  # whose health the engine wants, where it names them
        self._canary: canary.CanaryPublisher | None = None
        self._gatherer: FactsGatherer | None = None
        self._supervisor: EngineSupervisor | None = None
        self.vip.config.set_default("config", self._default)
        self.vip.config.subscribe(self._configured, actions=["NEW", "UPDATE"], pattern="config")

    @imports.Core.receiver("onstart")
    def _on_start(self, sender: Any, **kwargs: Any) -> None:
        self.vip.heartbeat.start()  # off by default on modular
        if self._supervisor is None:  # the store answered before, or there is none: the default stands
            self._apply(self._default)
        if self._watches is not None:
            for prefix, callback in (
                (devices.PREFIX, self._on_device),
                (alerts.PREFIX, self._on_alert),
                (bus.HEARTBEATS, self._on_heartbeat),
                (bus.probe_topic(self.core.identity), self._on_probe),
            ):
                self.listen(prefix, callback)
            self.core.spawn(self._read_device_configs)
            self.core.spawn(self._probe_bus)
            self.core.spawn(self._publish_canary)

    @imports.Core.receiver("onstop")
    def _on_stop(self, sender: Any, **kwargs: Any) -> None:
        if self._supervisor is not None:
            self._supervisor.stop()

    def listen(self, prefix: str, callback: Callable[..., None]) -> None:
        """Subscribe to topics that begin so, however long the platform takes to answer."""
        bus.until_answered(
            lambda: self.vip.pubsub.subscribe("pubsub", prefix, callback).get(timeout=CONFIG_TIMEOUT_S), f"{prefix}*"
        )

    def ask(self, method: str, params: dict[str, Any] | None = None, timeout: float = 10.0) -> Any:
        """The engine's answer. Raises VoltscopeErrors."""
        if self._supervisor is None:
            raise VoltscopeError(f"{self.core.identity} is still starting.", "Try again in a moment.")
        return self._supervisor.request(method, params, timeout)

    def answer(self, method: str, params: dict[str, Any] | None = None, timeout: float = 10.0) -> Any:
        """For exported methods: the engine's answer, or `{"error": {"code", "message", "remedy"}}`.

        Both platforms write a traceback into their log for whatever an exported method raises; a mistyped agent name
        is not worth twenty lines of ERROR.
        """
        try:
            return self.ask(method, params, timeout)
        except VoltscopeError as error:
            return {"error": error.as_dict()}

    @imports.RPC.export(METHOD)
    def metrics(self) -> Any:
        """Our own metrics, in the form any agent may export: a list of `{"name", "type", "help", "samples"}`.

        Empty while the engine is away: the exporter asks at every scrape, and an error would be a traceback in the
        platform's log each time.
        """
        try:
            return self.ask("metrics")
        except VoltscopeError:
            return []

    @imports.RPC.export("voltscope.status")
    def status(self) -> Any:
        """How the engine is: its pid, its restarts and what it says of itself."""
        supervisor = self._supervisor
        running = supervisor is not None and supervisor.engine_pid is not None
        return {
            "engine": self.engine,
            "engine_pid": supervisor.engine_pid if supervisor else None,
            "engine_restarts": supervisor.restarts if supervisor else 0,
            "status": self.answer("status") if running else None,
        }

    def _configured(self, name: str, action: str, contents: Any) -> None:
        self._apply(contents if isinstance(contents, dict) else {})

    def _apply(self, contents: dict[str, Any]) -> None:
        """Check and apply a configuration. What is not allowed changes nothing and is said in log and health."""
        try:
            config = load(BridgeConfig, contents)
            if self._supervisor is None:
                self._start(config)
            elif (config.interpreter, config.data_dir) != (self._config.interpreter, self._config.data_dir):
                raise ConfigError("interpreter, data_dir", "a change", "a change with a restart of the agent only")
            else:
                self._supervisor.configure(config.engine)
                self._gatherer = self._make_gatherer(config)
                if self._supervisor.engine_pid is not None:  # what was refused before is made good
                    self._tell("running", "configuration applied")
        except VoltscopeError as error:
            self._tell("refused", f"configuration refused: {error}")
            return
        self._config = config

    def _start(self, config: BridgeConfig) -> None:
        self._gatherer = self._make_gatherer(config)
        data_dir = Path(config.data_dir) if config.data_dir else self._home / "voltscope" / self.engine
        self._supervisor = EngineSupervisor(
            self.engine,
            data_dir=data_dir,
            volttron_home=self._home,
            handler=self._handle,
            tell=self._tell,
            command=(config.interpreter or sys.executable, "-m", "voltscope.engine"),
        )
        self._supervisor.start(config.engine)

    def _make_watches(self) -> Watches:
        call, config = self.vip.rpc.call, self._config
        return Watches(
            devices=devices.DeviceWatch(),
            alerts=alerts.AlertWatch(),
            bus=bus.BusWatch(),
            reachability=self._make_reachability(config),
            exports=Exports(call, timeout_s=config.rpc_timeout_s),
        )

    def _make_reachability(self, config: BridgeConfig) -> Reachability:
        return Reachability(
            self.vip.rpc.call,
            interval_s=config.health_interval_s,
            timeout_s=config.rpc_timeout_s,
            gone=imports.Unreachable,
        )

    def _make_gatherer(self, config: BridgeConfig) -> FactsGatherer:
        if self._watches is not None:
            self._watches.reachability.interval_s = config.health_interval_s
            self._watches.reachability.timeout_s = self._watches.exports.timeout_s = config.rpc_timeout_s
        if not (config.canary and self.watches):
            self._canary = None
        elif self._canary is None:
            self._canary = canary.CanaryPublisher(self._publish, self.core.identity)
        return FactsGatherer(
            self.vip.rpc.call,
            Services(control=imports.CONTROL, health=imports.PLATFORM_HEALTH),
            generation=imports.GENERATION,
            platform_version=imports.platform_version(),
            volttron_home=self._home,
            timeout_s=config.rpc_timeout_s,
            watches=self._watches,
            asked=Asked(self._make_reachability(config), self._asked) if self._asked is not None else None,
            canary=lambda: self._canary,
        )

    def _handle(self, method: str, params: dict[str, Any]) -> Any:
        if method != "facts" or self._gatherer is None:
            raise UnknownMethod(f"the {self.engine} bridge has no method {method!r}.")
        return self._gatherer.gather()  # the link encodes it as it is, in a third of the time that dictionaries take

    def _tell(self, state: str, sentence: str) -> None:
        """Say a change of the engine's state once, in the log and in our health."""
        good = state in ("running", "stopped")
        (_log.info if good else _log.error)("%s", sentence)
        if state != "stopped":
            status = imports.STATUS_GOOD if good else imports.STATUS_BAD
            self.vip.health.set_status(status, {"engine": state, "detail": sentence[:500]})

    def _on_device(self, peer: str, sender: str, bus: str, topic: str, headers: Any, message: Any) -> None:
        if self._watches is not None:
            self._watches.devices.seen(topic, message)
            self._watches.bus.seen("devices", topic, message)

    def _on_alert(self, peer: str, sender: str, bus: str, topic: str, headers: Any, message: Any) -> None:
        if self._watches is not None:
            self._watches.alerts.seen(sender, headers)
            self._watches.bus.seen("alerts", topic, message)

    def _on_heartbeat(self, peer: str, sender: str, bus: str, topic: str, headers: Any, message: Any) -> None:
        if self._watches is not None:
            self._watches.bus.seen("heartbeat", topic, message)

    def _on_probe(self, peer: str, sender: str, bus: str, topic: str, headers: Any, message: Any) -> None:
        if self._watches is not None and sender == self.core.identity:
            self._watches.bus.came_back(message)

    def _read_device_configs(self) -> None:
        """Every minute: which devices there are, and what their configuration says."""
        reader = devices.DeviceConfigReader(self._store, imports.PLATFORM_DRIVER)
        while self._watches is not None:
            try:
                self._watches.devices.configured(reader.read())
            except (gevent.Timeout, Exception) as error:  # the store is away: the next round asks again
                _log.debug("device configurations not read: %s", type(error).__name__)
            gevent.sleep(DEVICE_CONFIG_PAUSE_S)

    def _probe_bus(self) -> None:
        topic = bus.probe_topic(self.core.identity)
        while self._watches is not None:
            self._watches.bus.probe(lambda stamp: self._publish(topic, {}, stamp))
            gevent.sleep(bus.PROBE_PAUSE_S)

    def _publish_canary(self) -> None:
        """Every minute, where it is configured."""
        while True:
            if self._canary is not None:
                try:
                    self._canary.publish()
                except (gevent.Timeout, Exception) as error:  # its age tells
                    _log.debug("canary not published: %s", type(error).__name__)
            gevent.sleep(canary.PAUSE_S)

    def _publish(self, topic: str, headers: dict[str, str], message: Any) -> None:
        with gevent.Timeout(CONFIG_TIMEOUT_S):  # modular asks two services first, without a limit of its own
            self.vip.pubsub.publish("pubsub", topic, headers=headers, message=message).get(timeout=CONFIG_TIMEOUT_S)

    def _store(self, method: str, *args: Any) -> Any:
        return self.vip.rpc.call(imports.CONFIGURATION_STORE, method, *args).get(timeout=CONFIG_TIMEOUT_S)


def run(agent_class: type[Bridge]) -> None:
    """The entry point of an agent of ours, on either generation."""
    imports.vip_main(agent_class)
