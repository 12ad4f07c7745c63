"""A whole site for the console to show: real exporter, Prometheus, log store, profiler and processes."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TypeVar, cast

import httpx
import msgspec
from prometheus_history import write_agent_history
from servers.ports import free_port
from spool_writer import SpoolWriter

from voltscope.console.server import ConsoleServer
from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.metrics.engine import ExporterEngine
from voltscope.platform.agents import Device, Facts, Health, Heartbeat, InstalledAgent
from voltscope.profiling.engine import ProfilerEngine
from voltscope.site import Site

OPERATOR = ("operator", "operator-secret-0123456789")
VIEWER = ("viewer", "viewer-secret-0123456789abc")

BUSY = """
import math, sqlite3, sys, time
store = sqlite3.connect(sys.argv[1])
store.execute("SELECT * FROM data").fetchall()
def turn_the_wheel():
    return sum(math.sqrt(number) for number in range(20000))
def main():
    while True:
        turn_the_wheel()
        time.sleep(0.005)
main()
"""
IDLE = "import time\nwhile True: time.sleep(3600)"
INSTANCE = "boiler-house"
HISTORY_AGE_S = 1200  # how long before it was started ends what Prometheus knows already

HOSTILE = "\x1b[31mred\x1b[0m <script>document.title='owned'</script><img src=x onerror=alert(1)> \u202eevil"
TRACEBACK = """cannot write to the database
Traceback (most recent call last):
  File "historian.py", line 77, in publish
    store(rows)
sqlite3.OperationalError: database is locked"""

_T = TypeVar("_T")


def wait_for(found: Callable[[], _T | None], what: str, seconds: float = 60) -> _T:
    """What `found` returns once it is true."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := found():
            return value
        time.sleep(0.1)
    raise AssertionError(f"{what} did not come within {seconds} s")


class Logs:
    """The log store's one writer."""

    def __init__(self, folder: Path) -> None:
        self._writer = SpoolWriter(folder, instance=INSTANCE)

    def write(self, agent: str, level: int, text: str, at: float | None = None) -> None:
        """One record."""
        logger = f"{agent.split('.')[-1]}.agent"
        self._writer.write(text, agent=agent, level=level, at=at, logger=logger, pid=4242, line=77)

    def close(self) -> None:
        """Close the spool."""
        self._writer.close()


class RunningSite:
    """What a test needs of the site."""

    def __init__(self, url: str, site: Site, logs: Logs, busy: int, past_until: float = 0.0) -> None:
        self.url, self.site, self.logs, self.busy, self.past_until = url, site, logs, busy, past_until

    @contextmanager
    def client(self, who: tuple[str, str] | None = OPERATOR) -> Iterator[httpx.Client]:
        """A client with a session of `who`, obtained through the login form."""
        with httpx.Client(base_url=self.url, headers={"Origin": self.url}, trust_env=False, timeout=60) as client:
            if who is not None:
                answer = client.post("/login", data={"name": who[0], "secret": who[1]})
                assert answer.status_code == 303, answer.text
            yield client


def write_credentials(folder: Path) -> Path:
    """An operator and a viewer."""
    file = folder / "credentials.json"
    users = [{"name": name, "role": name, "secret": secret} for name, secret in (OPERATOR, VIEWER)]
    file.touch(mode=0o600)
    file.write_text(json.dumps({"version": 1, "users": users}))
    return file


@contextmanager
def console_of(site: Site, **changes: str | None) -> Iterator[RunningSite]:
    """A further console, of `site` with some keys of its own."""
    port = free_port()
    own = msgspec.structs.replace(site, console=f"http://127.0.0.1:{port}", **changes)
    console = ConsoleServer(own, port=port)
    console.start()
    try:
        yield RunningSite(console.url, own, cast(Logs, None), 0)
    finally:
        console.stop()


