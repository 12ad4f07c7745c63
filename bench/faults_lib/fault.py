"""What a fault is: how it is seeded and undone, the alert declared for it, and what else it may bring about."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from faults_lib.bench import Bench

# A scrape may be 15 s away, and so may the evaluation that sees it; liveness rules are evaluated every 2.5 s.
SCRAPE_S = 15
LIVENESS_BUDGET_S = 60.0
SEEN_S = 2 * SCRAPE_S

# Yields once: the moment it was seeded, in seconds of time.time().
Seed = Callable[..., Iterator[float]]
# Why an alert, or (alert, agent), is a fault's consequence.
Consequences = dict[Any, str]


@dataclass(frozen=True)
class Expected:
    """An alert a fault may fire, with at least these labels; `because` is the reason a consequence is none of another
    fault.
    """

    alert: str
    labels: Mapping[str, str] = field(default_factory=dict)
    because: str = ""

    def covers(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels is it."""
        return labels.get("alertname") == self.alert and self.labels.items() <= labels.items()

    def overlaps(self, other: Expected) -> bool:
        """Whether an alert could be both."""
        shared = self.labels.keys() & other.labels.keys()
        return self.alert == other.alert and all(self.labels[key] == other.labels[key] for key in shared)


@dataclass(frozen=True)
class Fault:
    """One fault. Times in seconds.

    `declared`: it is detected when one of these fires within `budget_s`. `also`: what else may. `stands_s`: how long
    it is left standing after that, so that what comes later is seen. `recovery_s`: until when everything of it must
    have resolved after it was undone. `agent`: the agent installed for it. `alone`: while it stands nothing else does.
    `uptime_s`: the platform's age before it is of use, `watched_s`: how long Prometheus must have watched it by then.
    `lingers`: its alert stays for a window of its rule after all is well again, and others need not wait for that.
    `helper`: another agent that takes part.
    """

    name: str
    about: str
    seed: Seed
    declared: tuple[Expected, ...]
    also: tuple[Expected, ...]
    budget_s: float
    liveness: bool
    stands_s: float
    recovery_s: float
    agent: str | None
    agent_config: Mapping[str, Any] | None
    historian: Mapping[str, Any] | None
    helper: str | None
    alone: bool
    lingers: bool
    uptime_s: float
    watched_s: float
    needs: Callable[[Bench], str | None]

    @property
    def expected(self) -> tuple[Expected, ...]:
        """Everything that may fire for it."""
        return self.declared + self.also

    def distinct(self, other: Fault) -> bool:
        """Whether both may stand at once and every alert still be told to be one's or the other's."""
        return not any(one.overlaps(two) for one in self.expected for two in other.expected)

    @contextlib.contextmanager
    def seeded(self, bench: Bench) -> Iterator[float]:
        """Seed it, and undo it in the end."""
        with contextlib.contextmanager(self.seed)(bench, *([self.agent] if self.agent else [])) as moment:
            yield moment


FAULTS: list[Fault] = []


def declare(
    *alerts: str,
    labels: Mapping[str, str] | None = None,
    also: Consequences | None = None,
    budget_s: float = LIVENESS_BUDGET_S,
    liveness: bool = False,
    stands_s: float = 45,
    recovery_s: float = 420,
    agent: bool = True,
    agent_config: Mapping[str, Any] | None = None,
    historian: Mapping[str, Any] | None = None,
    helper: str | None = None,
    alone: bool = False,
    lingers: bool = False,
    uptime_s: float = 0,
    watched_s: float = 0,
    needs: Callable[[Bench], str | None] = lambda bench: None,
) -> Callable[[Seed], Fault]:
    """Registers a fault, named as its function is, described by its docstring.

    With `agent` or `historian` (its configuration) it has one of its own, `faulty.NAME` or `faulty.historian.NAME`,
    whose label all its alerts have unless `labels` says otherwise; `also` maps alerts, or (alert, agent), to why.
    `needs` returns why it cannot be seeded here.
    """

    def made(seed: Seed) -> Fault:
        name = seed.__name__.replace("_", "-")
        identity = f"faulty.historian.{name}" if historian is not None else f"faulty.{name}" if agent else None
        own = {"agent": identity} if identity is not None else {}
        consequences = []
        for what, because in (also or {}).items():
            alert, of = what if isinstance(what, tuple) else (what, None)
            consequences.append(Expected(alert, own if of is None else {"agent": of} if of else {}, because))
        fault = Fault(
            name=name,
            about=" ".join((seed.__doc__ or "").split()),
            seed=seed,
            declared=tuple(Expected(alert, own if labels is None else labels) for alert in alerts),
            also=tuple(consequences),
            budget_s=budget_s,
            liveness=liveness,
            stands_s=stands_s,
            recovery_s=recovery_s,
            agent=identity,
            agent_config=agent_config,
            historian=historian,
            helper=helper,
            alone=alone,
            lingers=lingers,
            uptime_s=uptime_s,
            watched_s=watched_s,
            needs=needs,
        )
        FAULTS.append(fault)
        return fault

    return made
