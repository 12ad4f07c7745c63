"""Installed agents: what each is, the state it is in, and how often it was restarted."""

from __future__ import annotations

from pathlib import Path

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, counter, gauge, info, label_value
from voltscope.metrics.restarts import Restarts
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.agents import START_SLACK_S, State
from voltscope.platform.packages import Packages

STATES = tuple(state.value for state in State)

INFO = info("volttron_agent_info", "What an installed agent is.", "agent", "name", "version", "tag", "priority")
STATE = gauge(
    "volttron_agent_state",
    "1 for the state an agent is in. zombie: its process runs but is no peer; hung: a peer that does not answer.",
    "agent",
    state=STATES,
)
EXIT_STATUS = gauge(
    "volttron_agent_exit_status",
    "How the agent's last process ended; negative: by that signal. Absent while it runs.",
    "agent",
)
RESTARTS = counter(
    "volttron_agent_restarts_total", "How often another process took an agent's place, across our restarts.", "agent"
)
ENABLED = gauge("volttron_agent_enabled", "Whether the agent starts with the platform.", "agent")
INSTALLED = info(
    "volttron_agent_installed_info",
    "The version an agent's next start will run: of the package in the platform's environment, or of the one that "
    "monolithic VOLTTRON unpacked. volttron_agent_info has the version the platform knows it by.",
    "agent",
    "version",
)
INSTALLED_AT = gauge(
    "volttron_agent_installed_timestamp_seconds", "When that package was installed, since the epoch.", "agent"
)
OUTDATED = gauge(
    "volttron_agent_outdated",
    "Whether an agent runs on code older than what is installed: its package was installed after it started.",
    "agent",
)


@register
class AgentsCollector(Collector):
    """A removed agent's series end with the first fresh facts that lack it."""

    name = "agents"
    help = "Installed agents: version, state, exit status, restarts."
    families = (INFO, STATE, EXIT_STATUS, RESTARTS, ENABLED, INSTALLED, INSTALLED_AT, OUTDATED)

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._restarts = Restarts(data_dir / "restarts.json")
        self._packages = Packages()

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        restarts = self._restarts.observe(snapshot)
        for agent in snapshot.agents:
            known = agent.installed
            samples.set(
                INFO,
                1.0,
                agent=known.identity,
                name=known.name,
                version=known.version,
                tag=known.tag,
                priority=known.priority,
            )
            samples.choose(STATE, agent.state.value, agent=known.identity)
            samples.set(EXIT_STATUS, known.exit_status, agent=known.identity)
            samples.set(RESTARTS, restarts.get(label_value(known.identity), 0), agent=known.identity)
            samples.set(ENABLED, float(known.enabled), agent=known.identity)
            package = self._packages.of(snapshot.volttron_home, known.name, known.version, known.uuid)
            if package is not None:
                samples.set(INSTALLED, 1.0, agent=known.identity, version=package.version)
                samples.set(INSTALLED_AT, package.installed_at, agent=known.identity)
                started = snapshot.started_at.get(agent.pid) if agent.pid is not None else None
                if started is not None:
                    outdated = package.installed_at > started + START_SLACK_S
                    samples.set(OUTDATED, float(outdated), agent=known.identity)
