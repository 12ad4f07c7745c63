"""From what the control service says to the state an agent is in."""

import msgspec
import pytest

from voltscope.platform.agents import (
    CONNECT_GRACE_S,
    Facts,
    Health,
    HealthStatus,
    InstalledAgent,
    State,
    agents_of,
)

NOW = 1_000_000.0


def state(*, pid=None, exit_status=None, peer=True, health=None, started=NOW - 600):
    """The state of one agent whose process started at `started`; None when there is no such process."""
    installed = InstalledAgent(identity="a", name="agent", uuid="u", pid=pid, exit_status=exit_status)
    facts = Facts(
        generation="modular",
        instance="i",
        volttron_home="/vh",
        taken_at=NOW,
        agents=[installed],
        peers=["a"] if peer else [],
        health={"a": health} if health else {},
    )
    (agent,) = agents_of(facts, {} if started is None else {7: started}, NOW)
    return agent.state


ANSWER = Health(answered=True, status="good", asked_at=NOW, seconds=0.01)
SILENCE = Health(answered=False, asked_at=NOW, seconds=2.0)


@pytest.mark.parametrize(
    ("expected", "facts"),
    [
        (State.NEVER_STARTED, {}),
        (State.RUNNING, {"pid": 7, "health": ANSWER}),
        (State.RUNNING, {"pid": 7}),  # not asked yet
        (State.STOPPED, {"pid": 7, "exit_status": 0, "started": None, "peer": False}),
        (State.CRASHED, {"pid": 7, "exit_status": -9, "started": None, "peer": False}),
        (State.CRASHED, {"pid": 7, "exit_status": 1, "started": None}),  # modular: a dead peer lingers
        (State.CRASHED, {"pid": 7, "started": None}),  # gone, and the platform has not noticed
        (State.ZOMBIE, {"pid": 7, "peer": False}),
        (State.RUNNING, {"pid": 7, "peer": False, "started": NOW - CONNECT_GRACE_S / 2}),  # about to connect
        (State.HUNG, {"pid": 7, "health": SILENCE}),
        (State.RUNNING, {"pid": 7, "health": SILENCE, "started": NOW + 1}),  # the silence was its predecessor's
    ],
)
def test_states(expected, facts):
    assert state(**facts) is expected


def test_only_a_living_agent_has_a_pid():
    dead = InstalledAgent(identity="dead", name="n", uuid="1", pid=7, exit_status=-9)
    alive = InstalledAgent(identity="alive", name="n", uuid="2", pid=8)
    facts = Facts(
        generation="modular", instance="i", volttron_home="/", taken_at=NOW, agents=[dead, alive], peers=["alive"]
    )
    assert [(a.identity, a.pid) for a in agents_of(facts, {8: NOW}, NOW)] == [("alive", 8), ("dead", None)]


@pytest.mark.parametrize(
    ("word", "status"),
    [("GOOD", "good"), ("Bad", "bad"), ("STARTING", "starting"), ("?", "unknown"), (None, "unknown")],
)
def test_health_words(word, status):
    assert HealthStatus.of(word) is HealthStatus(status)


def test_facts_cross_the_link_unchanged():
    facts = Facts(
        generation="modular",
        instance="i",
        volttron_home="/vh",
        taken_at=NOW,
        agents=[InstalledAgent(identity="a", name="n", uuid="u", pid=1)],
        health={"a": Health(answered=True, context={"ü": [1]}, asked_at=NOW, seconds=0.1)},
    )
    assert msgspec.convert(msgspec.json.decode(msgspec.json.encode(msgspec.to_builtins(facts))), Facts) == facts
