"""What has to be done in Alertmanager so that its silences are those that stand: a plan, made of what is there."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from voltscope.alerting.alertmanager import Silence
from voltscope.alerting.standing import Standing
from voltscope.visible import visible

# Alertmanager may have lost a silence, or never have told us its id: it is known again by its comment.
_COMMENT = re.compile(r"voltscope (\w+) ([0-7][0-9A-HJKMNP-TV-Z]{25}): ")
# Alertmanager sets both to the moment at which somebody ends a silence; they differ for one that ran out.
_SAME_MOMENT_S = 1.0
_EARLY_S = 5.0


@dataclass(frozen=True)
class Span:
    """When a silence is wanted, seconds since the epoch. `renewed`: it is to be longer when half of it is over."""

    start: float
    until: float
    renewed: bool = False


@dataclass
class Plan:
    """`make`: silences to be made, or with an id made longer, by the standing's id. `expire`: ids of silences to end.
    `found`: silences that stand for them as it should be. `ended_by_hand`: standings whose silence somebody ended in
    Alertmanager.
    """

    make: list[tuple[str, Silence]] = field(default_factory=list)
    expire: list[str] = field(default_factory=list)
    found: dict[str, Silence] = field(default_factory=dict)
    ended_by_hand: list[str] = field(default_factory=list)


def comment(standing: Standing) -> str:
    """The comment of its silence."""
    return f"voltscope {standing.kind} {standing.id}: {visible(standing.why)}"


def standing_of(silence: Silence) -> tuple[str, str] | None:
    """Kind and id of what a silence stands for; None for one that is not ours."""
    found = _COMMENT.match(silence.comment)
    return (found[1], found[2]) if found else None


def stands_for(silence: Silence, standing: Standing) -> bool:
    """Whether a silence with its comment is still its own: one with other matchers is somebody's who changed it."""
    return set(silence.matchers) == set(standing.matchers)


def plan(
    standings: Iterable[Standing],
    spans: Mapping[str, Span],
    silences: Iterable[Silence],
    known: Callable[[str], Standing | None],
    now: float,
) -> Plan:
    """`standings`: those in force. `spans`: by id, when each wants its silence; none for one that wants none.
    `silences`: what Alertmanager has. `known`: the standing of an id, in force or over.

    A silence with our comment and other matchers is somebody's who changed it: it is theirs now, and left alone.
    """
    ours: dict[str, list[Silence]] = {}
    for silence in silences:
        if (told := standing_of(silence)) is not None:
            ours.setdefault(told[1], []).append(silence)
    made = Plan()
    for standing in standings:
        mine = [one for one in ours.pop(standing.id, []) if stands_for(one, standing)]
        _decide(standing, spans.get(standing.id), mine, now, made)
    for left, remaining in ours.items():
        alive = [one for one in remaining if one.state != "expired"]
        if alive and (over := known(left)) is not None:  # what is not known at all is another alertd's
            made.expire += [one.id for one in alive if stands_for(one, over)]
    return made


def _decide(standing: Standing, span: Span | None, silences: list[Silence], now: float, made: Plan) -> None:
    alive = sorted((one for one in silences if one.state != "expired"), key=lambda one: (one.until, one.id))
    if span is None:
        made.expire += [one.id for one in alive]
        return
    if alive and (span.renewed or abs(alive[-1].until - span.until) < 1):
        kept = alive.pop()
        made.found[standing.id] = kept
        if span.renewed and kept.until - now < (span.until - now) / 2:
            made.make.append((standing.id, _silence(standing, span, kept)))
    elif not alive and _by_hand(standing, silences, span, now):
        made.ended_by_hand.append(standing.id)
    else:
        made.make.append((standing.id, _silence(standing, span, None)))
    made.expire += [one.id for one in alive]


def _by_hand(standing: Standing, silences: list[Silence], span: Span, now: float) -> bool:
    """Whether the last of it was ended by somebody, and did neither run out nor get lost."""
    if not silences or standing.promised is None:
        return False
    last = max(silences, key=lambda one: one.updated_at)
    return (
        abs(last.updated_at - last.until) < _SAME_MOMENT_S
        and last.until < standing.promised - _EARLY_S
        and (span.renewed or abs(standing.promised - span.until) < 1)  # not of the maintenance before this one
    )


def _silence(standing: Standing, span: Span, before: Silence | None) -> Silence:
    return Silence(
        before.id if before else "",
        before.matchers if before else standing.matchers,
        before.start if before else span.start,
        span.until,
        standing.by,
        comment(standing),
    )
