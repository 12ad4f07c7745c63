"""Installed agents: what each is, the state it is in, and how often it was restarted."""

from __future__ import annotations

from pathlib import Path

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, counter, gauge, info, label_value
from voltscope.metrics.restarts import Restarts
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.agents import State

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


@register
class AgentsCollector(Collector):
    """A removed agent's series end with the first fresh facts that lack it."""

    name = "agents"
    help = "Installed agents: version, state, exit status, restarts."
    families = (INFO, STATE, EXIT_STATUS, RESTARTS, ENABLED)

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._restarts = Restarts(data_dir / "restarts.json")

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
