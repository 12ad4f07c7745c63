"""Platforms that there are not: what each lets Prometheus scrape, at any minute, and which of them are in trouble.

They are made of the platform of the dashboards' tests, so that no family is missing: what it tells of its listener all
agents tell, what of its historian and of its device all historians and devices.
"""

from __future__ import annotations

import functools
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from platform_series import healthy

AGENTS, DEVICES = 30, 20
STEP_S = 60
JOB = "voltscope"
_HISTORIANS = ("platform.historian", "store.historian")
_FORWARDER = "forward"
# Agents that the platform of the tests has in states of their own; ours have troubles of ours.
_STRANGERS = {"killed", "stopped", "platform.watcher", "nobody"}
_DEVICE, _STRANGE_DEVICE = "devices/campus/building/fake", "devices/campus/building/silent"
_MORE = {
    'volttron_log_records_total{agent="listener",level="warning"}': 6.0,
    # busy enough to be stored and looked up without a pause
    'volttron_historian_rows_written_total{agent="platform.historian"}': 18_000.0,
    **{
        f'volttron_historian_query_seconds_{of}{{agent="platform.historian"{le}}}': value
        for of, le, value in (
            ("bucket", ',le="0.001"', 20.0),
            ("bucket", ',le="0.005"', 28.0),
            *(("bucket", f',le="{le}"', 30.0) for le in ("0.02", "0.1", "0.5", "+Inf")),
            ("count", "", 30.0),
            ("sum", "", 0.0305),
        )
    },
}
_VARIANTS, _PERIOD = 8, 97
# When the tests' platform was frozen, about: its moments are told from here on.
_FROZEN_AT = 1_795_242_000.0
_WEEK_S = 7 * 86_400.0

Kind = Literal["fixed", "gauge", "counter", "clock"]


@dataclass(frozen=True)
class Series:
    """One series of a platform; `labels` as they stand in an exposition, without those that Prometheus sets."""

    name: str
    labels: str
    kind: Kind
    value: float
    variant: int


@dataclass(frozen=True)
class Trouble:
    """What is wrong with some platforms, and the alert that fires for it. `changed`: values of series that are else."""

    alert: str
    severity: str
    labels: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, float], ...]


DOWN = Trouble("VolttronExporterDown", "critical", (), ())
_TROUBLES = (
    DOWN,
    Trouble(
        "VolttronAgentCrashed",
        "critical",
        (("agent", "agent.07"),),
        (
            ('volttron_agent_state{agent="agent.07",state="running"}', 0),
            ('volttron_agent_state{agent="agent.07",state="crashed"}', 1),
            ('volttron_agent_exit_status{agent="agent.07"}', -9),
        ),
    ),
    Trouble(
        "VolttronHistorianCacheFull",
        "critical",
        (("agent", "platform.historian"),),
        (('volttron_historian_cache_full{agent="platform.historian"}', 1),),
    ),
    Trouble(
        "VolttronAgentHealthBad",
        "warning",
        (("agent", "agent.03"),),
        (
            ('volttron_agent_health{agent="agent.03",status="good"}', 0),
            ('volttron_agent_health{agent="agent.03",status="bad"}', 1),
        ),
    ),
)
_EVERY = 10  # so many platforms, and one of them is in trouble
TROUBLED_S = 7200.0  # since when


