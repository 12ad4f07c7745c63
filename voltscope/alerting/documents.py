"""What alertd knows, as its API tells it: JSON documents, none without a limit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from voltscope.alerting.alertmanager import CurrentAlert, Matcher, Silence
from voltscope.alerting.bounded import bounded_text
from voltscope.alerting.history import Occurrence
from voltscope.alerting.reconcile import standing_of, stands_for
from voltscope.alerting.sites import Sites
from voltscope.alerting.standing import Standing, Standings
from voltscope.alerting.watch import Seen

STATES = ("firing", "acknowledged", "silenced", "inhibited")
LARGEST_ANSWER = 4 << 20
_LONGEST_TEXT = 2000


class Documents:
    """Makes them. `sites` know where links lead to."""

    def __init__(self, standings: Standings, sites: Sites) -> None:
        self._standings, self._sites = standings, sites

    def alert(self, one: Occurrence, seen: Seen, silences: Mapping[str, Silence]) -> dict[str, Any]:
        """An alert that goes on. `silences`: those Alertmanager has, by id."""
        current = seen.alerts.get(one.fingerprint)
        acknowledgement = self._standings.of_alert("acknowledgement", one.fingerprint)
        silenced_by = [self._silencing(silences[each]) for each in _silenced(current) if each in silences]
        annotations = current.alert.annotations if current is not None else one.annotations
        return {
            "id": one.fingerprint,
            "occurrence": one.id,
            "name": one.name,
            "severity": one.severity,
            "state": _state(current, acknowledgement is not None, bool(silenced_by)),
            "labels": one.labels,
            "annotations": dict(annotations),
            "started": one.started,
            "seen": current is not None and seen.error is None,
            "acknowledgement": self.acknowledgement(acknowledgement, seen),
            "silenced_by": silenced_by,
            "flapping": self._standings.of_alert("flapping", one.fingerprint) is not None,
            "flaps": one.flaps,
            "links": self._links(one, annotations),
        }

    def acknowledgement(self, one: Standing | None, seen: Seen | None = None) -> dict[str, Any] | None:
        """`applied`: whether Alertmanager holds it now."""
        if one is None:
            return None
        told: dict[str, Any] = {"id": one.id, "by": one.by, "why": one.why, "at": one.at}
        if seen is not None:
            told |= {"applied": one.id in seen.applied, "problem": seen.problems.get(one.id)}
        else:
            told |= {"ended": one.ended, "ended_by": one.ended_by, "ended_why": one.ended_why}
        return told

    def occurrence(self, one: Occurrence, notified: list[dict[str, Any]]) -> dict[str, Any]:
        """A line of history."""
        known = self._standings.known(one.acknowledgement) if one.acknowledgement else None
        return {
            "id": one.id,
            "alert": one.fingerprint,
            "name": one.name,
            "severity": one.severity,
            "labels": one.labels,
            "annotations": one.annotations,
            "started": one.started,
            "ended": one.ended,
            "ended_within": one.within,
            "flaps": one.flaps,
            "acknowledged": self.acknowledgement(known),
            "notified": notified,
            "evidence": one.evidence or {"capture": None, "logs": [], "errors": []},
            "links": self._links(one, one.annotations),
        }

    def standing(self, one: Standing, seen: Seen) -> dict[str, Any]:
        """What somebody asked for that is in force."""
        told: dict[str, Any] = {
            "id": one.id,
            "kind": one.kind,
            "by": one.by,
            "why": one.why,
            "at": one.at,
            "applied": one.id in seen.applied,
            "problem": seen.problems.get(one.id),
        }
        if one.kind == "silence":
            told |= {"matchers": _matchers(one.matchers), "start": one.start, "until": one.until}
        elif one.kind == "acknowledgement":
            told |= {"alert": one.fingerprint, "labels": {each.name: each.value for each in one.matchers}}
        else:
            told |= {"site": one.site, "instance": one.instance}
        if one.kind == "maintenance":
            told |= {"start": one.start, "end": one.until, "weekly": one.weekly, "timezone": one.timezone}
        elif one.kind == "decommission":
            told |= {"quiet_since": one.quiet_since}
        return told

    def silence(self, one: Silence) -> dict[str, Any]:
        """A silence that Alertmanager has and nobody asked us for."""
        return {
            "id": one.id,
            "kind": "other",
            "by": bounded_text(one.by, 200, ""),
            "why": bounded_text(one.comment, _LONGEST_TEXT),
            "at": one.start,
            "applied": True,
            "problem": None,
            "matchers": _matchers(one.matchers),
            "start": one.start,
            "until": one.until,
        }

    def standing_behind(self, one: Silence) -> Standing | None:
        """What a silence stands for; None for one that nobody asked us for, or that somebody has made their own."""
        told = standing_of(one)
        standing = self._standings.known(told[1]) if told is not None else None
        return standing if standing is not None and stands_for(one, standing) else None

    def _silencing(self, one: Silence) -> dict[str, Any]:
        standing = self.standing_behind(one)
        if standing is None:
            why, kind = bounded_text(one.comment, _LONGEST_TEXT), "other"
            return {"id": one.id, "by": bounded_text(one.by, 200, ""), "why": why, "until": one.until, "kind": kind}
        kind = "other" if standing.kind == "silence" else standing.kind
        return {"id": standing.id, "by": standing.by, "why": standing.why, "until": one.until, "kind": kind}

    def _links(self, one: Occurrence, annotations: Mapping[str, str]) -> dict[str, str | None]:
        capture = (one.evidence or {}).get("capture") or {}
        return self._sites.links(one.labels, annotations, one.began, one.ended, capture.get("id"))


def fitting(documents: Iterable[dict[str, Any]], most: int, largest: int = LARGEST_ANSWER) -> list[dict[str, Any]]:
    """The first of them, at most `most` and of at most `largest` bytes together; always one when there is one."""
    found: list[dict[str, Any]] = []
    for document in documents:
        largest -= len(msgspec.json.encode(document))
        if len(found) == most or (largest < 0 and found):
            break
        found.append(document)
    return found


def _silenced(current: CurrentAlert | None) -> tuple[str, ...]:
    return current.silenced_by if current is not None else ()


def _state(current: CurrentAlert | None, acknowledged: bool, silenced: bool) -> str:
    if acknowledged:
        return "acknowledged"
    if silenced or _silenced(current):
        return "silenced"
    return "inhibited" if current is not None and current.inhibited_by else "firing"


def _matchers(matchers: Iterable[Matcher]) -> list[dict[str, Any]]:
    return [
        {"name": one.name, "value": one.value, "is_regex": one.is_regex, "is_equal": one.is_equal} for one in matchers
    ]
