"""Alerts to those who listen on MQTT: each a retained message while it fires, taken back when it is over."""

from __future__ import annotations

import functools
import logging
import re
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import msgspec

from voltscope.alerting.bounded import bounded_annotations, bounded_labels, bounded_text
from voltscope.alerting.settings import MqttSettings
from voltscope.alerting.webhook import WebhookAlert
from voltscope.errors import AlertStoreError, ConfigError
from voltscope.outbound.http_client import secret_of
from voltscope.outbound.tls import tls_context

if TYPE_CHECKING:
    import paho.mqtt.client as paho

_log = logging.getLogger(__name__)

MAX_WAITING = 10_000
AT_ONCE = 20
KEEPALIVE_S = 30
RECONNECT_S = (1, 30)
QOS = 1
# What separates levels and what stands for any of them, what no broker takes, and what these are written with.
_UNSAFE = re.compile("[/+#%\x00-\x1f\x7f-\x9f\ufffe\uffff]")
_LONGEST_LEVEL = 200
_SCHEMA = """
CREATE TABLE IF NOT EXISTS waiting (id INTEGER PRIMARY KEY AUTOINCREMENT, topic TEXT NOT NULL, payload BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS firing (topic TEXT PRIMARY KEY, payload BLOB NOT NULL) WITHOUT ROWID;
"""


class MqttPublisher:
    """Publishes what webhooks tell, in order, at least once; what the broker has not acknowledged is in `path`.

    A thread of its own publishes; `publish` returns when the alerts are on disk. What fires is published again after
    each connection: a broker may have been started without what it had retained.
    """

    def __init__(self, settings: MqttSettings, path: Path) -> None:
        """Raises ConfigError, and AlertStoreError when `path` cannot be used."""
        self._settings, self._path = settings, path
        self._client = _client(settings)
        self._client.on_connect = lambda client, data, flags, reason, properties: self._tell(self._greeted, reason)
        self._client.on_disconnect = lambda client, data, flags, reason, properties: self._tell(self._hung_up, reason)
        self._client.on_connect_fail = lambda *_: self._tell(self._lost, "it cannot be reached")
        self._client.on_publish = lambda client, data, mid, reason, _: self._tell(self._acknowledged, mid, reason)
        # The client calls back with a lock held that its `publish` wants: what it says is only put down here.
        self._news: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()  # of the database
        self._connected = False
        self._under_way: dict[int, int] = {}  # message id of the client's: row of the waiting
        self._again: list[tuple[str, bytes]] = []
        self.failure: str | None = "not connected yet"
        self.published = self.refused = self.dropped = 0
        try:
            path.touch(mode=0o600)
            self._database = sqlite3.connect(path, check_same_thread=False, timeout=10.0)
            self._database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;" + _SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise AlertStoreError(
                f"cannot open what waits for the MQTT broker, {path}: {error}.", "Check its owner and its disk."
            ) from error
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def start(self) -> None:
        """Connect, and go on trying."""
        self._client.connect_async(self._settings.host, self._settings.port, KEEPALIVE_S)
        self._client.loop_start()
        self._thread.start()

    def publish(self, alerts: Iterable[WebhookAlert]) -> None:
        """Take these, to be published in this order. Raises AlertStoreError when they cannot be kept."""
        with self._kept():
            for alert in alerts:
                self._take(alert)
            self._make_room()
        self._tell(lambda: None)

    def take_back(self, is_over: Callable[[str], bool]) -> None:
        """Of what is retained, that of whose fingerprint this is true. Raises AlertStoreError."""
        with self._kept():
            for (topic,) in self._database.execute("SELECT topic FROM firing").fetchall():
                if is_over(topic.rpartition("/")[2]):
                    self._database.execute("DELETE FROM firing WHERE topic = ?", (topic,))
                    self._database.execute("INSERT INTO waiting (topic, payload) VALUES (?, ?)", (topic, b""))
            self._make_room()
        self._tell(lambda: None)

    def status(self) -> dict[str, Any]:
        """Where to, how many messages wait, were published, refused and dropped, and why it does not go on."""
        return {
            "to": f"{self._settings.host}:{self._settings.port}",
            "waiting": self.waiting,
            "published": self.published,
            "refused": self.refused,
            "dropped": self.dropped,
            "failure": self.failure,
        }

    @property
    def waiting(self) -> int:
        """Messages the broker has not acknowledged."""
        with self._lock:
            return int(self._database.execute("SELECT count(*) FROM waiting").fetchone()[0])

    def stop(self) -> None:
        """Say goodbye to the broker; what waits is published the next time."""
        self._news.put(None)
        if self._thread.is_alive():
            self._thread.join(3.0)
        self._client.disconnect()
        self._client.loop_stop()
        with self._lock:
            self._database.close()

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """A transaction. Raises AlertStoreError."""
        try:
            with self._lock, self._database:
                yield
        except sqlite3.Error as error:
            raise AlertStoreError(f"cannot write {self._path}: {error}.", "Check the disk's free space.") from error

    def _take(self, told: WebhookAlert) -> None:
        topic = topic_of(self._settings.topic, told)
        known = self._database.execute("SELECT payload FROM firing WHERE topic = ?", (topic,)).fetchone()
        if told.status == "resolved":
            payload = b""
            self._database.execute("DELETE FROM firing WHERE topic = ?", (topic,))
        else:
            payload = payload_of(told)
            if known is not None and known[0] == payload:
                return  # Alertmanager repeats itself
            self._database.execute("INSERT OR REPLACE INTO firing VALUES (?, ?)", (topic, payload))
        self._database.execute("INSERT INTO waiting (topic, payload) VALUES (?, ?)", (topic, payload))

    def _make_room(self) -> None:
        """Beyond MAX_WAITING the oldest go; first those that something newer of the same topic follows."""
        count = self._database.execute("SELECT count(*) FROM waiting").fetchone()[0]
        for older in ("id NOT IN (SELECT max(id) FROM waiting GROUP BY topic)", "true"):
            if count > MAX_WAITING:
                gone = self._database.execute(
                    f"DELETE FROM waiting WHERE id IN (SELECT id FROM waiting WHERE {older} ORDER BY id LIMIT ?)",  # noqa: S608
                    (count - MAX_WAITING,),
                ).rowcount
                self.dropped += gone
                count -= gone

    def _tell(self, what: Callable[..., None], *arguments: Any) -> None:
        self._news.put(functools.partial(what, *arguments))

    def _run(self) -> None:
        while (what := self._news.get()) is not None:
            try:
                what()
                if self._connected:
                    self._send()
            except sqlite3.Error:
                _log.exception("alerts wait for the MQTT broker %s", self._settings.host)

    def _send(self) -> None:
        """Retained messages again, then what waits and is not under way, in order."""
        for topic, payload in self._again:
            self._client.publish(topic, payload, QOS, retain=True)
        self._again = []
        last = max(self._under_way.values(), default=0)
        with self._lock:
            rows = self._database.execute(
                "SELECT id, topic, payload FROM waiting WHERE id > ? ORDER BY id LIMIT ?",
                (last, AT_ONCE - len(self._under_way)),
            ).fetchall()
        for row, topic, payload in rows:
            self._under_way[self._client.publish(topic, payload, QOS, retain=True).mid] = row

    def _greeted(self, reason: Any) -> None:
        if reason.is_failure:
            self._lost(f"it refuses us: {reason}")
            return
        _log.info("connected to the MQTT broker %s", self._settings.host)
        self._connected, self.failure = True, None
        with self._lock:
            self._again = self._database.execute(
                "SELECT topic, payload FROM firing WHERE topic NOT IN (SELECT topic FROM waiting)"
            ).fetchall()

    def _hung_up(self, reason: Any) -> None:
        if self._connected:  # who refuses us hangs up as well, and has said why
            self._lost(f"the connection ended: {reason}")

    def _acknowledged(self, mid: int, reason: Any) -> None:
        row = self._under_way.pop(mid, None)
        if row is None:
            return
        if reason is not None and reason.is_failure:
            self.refused += 1
            _log.error("the MQTT broker %s does not take an alert: %s", self._settings.host, reason)
        else:
            self.published += 1
        with self._lock, self._database:
            self._database.execute("DELETE FROM waiting WHERE id = ?", (row,))

    def _lost(self, why: str) -> None:
        if self.failure is None:
            _log.warning("alerts wait for the MQTT broker %s: %s", self._settings.host, why)
        self._connected, self.failure = False, why


