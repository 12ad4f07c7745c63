"""From a bus alert's beginning to its end, as Alertmanager is told of it: its labels, its words, its times."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone

import msgspec

from voltscope.alerting.alert import Alert, Severity
from voltscope.alerting.site.conditions import Condition
from voltscope.visible import visible

NAME, STORM_NAME = "VolttronBusAlert", "VolttronBusAlertStorm"
JOB, SOURCE = "voltscope", "bus"
# The place of an episode that is no agent's, but the whole platform's.
STORM = ("", "storm")
# What loses data now, as the rules on metrics have it; whatever else agents complain of will not wait for ever either.
_CRITICAL = frozenset({"historian_cache_full", "historian_not_publishing", "process_loop_failed"})
_LONGEST_NAME = 256
_SUMMARY = 200
_DESCRIPTION = 4000
_SHOWN = 10
# Of what began and ended while Alertmanager was away: for so long it is told to fire, more than the 5 min that
# Alertmanager may take by default until it tells people of a group's news.
LATE_S = 360.0


class Episode(msgspec.Struct, kw_only=True):
    """An alert of one agent and label, from `began` to `ended` (seconds since the epoch; None while it goes on).

    `withheld`: a storm's, not told on its own. `told_at`: Alertmanager first acknowledged that it fires, `over_told_at`
    that it is over; `late_until`: until when it is told to fire though it is over, having never been told before.
    `earlier`: times it fired before while nobody could be told, since `earlier_began`. `words`: what it said at its
    end, `held`: of a storm, alerts held back by agent.
    """

    id: str
    agent: str
    label: str
    began: float
    ended: float | None = None
    why: str = ""
    withheld: bool = False
    told_at: float | None = None
    over_told_at: float | None = None
    late_until: float | None = None
    earlier: int = 0
    earlier_began: float | None = None
    words: dict[str, str] = {}
    held: dict[str, int] = {}

    @property
    def place(self) -> tuple[str, str]:
        """What there is one alert of at a time: the agent and the label."""
        return self.agent, self.label

    @property
    def severity(self) -> Severity:
        """By its label."""
        return "critical" if self.label in _CRITICAL else "warning"


def alert_of(episode: Episode, site: str, instance: str, ends_at: float | None, words: dict[str, str]) -> Alert:
    """As Alertmanager is told of it."""
    labels = {"alertname": NAME, "site": site, "instance": instance, "severity": episode.severity}
    labels |= {"job": JOB, "source": SOURCE}
    if episode.place == STORM:
        labels["alertname"] = STORM_NAME
    else:
        labels |= {"agent": visible(episode.agent)[:_LONGEST_NAME], "key": episode.label}
    told = {**words, "runbook": f"docs/runbooks/{labels['alertname']}.md"}
    if episode.why:
        told["resolved"] = episode.why
    if episode.earlier:
        since = iso(episode.earlier_began or episode.began)
        told["earlier"] = f"It fired {episode.earlier} times before, since {since}, while nobody could be told."
    return Alert(labels, told, starts_at=episode.began, ends_at=ends_at)


def words_of(episode: Episode, conditions: Sequence[Condition]) -> dict[str, str]:
    """What people are told of an agent's alert: the agent's own words, how often it said them, and since when."""
    agent = visible(episode.agent)
    first = next(iter((conditions[0].text if conditions else "").strip().splitlines()), "") or "it gives no reason"
    lines = [f"{visible(condition.key) or '(no key)'}: {condition.text}" for condition in conditions[:_SHOWN]]
    if len(conditions) > _SHOWN:
        lines.append(f"and {len(conditions) - _SHOWN} more")
    count, last = sum(condition.count for condition in conditions), max(condition.last for condition in conditions)
    return {
        "summary": _short(f"{agent} complains: {first}", _SUMMARY),
        "description": _short("\n".join(lines), _DESCRIPTION),
        "alert_key": _short(", ".join(visible(condition.key) for condition in conditions[:_SHOWN]), _SUMMARY),
        "topic": visible(conditions[0].topic),
        "repeated": f"{count} times, last at {iso(last)}",
    }


def storm_words(episode: Episode, withheld: int) -> dict[str, str]:
    """What people are told of a storm: how many alerts are held back, and whose."""
    most = sorted(episode.held.items(), key=lambda item: (-item[1], item[0]))
    whose = ", ".join(f"{visible(agent)} ({count})" for agent, count in most[:_SHOWN])
    more = f" and {len(most) - _SHOWN} other agents" if len(most) > _SHOWN else ""
    total = sum(episode.held.values())
    return {
        "summary": f"Agents send more alerts than are told: {total} held back since {iso(episode.began)}",
        "description": f"{withheld} are held back now and told one by one as there is room. By agent: {whose}{more}.",
    }


def iso(seconds: float) -> str:
    """A moment for people, in UTC."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
