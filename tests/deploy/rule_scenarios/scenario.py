"""What a scenario is: a change of the healthy site, and which alerts it fires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from rule_site import agent, flat, series

# A fault, unless said otherwise, is in the samples 20 to 39: it is seen from 5m on, and over at 10m.
BEFORE, DURING, AFTER = 20, 20, 60
SAMPLES = BEFORE + DURING + AFTER

LISTENER = {"agent": "listener"}
DEVICE = {"device": "campus/fake"}
LOGSHIP = {"agent": "voltscope.logship"}


@dataclass(frozen=True)
class Fires:
    """The alert fires at `at` with these labels, and at `after` no more. `value` as its description shows it.

    Of other alerts, exactly `alongside` fires at `at`, `already` just before the fault and `later` at `after`.
    `agents`: whom it names.
    """

    alert: str
    change: Mapping[str, str]
    at: str
    after: str
    labels: Mapping[str, str] = field(default_factory=lambda: dict(LISTENER))
    value: str = ""
    samples: int = SAMPLES
    before: str = "4m45s"
    already: tuple[str, ...] = ()
    alongside: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    site: bool = True
    agents: str = ""


@dataclass(frozen=True)
class Silent:
    """The alert never fires, and of others exactly `despite` at any time."""

    alert: str
    because: str
    change: Mapping[str, str]
    samples: int = SAMPLES
    despite: tuple[str, ...] = ()


def blip(value: float, otherwise: float = 0, samples: int = DURING) -> str:
    """`value` for as many samples as a fault lasts, `otherwise` around it."""
    return flat((otherwise, BEFORE), (value, samples), (otherwise, SAMPLES - BEFORE - samples))


def state(identity: str, fault: str, samples: int = DURING, *, enabled: bool = True) -> dict[str, str]:
    """An agent that leaves the state running for a while."""
    rest = SAMPLES - BEFORE - samples
    return agent(identity, ("running", BEFORE), (fault, samples), ("running", rest), enabled=enabled)


def one(name: str, values: str, /, **labels: str) -> dict[str, str]:
    """One series changed."""
    return {series(name, **labels): values}
