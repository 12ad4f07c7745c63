"""Requests to alertd, read and checked: whatever is sent, either it is understood or the answer says what is wrong."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from voltscope.alerting.alertmanager import Matcher
from voltscope.alerting.moments import moment
from voltscope.alerting.standing import LONGEST_WHY
from voltscope.errors import BadRequest
from voltscope.visible import visible

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_FINGERPRINT = re.compile(r"[0-9a-f]{16}", re.ASCII)
_MOST_MATCHERS, _LONGEST_VALUE = 50, 2000
_LONGEST_SILENCE_S = 366 * 86400.0
_WEEK_S = 7 * 86400.0
_YEAR_10000 = 253402300800


@dataclass(frozen=True)
class SilenceAsked:
    """A silence somebody wants."""

    matchers: tuple[Matcher, ...]
    until: float
    why: str


@dataclass(frozen=True)
class MaintenanceAsked:
    """Maintenance somebody plans."""

    site: str
    instance: str | None
    start: float
    end: float
    why: str
    weekly: bool
    timezone: str | None


def json_object(body: bytes, *known: str) -> dict[str, Any]:
    """The object of a body, with no other keys than those known. Raises BadRequest, as all here do."""
    try:
        found = msgspec.json.decode(body or b"{}")  # no half of a character: what is asked has to be written down
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"the request body is not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise BadRequest("the request body is not a JSON object.", f"Send an object with {', '.join(known)}.")
    unknown = sorted(set(found) - set(known))
    if unknown:
        raise BadRequest(f"unknown parameter {unknown[0][:40]!r}.", f"Known: {', '.join(known)}.")
    return found


def acknowledgement(asked: Mapping[str, Any]) -> tuple[str, str]:
    """Alert and reason."""
    alert = asked.get("alert")
    if not isinstance(alert, str) or not _FINGERPRINT.fullmatch(alert):
        raise BadRequest("parameter alert is no alert's id.", "List the alerts, and take an id from there.")
    return alert, reason(asked)


def reason(asked: Mapping[str, Any]) -> str:
    """Why: nobody is kept from being told without a reason."""
    why = asked.get("why")
    if not isinstance(why, str) or not why.strip():
        raise BadRequest("parameter why is missing.", "Say why, in a few words: others will read it.")
    if len(why) > LONGEST_WHY:
        raise BadRequest(f"why has {len(why)} characters; allowed: {LONGEST_WHY}.")
    return visible(why.strip())


def silence(asked: Mapping[str, Any], now: float) -> SilenceAsked:
    """Matchers, until when, and why."""
    until = time_of(asked, "until")
    if until is None or not now < until <= now + _LONGEST_SILENCE_S:
        raise BadRequest("until is missing, over, or more than a year away.", _MOMENTS)
    matchers = asked.get("matchers")
    if not isinstance(matchers, list) or not 0 < len(matchers) <= _MOST_MATCHERS:
        raise BadRequest(
            f"matchers: found none, or more than {_MOST_MATCHERS}.",
            'Send [{"name": "agent", "value": "platform.historian", "is_regex": false, "is_equal": true}].',
        )
    found = tuple(sorted({_matcher(one) for one in matchers}, key=lambda one: (one.name, one.value)))
    if all(one.is_equal == (one.value == "" and not one.is_regex) for one in found):
        raise BadRequest("these matchers match every alert.", "Name a label and a value that is not empty.")
    return SilenceAsked(found, until, reason(asked))


def maintenance(asked: Mapping[str, Any], now: float) -> MaintenanceAsked:
    """Site, time and reason."""
    site, instance = site_and_instance(asked)
    start, end = time_of(asked, "start"), time_of(asked, "end")
    start = now if start is None else start
    weekly = asked.get("weekly") or False
    if not isinstance(weekly, bool):
        raise BadRequest(f"weekly: found {str(weekly)[:40]!r}; allowed: true, false.")
    if end is None or end <= start or (end <= now and not weekly):
        raise BadRequest("end is missing, over, or not after start.", _MOMENTS)
    longest = _WEEK_S if weekly else _LONGEST_SILENCE_S
    if end - start >= longest or start > now + _LONGEST_SILENCE_S:
        raise BadRequest(f"such maintenance lasts less than {longest / 86400:g} days, and begins within a year.")
    return MaintenanceAsked(site, instance, start, end, reason(asked), weekly, _timezone(asked))


def site_and_instance(asked: Mapping[str, Any]) -> tuple[str, str | None]:
    """Which site, and which platform of it where it is not all."""
    site, instance = asked.get("site"), asked.get("instance")
    if not isinstance(site, str) or not 0 < len(site) <= _LONGEST_VALUE:
        raise BadRequest("parameter site is missing.", "Name the site as alerts do, in their label site.")
    if instance is not None and (not isinstance(instance, str) or not 0 < len(instance) <= _LONGEST_VALUE):
        raise BadRequest("instance is no name.", "Leave it out for the whole site.")
    return site, instance


_MOMENTS = "Send seconds since the epoch, or a time such as 2026-11-21T18:00:00Z."


def time_of(asked: Mapping[str, Any], name: str) -> float | None:
    """Seconds since the epoch, of such or of RFC 3339; None when it is not there."""
    value = asked.get(name)
    if value is None or value == "":
        return None
    found: float | None = None
    if isinstance(value, str):
        found = moment(value)
        if found is None and re.fullmatch(r"\d{1,12}(\.\d{1,9})?", value, re.ASCII):
            found = float(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value) if abs(value) < _YEAR_10000 else None
    if found is None or not 0 <= found < _YEAR_10000:
        raise BadRequest(f"{name}: found {str(value)[:40]!r}.", _MOMENTS)
    return found


def whole(asked: Mapping[str, str], name: str, otherwise: int, most: int) -> int:
    """A count of at least 1, `most` at most, however much is asked for."""
    text = asked.get(name)
    if not text:
        return otherwise
    if not re.fullmatch(r"[0-9]{1,18}", text, re.ASCII) or int(text) < 1:
        raise BadRequest(f"{name}: found {text[:40]!r}; allowed: a whole number of at least 1.")
    return min(int(text), most)


def _matcher(told: object) -> Matcher:
    if not isinstance(told, Mapping):
        raise BadRequest("a matcher is no object.")
    name, value = told.get("name"), told.get("value")
    regex, equal = told.get("is_regex", False), told.get("is_equal", True)
    if not isinstance(name, str) or not _LABEL.fullmatch(name) or len(name) > _LONGEST_VALUE:
        raise BadRequest(f"{str(name)[:40]!r} is no label's name.")
    if not isinstance(value, str) or len(value) > _LONGEST_VALUE:
        raise BadRequest(f"the value of {name[:40]} is no text of at most {_LONGEST_VALUE} characters.")
    if not isinstance(regex, bool) or not isinstance(equal, bool):
        raise BadRequest("is_regex and is_equal are true or false.")
    return Matcher(name, value, regex, equal)


def _timezone(asked: Mapping[str, Any]) -> str | None:
    name = asked.get("timezone")
    if name is None:
        return None
    try:
        return ZoneInfo(name).key
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError) as error:
        raise BadRequest(f"timezone: found {str(name)[:40]!r}.", "Send a name such as Europe/Berlin.") from error