@dataclass(frozen=True)
class Platform:
    """The platform of that number; `origin`: seconds since the epoch, when it is looked at first."""

    number: int
    origin: float

    @property
    def site(self) -> str:
        return f"site{self.number:03}"

    @property
    def instance(self) -> str:
        return f"plant{self.number:03}"

    @property
    def trouble(self) -> Trouble | None:
        if self.number % _EVERY:
            return None
        return _TROUBLES[self.number // _EVERY % len(_TROUBLES)]

    def series(self) -> Iterator[Series]:
        """All but what Prometheus makes."""
        changed = dict(self.trouble.changed) if self.trouble else {}
        there = {**_pattern(), **{one: value for one, value in changed.items() if one not in _pattern()}}
        for number, (one, value) in enumerate(there.items()):
            name, _, inside = one.partition("{")
            labels = inside.removesuffix("}").replace("GENERATION", ("modular", "monolithic")[self.number % 2])
            # as Prometheus does with a label that it sets itself
            labels = re.sub(r'\binstance="', 'exported_instance="', labels)
            kind = _kind(name, value)
            value = float(changed.get(one, value))
            if name.endswith(("_timestamp_seconds", "_start_time_seconds")):
                value = self.origin + (value - _FROZEN_AT if value > _FROZEN_AT else -_WEEK_S)
            # all of one agent, and so all buckets of a histogram, go up and down together
            agent = re.search(r'\b(?:agent|device)="([^"]*)"', labels)
            variant = (self.number + (len(agent[1]) + sum(map(ord, agent[1])) if agent else number)) % _VARIANTS
            yield Series(name, labels, kind, value, variant)


@functools.cache
def _pattern() -> dict[str, float]:
    """The series of a platform that is well."""
    there = {**healthy(), **_MORE}
    ours = sorted({name[1] for one in there if (name := re.search(r'\bagent="(voltscope\.\w+)"', one))})
    others = [f"agent.{number:02}" for number in range(AGENTS - 5 - len(ours))]
    agents = ("platform.driver", *_HISTORIANS, _FORWARDER, *ours, "listener", *others)
    found: dict[str, float] = {}
    for one, value in there.items():
        labels = dict(re.findall(r'(\w+)="([^"]*)"', one))
        agent, device = labels.get("agent"), labels.get("device")
        if not one.startswith(("volttron_", "voltscope_")) or agent in _STRANGERS or device == _STRANGE_DEVICE:
            continue
        if agent == "listener":
            few = one.startswith("voltscope_exported_")
            for name in (*ours, "listener", "agent.00") if few else agents:
                found[one.replace('agent="listener"', f'agent="{name}"')] = value
        elif device:
            for number in range(DEVICES):
                found[one.replace(_DEVICE, f"devices/campus/building/unit{number:02}")] = value
        elif agent == "platform.historian" and one.startswith("volttron_historian_"):
            for name in _HISTORIANS:
                found[one.replace('agent="platform.historian"', f'agent="{name}"')] = value
        elif agent in (None, "platform", _FORWARDER, *ours) or one.startswith("volttron_alert"):
            found[re.sub(r'generation="\w+"', 'generation="GENERATION"', one)] = value
    assert len(agents) == AGENTS
    return found


def _kind(name: str, value: float) -> Kind:
    if name.endswith(("_total", "_bucket", "_sum", "_count")):
        return "counter"
    if name.endswith(("_uptime_seconds", "_watched_seconds", "_oldest_seconds")):
        return "clock"
    # states, limits, versions and moments stand still; what is measured does not
    small = value in (0.0, 1.0) or name.endswith(
        ("_info", "_size_bytes", "_max_fds", "_limit_bytes", "_interval_seconds", "_exit_status", "_device_points")
    )
    return "fixed" if small or name.endswith(("_timestamp_seconds", "_start_time_seconds")) else "gauge"


@functools.cache
def _noise(variant: int) -> tuple[float, ...]:
    chance = random.Random(variant)
    return tuple(chance.random() for _ in range(_PERIOD))


def text(series: Series, minute: int, origin: int) -> str:
    """Its value at a minute since the epoch, `origin` being the first of all; counters began before that."""
    kind, value = series.kind, series.value
    if kind == "fixed":
        return f"{value:.9g}"
    if kind == "clock":
        return str(round(value) + _CLOCK_S + 60 * (minute - origin))
    noise = _noise(series.variant)[minute % _PERIOD]
    if kind == "gauge":
        found = value * (0.9 + 0.2 * noise)
        return str(round(found)) if value.is_integer() and value > 100 else f"{found:.5g}"
    # grown in half an hour to the value, by more or less each minute but never back
    found = value / 30 * (minute - origin + 1 + noise)
    return str(int(found)) if value.is_integer() else f"{found:.2f}"


_CLOCK_S = 400_000


def open_metrics(platform: Platform, minutes: Sequence[int], origin: int) -> str:
    """What Prometheus would have of it in these minutes, by series: what it scraped, how that went, what fired."""
    given = f'job="{JOB}",site="{platform.site}",instance="{platform.instance}"'
    began = round(platform.origin - TROUBLED_S) // STEP_S
    down = platform.trouble is DOWN
    seen = [minute for minute in minutes if minute < began] if down else minutes
    parts: list[str] = []
    for one in platform.series():
        head = f"{one.name}{{{given}{',' if one.labels else ''}{one.labels}}} "
        parts += (
            (head + head.join(_tails(one.kind, one.value, one.variant, seen[0], seen[-1], origin)),) if seen else ()
        )
    parts += [f"up{{{given}}} {int(not down or minute < began)} {minute * STEP_S}\n" for minute in minutes]
    parts += [f"scrape_duration_seconds{{{given}}} 0.0{minute % 8 + 1} {minute * STEP_S}\n" for minute in minutes]
    if platform.trouble:
        fired = "".join(f',{name}="{text}"' for name, text in platform.trouble.labels)
        fired = f'{given},alertname="{platform.trouble.alert}",severity="{platform.trouble.severity}"{fired}'
        lasting = [minute for minute in minutes if minute >= began]
        parts += [f'ALERTS{{{fired},alertstate="firing"}} 1 {minute * STEP_S}\n' for minute in lasting]
        parts += [f"ALERTS_FOR_STATE{{{fired}}} {began * STEP_S} {minute * STEP_S}\n" for minute in lasting]
    return "".join(parts) + "# EOF\n"


@functools.lru_cache(maxsize=4096)
def _tails(kind: Kind, value: float, variant: int, first: int, last: int, origin: int) -> list[str]:
    """The rest of the lines of every series that goes so."""
    like = Series("", "", kind, value, variant)
    return [f"{text(like, minute, origin)} {minute * STEP_S}\n" for minute in range(first, last + 1)]


def scraped(platform: Platform, minute: int, origin: int) -> str:
    """Its exporter's answer at a minute."""
    lines = (f"{one.name}{{{one.labels}}} {text(one, minute, origin)}" for one in platform.series())
    return "\n".join(lines) + "\n"
