"""Made-up platforms behind one HTTP server: what their exporters say is changed as faults would change it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

STATES = ("running", "stopped", "crashed", "never-started", "zombie", "hung")


@dataclass
class Agent:
    """One agent. `restarts`: by the platform, or by somebody."""

    state: str = "running"
    exit_status: int | None = None
    restarts: int = 0


@dataclass
class Platform:
    """One platform, up and well with `count` agents. Safe to change while it is scraped."""

    site: str
    instance: str
    count: int = 5
    up: bool = True
    fresh: bool = True
    bus: bool = True
    reachable: bool = True
    agents: dict[str, Agent] = field(init=False)
    _started: float = field(default_factory=lambda: time.time() - 7200)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.agents = {f"agent.{number:02}": Agent() for number in range(self.count)}

    @property
    def path(self) -> str:
        """Where its exporter is."""
        return f"/{self.site}/{self.instance}/metrics"

    def kill(self, agent: str) -> None:
        """It is killed by SIGKILL, and stays down."""
        self._become(agent, "crashed", -9)

    def become(self, agent: str, state: str) -> None:
        """It is in another state, as the exporter sees it."""
        self._become(agent, state, None)

    def restart(self, agent: str) -> None:
        """It runs again, in a new process."""
        with self._lock:
            self.agents[agent] = Agent(restarts=self.agents[agent].restarts + 1)

    def kill_platform(self) -> None:
        """The platform's process and all its agents are gone; the exporter runs apart from them."""
        with self._lock:
            self.up = False
            for one in self.agents.values():
                one.state = "crashed"

    def start_platform(self) -> None:
        """It is started again, with all its agents."""
        with self._lock:
            self.up, self.fresh, self._started = True, True, time.time()
            self.agents = {name: Agent(restarts=one.restarts + 1) for name, one in self.agents.items()}

    def exposition(self) -> str:
        """What its exporter answers now."""
        with self._lock:
            lines = [
                f"volttron_platform_up {int(self.up and self.fresh)}",
                'volttron_platform_info{generation="modular",version="12",instance="x"} 1',
                f"voltscope_facts_fresh {int(self.up and self.fresh)}",
                "voltscope_facts_age_seconds 1",
                'voltscope_collector_success{collector="agents"} 1',
                "voltscope_engine_restarts_total 1",
            ]
            if self.up:
                lines.append(f"volttron_platform_uptime_seconds {time.time() - self._started:.1f}")
                lines.append(f"volttron_bus_probe_success {int(self.bus)}")
            for name, agent in self.agents.items():
                lines += [
                    f'volttron_agent_state{{agent="{name}",state="{state}"}} {int(agent.state == state)}'
                    for state in STATES
                ]
                lines.append(f'volttron_agent_enabled{{agent="{name}"}} 1')
                lines.append(f'volttron_agent_restarts_total{{agent="{name}"}} {agent.restarts}')
                if agent.exit_status is not None:
                    lines.append(f'volttron_agent_exit_status{{agent="{name}"}} {agent.exit_status}')
        return "\n".join(lines) + "\n"

    def _become(self, agent: str, state: str, exit_status: int | None) -> None:
        with self._lock:
            self.agents[agent] = Agent(state, exit_status, self.agents[agent].restarts)


class Exporters:
    """All their exporters on one port of loopback; one that is not reachable hangs up without a word."""

    def __init__(self, platforms: list[Platform]) -> None:
        by_path = {platform.path: platform for platform in platforms}

        class Exporter(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                platform = by_path.get(self.path)
                if platform is None or not platform.reachable:
                    self.close_connection = True
                    return
                body = platform.exposition().encode()
                self.send_response(200)
                self.send_header("Content-Type", "text/plain; version=0.0.4")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Prometheus asks often."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Exporters:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
