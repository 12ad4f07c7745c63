"""Alertmanager's silences, put right: what stands is silenced there, what is over is not."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from voltscope.alerting.alertmanager import Silence
from voltscope.alerting.parts import Parts
from voltscope.alerting.reconcile import Plan, plan
from voltscope.errors import AlertmanagerRefused, AlertStoreError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """`applied`: standings whose silence Alertmanager holds. `problems`: why it takes that of others not. `changed`:
    whether anything was done.
    """

    applied: frozenset[str]
    problems: Mapping[str, str]
    changed: bool


def put_right(parts: Parts, silences: Iterable[Silence], now: float, known: Mapping[str, str]) -> Outcome:
    """`silences`: what Alertmanager has. `known`: problems there were already. Raises AlertmanagerDown."""
    with parts.database.lock:
        spans = parts.acknowledgements.spans(now) | parts.maintenance.spans(now) | parts.flapping.spans(now)
        planned = plan(parts.standings.open(), spans, silences, parts.standings.known, now)
        for standing_id in planned.ended_by_hand:
            _ended_by_hand(parts, standing_id, now)
    made, problems = _make(parts, planned, known)
    for silence_id in planned.expire:
        try:
            parts.alertmanager.expire_silence(silence_id)
        except AlertmanagerRefused as error:
            _log.warning("a silence that is over cannot be ended: %s", error)
    return Outcome(frozenset(planned.found) | made, problems, bool(made or planned.expire))


def _make(parts: Parts, planned: Plan, known: Mapping[str, str]) -> tuple[frozenset[str], dict[str, str]]:
    made: set[str] = set()
    problems: dict[str, str] = {}
    for standing_id, silence in planned.make:
        try:
            silence_id = parts.alertmanager.set_silence(silence)
        except AlertmanagerRefused as error:
            problems[standing_id] = str(error)
            if standing_id not in known:
                _log.error("the silence of %s is not taken: %s", standing_id, error)
            continue
        made.add(standing_id)
        try:
            parts.standings.change(standing_id, silence=silence_id, promised=silence.until)
        except AlertStoreError as error:  # it is known again by its comment
            _log.error("the silence of %s is made, and not written down: %s", standing_id, error)
    return frozenset(made), problems


def _ended_by_hand(parts: Parts, standing_id: str, now: float) -> None:
    standing = parts.standings.get(standing_id)
    if standing.kind == "maintenance" and standing.weekly:
        parts.standings.change(standing_id, skipped=standing.promised)
    else:
        parts.standings.end(standing_id, now, "somebody", "its silence was ended in Alertmanager")
