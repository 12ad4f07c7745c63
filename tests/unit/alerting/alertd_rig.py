"""alertd beside a real Alertmanager, in this process or in one that can be killed, and what tells Alertmanager."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from servers.alertmanager import AlertmanagerServer

from voltscope.alerting.alert import Alert
from voltscope.alerting.alertmanager import Alertmanager
from voltscope.alerting.service import Alertd
from voltscope.alerting.settings import AlertdConfig, AlertmanagerSettings
from voltscope.configuration import load

_T = TypeVar("_T")

OPERATOR, VIEWER = "operator-secret-0123456789", "viewer-secret-0123456789abc"
ACKNOWLEDGER, WEBHOOK = "acknowledger-secret-0123456", "webhook-secret-0123456789ab"
QUICK = {"host": "127.0.0.1", "port": 0, "poll_s": 0.1, "settle_s": 0.0}
CRASHED = {
    "alertname": "VolttronAgentCrashed",
    "severity": "critical",
    "site": "campus",
    "instance": "boiler-house",
    "agent": "platform.historian",
}


def wait_for(found: Callable[[], _T | None], what: str, seconds: float = 60) -> _T:
    """What `found` returns once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what} did not come within {seconds} s")


def credentials(folder: Path) -> Path:
    """One user of each role, named like it."""
    file = folder / "credentials.json"
    secrets = {"operator": OPERATOR, "acknowledger": ACKNOWLEDGER, "viewer": VIEWER, "webhook": WEBHOOK}
    users = [{"name": name, "role": name, "secret": secret} for name, secret in secrets.items()]
    file.touch(mode=0o600)
    file.write_text(json.dumps({"version": 1, "users": users}))
    return file


class Rules:
    """Stands for Prometheus: tells Alertmanager what fires, and when told to, tells it again."""

    def __init__(self, url: str) -> None:
        self._alertmanager = Alertmanager(AlertmanagerSettings(urls=(url,)))
        self._firing: dict[str, Alert] = {}

    def fire(
        self, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None, since: float | None = None
    ) -> str:
        """The alert's fingerprint."""
        now = time.time()
        alert = Alert(dict(labels), dict(annotations or {}), since or now, now + 600)
        self._firing[alert.fingerprint] = alert
        self._alertmanager.post_alerts([alert])
        return alert.fingerprint

    def resolve(self, fingerprint: str) -> None:
        """It is over."""
        alert = self._firing.pop(fingerprint)
        self._alertmanager.post_alerts([Alert(alert.labels, alert.annotations, alert.starts_at, time.time())])

    def repeat(self) -> None:
        """As Prometheus does each minute, and at once in our tests: an Alertmanager that was killed knows nothing."""
        self._alertmanager.post_alerts(self._firing.values())


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """The body, which is text."""
        return self.body.decode()


def request(
    url: str, method: str = "GET", body: bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Whatever is answered, with any status."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    try:
        connection.request(method, f"{parts.path or '/'}?{parts.query}", body, dict(headers or {}))
        answer = connection.getresponse()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
    finally:
        connection.close()


class Client:
    """alertd's API as somebody uses it."""

    def __init__(self, url: str, secret: str = OPERATOR) -> None:
        self.url, self._headers = url, {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def get(self, path: str, **asked: Any) -> Any:
        """The JSON of an answer of 200."""
        answer = request(f"{self.url}{path}?{urllib.parse.urlencode(asked)}", headers=self._headers)
        assert answer.status == 200, answer.text
        return answer.json()

    def post(self, path: str, document: object, status: int = 201) -> Any:
        """The JSON of an answer of that status."""
        answer = request(f"{self.url}{path}", "POST", json.dumps(document).encode(), self._headers)
        assert answer.status == status, answer.text
        return answer.json()

    def delete(self, path: str, status: int = 204, **asked: Any) -> None:
        """Ends something."""
        answer = request(f"{self.url}{path}?{urllib.parse.urlencode(asked)}", "DELETE", headers=self._headers)
        assert answer.status == status, answer.text

    def alert(self, fingerprint: str) -> dict[str, Any] | None:
        """An alert that goes on."""
        found: list[dict[str, Any]] = [one for one in self.get("/api/alerts")["alerts"] if one["id"] == fingerprint]
        return found[0] if found else None

    def state(self, fingerprint: str) -> str | None:
        """What becomes of it."""
        found = self.alert(fingerprint)
        return found["state"] if found else None


class Rig:
    """Alertmanager, alertd beside it in this process, and a client of it. `clock.ahead`: seconds added to the time."""

    def __init__(self, folder: Path, alertmanager: AlertmanagerServer, **config: Any) -> None:
        self.folder, self.server = folder, alertmanager
        self.ahead = 0.0
        document = {
            **QUICK,
            "credentials": str(credentials(folder)),
            "alertmanager": {"urls": [alertmanager.url]},
            "sites": [str(site_file(folder))],
            **config,
        }
        self.config = load(AlertdConfig, document)
        self.rules = Rules(alertmanager.url)
        self.start()

    def start(self) -> None:
        """Begin, or go on where it was stopped."""
        self.alertd = Alertd(self.config, self.folder / "alertd", clock=lambda: time.time() + self.ahead, wait_s=60.0)
        self.alertd.start()
        self.client = Client(self.alertd.url)

    def stop(self) -> None:
        """End alertd; its data stay."""
        self.alertd.stop()

    def silenced_in_alertmanager(self, fingerprint: str) -> bool:
        """Whether Alertmanager itself would tell nobody."""
        return any(one["fingerprint"] == fingerprint and one["status"]["silencedBy"] for one in self.server.alerts())


def site_file(folder: Path, **keys: Any) -> Path:
    """A site of which there is nothing but the name."""
    file = folder / "site.json"
    if not file.exists():
        file.write_text(
            json.dumps({"site": "campus", "volttron_home": str(folder), "profiler": "http://127.0.0.1:1", **keys})
        )
    return file


class AlertdProcess:
    """alertd as it is run, so that it can be killed."""

    def __init__(self, folder: Path, alertmanager: AlertmanagerServer, **config: Any) -> None:
        self._folder = folder
        self._config = folder / "alertd.json"
        document = {
            **QUICK,
            "credentials": str(credentials(folder)),
            "alertmanager": {"urls": [alertmanager.url]},
            "sites": [str(site_file(folder))],
            "data_dir": str(folder / "alertd"),
            **config,
        }
        self._config.write_text(json.dumps(document))
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> Client:
        """Until it answers."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "voltscope.cli", "alertd", "--config", str(self._config)],
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        said = []
        for line in self._process.stderr:
            said.append(line)
            if " alertd at " in line:
                return Client(line.rpartition(" ")[2].strip())
        raise AssertionError("".join(said))

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """SIGKILL leaves it no time for anything."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            assert self._process.stderr is not None
            self._process.stderr.close()
            self._process = None