def topic_of(root: str, told: WebhookAlert) -> str:
    """`ROOT/SITE/INSTANCE/NAME/FINGERPRINT`; what a label lacks is `-`."""
    labels = told.alert.labels
    levels = (labels.get("site"), labels.get("instance"), labels.get("alertname"), told.fingerprint)
    return "/".join((root, *(level(one or "-") for one in levels)))


def level(text: str) -> str:
    """`text` as one level of a topic: what would be more, or a wildcard, is written as in URLs (`%2F`)."""
    text = text[:_LONGEST_LEVEL].encode("utf-8", "replace").decode()
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), text)


def payload_of(told: WebhookAlert) -> bytes:
    """The message of an alert that fires: JSON, times in seconds since the epoch."""
    alert = told.alert
    labels = bounded_labels(alert.labels)
    return msgspec.json.encode(
        {
            "id": told.fingerprint,
            "name": alert.name,
            "severity": labels.get("severity"),
            "labels": labels,
            "annotations": bounded_annotations(alert.annotations),
            "started": alert.starts_at,
            "source": bounded_text(alert.generator_url),
        }
    )


def _client(settings: MqttSettings) -> paho.Client:
    try:
        import paho.mqtt.client as paho
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    except ImportError as error:
        raise ConfigError("mqtt", "no paho-mqtt in this environment", "pip install 'voltscope[mqtt]'") from error
    client = paho.Client(CallbackAPIVersion.VERSION2, settings.client_id, protocol=MQTTProtocolVersion.MQTTv5)
    client.reconnect_delay_set(*RECONNECT_S)
    client.max_inflight_messages_set(AT_ONCE)
    if settings.password_file is not None:
        client.username_pw_set(settings.username, secret_of("password_file", settings.password_file))
    if settings.tls:
        context = tls_context(settings)
        if settings.server_name is not None:
            wrap, name = context.wrap_socket, settings.server_name
            # the client knows no other name than the host's
            context.wrap_socket = lambda *given, **options: wrap(*given, **{**options, "server_hostname": name})  # type: ignore[method-assign]
        client.tls_set_context(context)
    return client
