"""From what is asked for to a picture: a capture, a span of time, or the difference of two of them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from voltscope.errors import BadRequest
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.changes import changes
from voltscope.profiling.difference import draw, fold
from voltscope.profiling.heading import Heading, of_difference
from voltscope.profiling.picture import Picture, captured, spanned
from voltscope.profiling.profiles import Labels, Profiles, Wanted
from voltscope.profiling.recorder import Recorder
from voltscope.profiling.stacks import samples_in
from voltscope.profiling.targets import named_by
from voltscope.ulid import is_ulid

_LONGEST_AGENT = 256
_MOST_CHANGES = 200
_SPAN = re.compile(r"(?P<since>[0-9.]+),(?P<until>[0-9.]+)")


class Gallery:
    """Pictures of what `recorder` and `profiles` hold. Its methods raise BadRequest and CaptureNotFound."""

    def __init__(self, recorder: Recorder, profiles: Profiles) -> None:
        self._recorder, self._profiles = recorder, profiles

    def capture(self, capture_id: str) -> Picture:
        """One capture."""
        return captured(*self._recorder.stacks(capture_id))

    def span(self, asked: Mapping[str, str]) -> Picture:
        """Everything between `since` and `until` (seconds since the epoch) of `agent`, in which * stands for anything,
        of one `kind` (cpu unless told) and, where it is given, of one `reason`.
        """
        return self._span(asked, _moment(asked, "since"), _moment(asked, "until"))

    def coverage(self, asked: Mapping[str, str]) -> dict[str, int]:
        """How many captures and windows, and samples in them, `span` would draw."""
        kind, begin, end, wanted = _range(asked, _moment(asked, "since"), _moment(asked, "until"))
        samples = [one.samples for one in self._profiles.select(begin, end, wanted, kind)]
        return {"parts": len(samples), "samples": sum(samples)}

    def difference(self, asked: Mapping[str, str], form: str) -> tuple[bytes, str]:
        """`before` and `after` compared, as svg, folded or json, and its media type.

        Each is a capture's id, or `SINCE,UNTIL` of the `agent` and `kind` asked for. `by` = `before` draws widths as
        they were.
        """
        before, after = (self._operand(asked, name) for name in ("before", "after"))
        if before.kind is not after.kind:
            raise BadRequest(f"kind {before.kind.value} cannot be compared with {after.kind.value}.")
        by = asked.get("by", "after")
        if by not in ("before", "after"):
            raise BadRequest(f"by: found {by[:40]!r}; allowed: before, after.")
        if form == "folded":
            return fold(before.stacks, after.stacks).encode(errors="replace"), "text/plain; charset=utf-8"
        if form == "json":
            return _json(before, after), "application/json"
        if form != "svg":
            raise BadRequest(f"a difference has no format {form[:40]!r}.", "There are: svg, folded, json.")
        drawn = draw(_heading(before, after, by), before.stacks, after.stacks, by_before=by == "before")
        return drawn.encode(errors="replace"), "image/svg+xml"

    def _operand(self, asked: Mapping[str, str], name: str) -> Picture:
        text = asked.get(name, "")
        if is_ulid(text):
            return self.capture(text)
        span = _SPAN.fullmatch(text)
        if span is None:
            raise BadRequest(f"{name}: found {text[:60]!r}; allowed: a capture's id, or SINCE,UNTIL in epoch seconds.")
        return self._span(asked, _moment(span.groupdict(), "since"), _moment(span.groupdict(), "until"))

    def _span(self, asked: Mapping[str, str], since: float, until: float) -> Picture:
        kind, begin, end, wanted = _range(asked, since, until)
        parts = sum(1 for _ in self._profiles.select(begin, end, wanted, kind))
        return spanned(asked["agent"], kind, since, until, self._profiles.merged(begin, end, wanted, kind), parts)


def _range(asked: Mapping[str, str], since: float, until: float) -> tuple[Kind, int, int, Wanted]:
    """What to look for, and from when to when in milliseconds."""
    agent, word, reason = asked.get("agent", ""), asked.get("kind") or Kind.CPU.value, asked.get("reason")
    if not agent or len(agent) > _LONGEST_AGENT:
        raise BadRequest("parameter agent is missing.", "Name an agent, or several as in platform.*.")
    if word not in [kind.value for kind in Kind]:
        raise BadRequest(f"kind: found {word[:40]!r}; allowed: {', '.join(kind.value for kind in Kind)}.")
    if until < since:
        raise BadRequest("the time range ends before it begins.")
    meant = named_by(agent)

    def wanted(labels: Labels) -> bool:
        return meant(labels["service_name"]) and reason in (None, labels["reason"])

    return Kind(word), round(since * 1000), round(until * 1000), wanted


def _heading(before: Picture, after: Picture, by: str) -> Heading:
    sure = [one for one in changes(before.stacks, after.stacks, own=True) if one.sure]
    return of_difference(before.heading, after.heading, sure, by)


def _json(before: Picture, after: Picture) -> bytes:
    found = {
        "before": {"lines": before.heading.lines, "total": samples_in(before.stacks)},
        "after": {"lines": after.heading.lines, "total": samples_in(after.stacks)},
        "unit": after.heading.unit,
        "changes": [one.as_dict() for one in changes(before.stacks, after.stacks)[:_MOST_CHANGES]],
        "own_changes": [one.as_dict() for one in changes(before.stacks, after.stacks, own=True)[:_MOST_CHANGES]],
    }
    return json.dumps(found).encode()


def _moment(asked: Mapping[str, str], name: str) -> float:
    text = asked.get(name, "")
    try:
        moment = float(text)
    except ValueError:
        moment = math.nan
    if not 0 <= moment < 1e11:
        raise BadRequest(f"{name}: found {text[:40]!r}; allowed: seconds since the epoch.")
    return moment
