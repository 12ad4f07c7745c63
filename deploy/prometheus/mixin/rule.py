"""What a rule file is made of: groups of recording rules and alerts."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Severity = Literal["critical", "warning", "info"]

# What names one platform, and one agent of it, in every series.
SITE = "job, site, instance"
AGENT = f"{SITE}, agent"

# With the platform down, or not answering, its agents' states are old news: one alert tells, not a hundred.
UP = f"and on ({SITE}) volttron_platform_up == 1"
RUNNING = f'and on ({AGENT}) volttron_agent_state{{state="running"}} == 1'


@dataclass(frozen=True)
class Record:
    """A recording rule, named level:metric:operations."""

    name: str
    expr: str
    help: str


@dataclass(frozen=True)
class Alert:
    """An alert. `why`: one sentence for the reference.

    In `summary` and `description`, `<agent>` stands for the label and `<$value | humanize>` for the formatted value.
    It fires once it was true for `lasting`, and for `kept` after it was last. `agents`: a vector whose label `agent`
    names, beside site and instance, whom it is about; they are told in an annotation.
    """

    name: str
    severity: Severity
    expr: str
    summary: str
    description: str
    why: str
    lasting: str = "0s"
    kept: str = "0s"
    agents: str = ""


@dataclass(frozen=True)
class Group:
    """One rule file. `interval` overrides Prometheus's own evaluation interval."""

    name: str
    about: str
    rules: tuple[Record | Alert, ...]
    interval: str | None = None


def template(text: str) -> str:
    """`text` of a summary or description as Prometheus reads it."""
    return re.sub(r"<(\$?)([^<>]+)>", lambda m: f"{{{{ {'$' if m[1] else '$labels.'}{m[2]} }}}}", text)


def code(metric: str, states: Sequence[str], by: str) -> str:
    """A state set, a 0/1 series for each value of its label `state`, as the number of the one that holds, from 1 on.

    Over two hundred platforms a dashboard then asks one series of each thing instead of all its states'.
    """
    terms = (f'({metric}{{state="{state}"}} == 1) * {number(place)}' for place, state in enumerate(states, 1))
    return f"max by ({by}) (\n  " + "\n  or ".join(terms) + "\n)"


def told(states: Sequence[str]) -> str:
    """What the numbers of `code` stand for."""
    return ", ".join(f"{place} {state}" for place, state in enumerate(states, 1))


def number(value: float) -> str:
    """`value` as PromQL reads it, without a needless fraction."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))
