"""Whether a complaint is over. VOLTTRON never says so; it is derived, and the reason told."""

from __future__ import annotations

from dataclasses import dataclass, field

from voltscope.alerting.site.conditions import Condition
from voltscope.platform.agents import Facts, InstalledAgent
from voltscope.visible import visible

REASONS = ("said", "health", "agents", "topics", "quiet")
SAID_GOOD = "The agent itself says that all is good."
QUIET_PERIODS = 3


@dataclass(frozen=True)
class Evidence:
    """What is known at a moment: fresh facts, None where there are none, and when topics were last seen."""

    facts: Facts | None = None
    topics: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Over:
    """Why it is over: one of REASONS, and a sentence."""

    reason: str
    sentence: str


def judge(condition: Condition, evidence: Evidence) -> Over | None:
    """Why `condition` is over, as far as the evidence says; notes in it what is seen of the agent's health."""
    return _health(condition, evidence) or _agents(condition, evidence) or _topics(condition, evidence)


def quiet(condition: Condition, quiet_for_s: float, quiet_s: float) -> Over | None:
    """Whether it is over because it was not repeated: we listened for `quiet_for_s` seconds and heard nothing.

    The limit is QUIET_PERIODS of its own periods, `quiet_s` at least.
    """
    period = condition.period_s
    limit = max(quiet_s, QUIET_PERIODS * period) if period is not None else quiet_s
    if quiet_for_s < limit:
        return None
    pace = f", and came every {_duration(period)} before" if period is not None else ""
    return Over("quiet", f"It was not repeated for {_duration(limit)}{pace}.")


def _health(condition: Condition, evidence: Evidence) -> Over | None:
    """The agent's health was other than good after the alert, and is good again.

    One that was good all along, as of those who watch others, says nothing.
    """
    health = evidence.facts.health.get(condition.agent) if evidence.facts else None
    if health is None or not health.answered or health.asked_at < condition.last:
        return None
    if health.status != "good":
        condition.was_bad = True
        return None
    return Over("health", f"The health of {visible(condition.agent)} is GOOD again.") if condition.was_bad else None


def _agents(condition: Condition, evidence: Evidence) -> Over | None:
    """Every agent that was missed is on the bus, after it was last missed."""
    facts = evidence.facts
    named = {**condition.agents, **condition.uuids}
    if facts is None or not named or facts.taken_at <= max(named.values()):
        return None
    peers = set(facts.peers)
    running = {agent.uuid for agent in facts.agents if _runs(agent) and agent.identity in peers}
    if not (condition.agents.keys() <= peers and condition.uuids.keys() <= running):
        return None
    names = [*condition.agents, *(agent.identity for agent in facts.agents if agent.uuid in condition.uuids)]
    return Over("agents", f"On the bus again: {_listed(names)}.")


def _topics(condition: Condition, evidence: Evidence) -> Over | None:
    """Every topic that was missed was published, after it was last missed."""
    if not condition.topics:
        return None
    if any(evidence.topics.get(topic, 0.0) <= missed for topic, missed in condition.topics.items()):
        return None
    return Over("topics", f"Published again: {_listed(list(condition.topics))}.")


def _runs(agent: InstalledAgent) -> bool:
    return agent.pid is not None and agent.exit_status is None


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return visible(", ".join(name[:100] for name in names[:5])) + more


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds >= 120 else f"{seconds:.0f} s"