@contextmanager
def running_site(folder: Path) -> Iterator[RunningSite]:
    """Everything started and stopped."""
    with ExitStack() as stack:
        credentials = write_credentials(folder)
        busy = _process(stack, BUSY, _historian_store(folder / "platform.historian.sqlite"))
        idle, platform = _process(stack, IDLE), _process(stack, IDLE)
        facts = _facts(folder, busy, idle, platform)

        def answer(timeout_s: float) -> FactsAnswer:
            return FactsAnswer(facts(), 0.0, None)

        exporter = ExporterEngine(EngineContext("exporter", _made(folder / "exporter"), folder, answer))
        exporter.configure({"port": 0})
        exporter.start()
        stack.callback(exporter.stop)
        profiler = ProfilerEngine(EngineContext("profiler", _made(folder / "profiler"), folder, answer))
        continuous = {"agents": ["platform.historian"], "window_s": 5}
        profiler.configure({"port": 0, "credentials": str(credentials), "site": "test", "continuous": continuous})
        profiler.start()
        stack.callback(profiler.stop)
        logs = Logs(folder / "spool")
        stack.callback(logs.close)
        assert exporter.url is not None
        past_until = time.time() - HISTORY_AGE_S
        write_agent_history(folder / "prometheus", "test", INSTANCE, "platform.historian", past_until)
        target = {"targets": [exporter.url.removeprefix("http://")], "labels": {"site": "test", "instance": INSTANCE}}
        scrape = {"job_name": "voltscope", "static_configs": [target]}
        port = free_port()
        site = Site(
            site="test",
            instance=INSTANCE,
            exporter=exporter.url,
            profiler=profiler.url or "",
            console=f"http://127.0.0.1:{port}",
            prometheus=stack.enter_context(prometheus(folder, [scrape])),
            volttron_home=str(folder),
            log_store=str(folder / "spool"),
            credentials=str(credentials),
        )
        console = ConsoleServer(site, port=port)
        console.start()
        stack.callback(console.stop)
        running = RunningSite(console.url, site, logs, busy, past_until)
        with running.client() as client:
            wait_for(lambda: _has_rates(client.get("/api/overview").json()), "rates in Prometheus")
        yield running


def _has_rates(overview: dict) -> bool:
    return any(agent["cpu_percent"] is not None for agent in overview["agents"])


def _historian_store(file: Path) -> str:
    """A store as VOLTTRON's SQLite historian makes it, with one row of now."""
    with sqlite3.connect(file) as store:
        store.execute(
            "CREATE TABLE data (ts timestamp NOT NULL, topic_id INTEGER, value_string TEXT, UNIQUE(topic_id, ts))"
        )
        store.execute("CREATE INDEX data_idx ON data (ts ASC)")
        now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f+00:00")
        store.execute("INSERT INTO data VALUES (?, 1, '21.5')", (now,))
    store.close()
    return str(file)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700)
    return folder


def _process(stack: ExitStack, code: str, *arguments: str) -> int:
    process = subprocess.Popen([sys.executable, "-c", code, *arguments])
    stack.callback(process.wait, 10)
    stack.callback(process.kill)
    return process.pid


@contextmanager
def prometheus(folder: Path, scrapes: Sequence[dict[str, object]] = ()) -> Iterator[str]:
    """The URL of one over the data in `folder/prometheus`, on loopback."""
    program = shutil.which("prometheus")
    assert program is not None
    file = folder / "prometheus.yml"
    file.write_text(json.dumps({"global": {"scrape_interval": "1s"}, "scrape_configs": list(scrapes)}))  # JSON is YAML
    url = f"http://127.0.0.1:{free_port()}"
    process = subprocess.Popen(
        [
            program,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'prometheus'}",
            f"--web.listen-address={url.removeprefix('http://')}",
            "--log.level=error",
        ]
    )
    try:
        yield url
    finally:
        process.terminate()
        process.wait(60)


def _facts(home: Path, busy: int, idle: int, platform: int) -> Callable[[], Facts]:
    """Six agents, one in each state that shows at once."""

    def agent(identity: str, name: str, pid: int | None, exit_status: int | None = None) -> InstalledAgent:
        version = name.rpartition("-")[2]
        return InstalledAgent(
            identity=identity, name=name, uuid=f"uuid-{identity}", version=version, pid=pid, exit_status=exit_status,
            enabled=pid is not None,
        )  # fmt: skip

    agents = [
        agent("platform.historian", "volttron-sqlite-historian-2.0.0rc5", busy),
        agent("platform.driver", "volttron-platform-driver-2.0.0rc9", idle),
        agent("listener", "volttron-listener-2.0.0rc3", os.getpid()),
        agent("weather", "weatheragent-1.2", 999_999_991, -9),
        agent("scheduler", "scheduler-0.3", 999_999_992, 0),
        agent("commissioning", "commissioning-0.1", None),
    ]
    peers = ["platform.historian", "platform.driver", "listener"]

    def now() -> Facts:
        at = time.time()
        return Facts(
            generation="modular",
            instance=INSTANCE,
            volttron_home=str(home),
            taken_at=at,
            platform_version="11.0.0rc3",
            platform_pid=platform,
            agents=agents,
            peers=peers,
            heartbeats={"listener": Heartbeat(last=at - 4.2, status="GOOD")},
            health={
                "platform.historian": Health(
                    answered=True, status="GOOD", last_updated=at - 30, asked_at=at, seconds=0.01
                ),
                "platform.driver": Health(answered=True, status="BAD", last_updated=at - 90, asked_at=at, seconds=0.01),
                "listener": Health(answered=True, status="GOOD", last_updated=at - 4, asked_at=at, seconds=0.01),
            },
            devices={
                "campus/boiler-1": Device(interval=5, driver_type="fake", last_update=at - 2.1, updates=812, points=9),
                "campus/ahu-3": Device(interval=5, driver_type="bacnet", last_update=at - 64, updates=33, points=40),
            },
        )

    return now
