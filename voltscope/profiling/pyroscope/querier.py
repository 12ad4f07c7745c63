"""The six questions of Pyroscope's read API, as Grafana asks them, answered from what we sampled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from voltscope.errors import BadRequest
from voltscope.profiling.profiles import Labels, Profile, Profiles
from voltscope.profiling.pyroscope.flame import flame_graph
from voltscope.profiling.pyroscope.messages import message
from voltscope.profiling.pyroscope.selector import Selector, parse
from voltscope.profiling.pyroscope.types import BY_KIND, TYPES, by_id
from voltscope.profiling.stacks import parse_frame

PROFILE_TYPE = "__profile_type__"
_ALWAYS = 1 << 62
_MOST_POINTS = 11_000  # of one series: what Prometheus allows
_AVERAGE = 1
METHODS = ("ProfileTypes", "LabelNames", "LabelValues", "Series", "SelectSeries", "SelectMergeStacktraces")


class Querier:
    """Answers from `profiles`. Every method takes a request's message and returns the answer's."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles

    def answer(self, method: str, body: bytes) -> bytes:
        """The encoded answer to an encoded request; `method` is one of METHODS. Raises BadRequest."""
        request = message(f"{method}Request")()
        try:
            request.ParseFromString(body)
        except DecodeError as error:
            raise BadRequest(f"the request is no {method}Request: {error}.") from error
        handlers: dict[str, Callable[[Any], Any]] = {
            "ProfileTypes": self._profile_types,
            "LabelNames": self._label_names,
            "LabelValues": self._label_values,
            "Series": self._series,
            "SelectSeries": self._select_series,
            "SelectMergeStacktraces": self._select_merge_stacktraces,
        }
        answer: bytes = handlers[method](request).SerializeToString()
        return answer

    def _profile_types(self, request: Any) -> Any:
        kinds = {profile.kind for profile in self._profiles.select(*_span(request), lambda _: True)}
        found = [
            {
                "ID": one.id, "name": one.name, "sample_type": one.sample_type, "sample_unit": one.sample_unit,
                "period_type": one.period_type, "period_unit": one.period_unit,
            }
            for one in TYPES if one.kind in kinds
        ]  # fmt: skip
        return message("ProfileTypesResponse")(profile_types=found)

    def _label_names(self, request: Any) -> Any:
        names = {name for labels in self._labels(request) for name in labels}
        return message("LabelNamesResponse")(names=sorted(names))

    def _label_values(self, request: Any) -> Any:
        values = {labels[request.name] for labels in self._labels(request) if request.name in labels}
        return message("LabelValuesResponse")(names=sorted(values))

    def _series(self, request: Any) -> Any:
        wanted = set(request.label_names)
        found = {
            tuple(sorted((name, value) for name, value in labels.items() if not wanted or name in wanted))
            for labels in self._labels(request)
        }
        sets = [{"labels": _pairs(labels)} for labels in sorted(found) if labels]
        return message("SeriesResponse")(labels_set=sets)

    def _select_series(self, request: Any) -> Any:
        kind = by_id(request.profile_typeID)
        since, until = _span(request)
        step = max(1, round(request.step * 1000)) if 0 < request.step < 1e9 else 15_000
        if (until - since) // step > _MOST_POINTS:
            raise BadRequest(
                f"a step of {step / 1000:g} s gives more than {_MOST_POINTS} points.", "Take a longer one."
            )
        values: dict[tuple[tuple[str, str], ...], Counter[int]] = {}
        counts: dict[tuple[tuple[str, str], ...], Counter[int]] = {}
        for profile in self._profiles.select(since, until, parse(request.label_selector), kind.kind):
            group = tuple((name, profile.labels.get(name, "")) for name in request.group_by)
            points, profiles = values.setdefault(group, Counter()), counts.setdefault(group, Counter())
            for at, part in _spread(profile, kind.value(profile.samples, profile.rate), since, until, step):
                points[at] += part
                profiles[at] += 1
        if request.aggregation == _AVERAGE:
            for group, points in values.items():
                for at in points:
                    points[at] //= counts[group][at]
        ranked = sorted(values.items(), key=lambda item: (-item[1].total(), item[0]))
        if request.limit > 0:
            ranked = ranked[: request.limit]
        series = [
            {
                "labels": _pairs(pair for pair in group if pair[1]),
                "points": [{"timestamp": at, "value": float(value)} for at, value in sorted(points.items())],
            }
            for group, points in ranked
        ]
        return message("SelectSeriesResponse")(series=series)

    def _select_merge_stacktraces(self, request: Any) -> Any:
        kind = by_id(request.profile_typeID)
        merged: Counter[tuple[str, ...]] = Counter()
        functions: dict[str, str] = {}
        for rate, stacks in self._profiles.merged(*_span(request), parse(request.label_selector), kind.kind).items():
            for stack, samples in stacks.items():
                merged[tuple(_function(frame, functions) for frame in stack)] += kind.value(samples, rate)
        graph = flame_graph(merged, request.max_nodes)
        drawn = {
            "names": graph.names,
            "levels": [{"values": values} for values in graph.levels],
            "total": graph.total,
            "max_self": graph.max_self,
        }
        return message("SelectMergeStacktracesResponse")(flamegraph=drawn)

    def _labels(self, request: Any) -> list[Labels]:
        """The different label sets that any of the request's matchers takes, the profile's type among them."""
        selectors = [parse(text) for text in request.matchers] or [Selector(())]
        found: dict[tuple[tuple[str, str], ...], Labels] = {}
        for profile in self._profiles.select(*_span(request), lambda _: True):
            labels = _typed(profile)
            if any(selector(labels) for selector in selectors):
                found.setdefault(tuple(labels.items()), labels)
        return list(found.values())


def _typed(profile: Profile) -> Labels:
    return {**profile.labels, PROFILE_TYPE: BY_KIND[profile.kind].id}


def _spread(profile: Profile, value: int, since: int, until: int, step: int) -> Iterator[tuple[int, int]]:
    """The steps up to `until` that a stretch lies in, each with its part of the value: a minute's all in the first of
    its steps would look like that much more, and be nothing in the others.
    """
    at = since + (profile.at - since) // step * step
    length = max(profile.length, 1)
    given = 0
    while at <= until and at < profile.at + length:
        reached = value * min(at + step - profile.at, length) // length
        yield at, reached - given
        at, given = at + step, reached


def _span(request: Any) -> tuple[int, int]:
    """Milliseconds since the epoch; without an end until now and beyond."""
    if request.end and request.end < request.start:
        raise BadRequest("the time range ends before it begins.")
    return request.start, request.end or _ALWAYS


def _function(frame: str, known: dict[str, str]) -> str:
    """The frame without its line: samples on different lines of a function are one bar."""
    if frame not in known:
        known[frame] = parse_frame(frame).function
    return known[frame]


def _pairs(labels: Iterable[tuple[str, str]] | Mapping[str, str]) -> list[dict[str, str]]:
    items = labels.items() if isinstance(labels, Mapping) else labels
    return [{"name": name, "value": value} for name, value in items]
