"""What a log says most, what of it is new, and what changed at a moment: counts of templates in two spans of time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from voltscope.logs.record import LEVELS
from voltscope.search.pattern_reading import USUAL, Bounds, Lines, Reading, Seen, Span, oldest_time
from voltscope.search.searcher import Searcher, Wish
from voltscope.search.significance import probability, significance, surprise
from voltscope.search.templates import query_for, templates

_NAMED = 5  # agents of a pattern
_FACTOR = 2.0
_RARE = 1000
_TICK_S = 0.001  # of the log's times


@dataclass(frozen=True)
class Pattern:
    """Records with the same template, and the same exception if they tell of one.

    `query` finds them (and others with the same words). `share`: of all records, 0 to 1. `levels` and `agents`: counts,
    the commonest first, at most five agents. `sample`: cursor of the newest record, `earliest`: of the oldest.
    `before`: how many there were in the span before, None without one. `new`: none were. `rare`: no more than one
    record in a thousand.
    """

    template: str
    error: str | None
    query: str
    count: int
    share: float
    levels: dict[str, int]
    agents: dict[str, int]
    first: float
    last: float
    sample: str
    earliest: str
    message: str
    before: int | None
    new: bool
    rare: bool


@dataclass(frozen=True)
class Patterns:
    """The commonest first. `all`: how many patterns there are; `ungrouped`: records there was no time or room for."""

    span: Span
    compared: Span | None
    patterns: Sequence[Pattern]
    all: int
    ungrouped: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Change:
    """A pattern that is not as it was. `kind`: appeared, vanished, more or less. `pattern`: of the span after, of one
    that vanished the span before.

    `factor`: by how much the rate grew (below 1: fell); None for what appeared. `surprise`: Dunning's log-likelihood
    ratio; `significant`: more than chance explains (see `changes`).
    """

    kind: str
    pattern: Pattern
    before: int
    after: int
    before_an_hour: float
    after_an_hour: float
    factor: float | None
    surprise: float
    significant: bool


@dataclass(frozen=True)
class Changes:
    """The most surprising first. `unchanged`: patterns that are as they were."""

    at: float
    before: Span
    after: Span
    changes: Sequence[Change]
    all: int
    unchanged: int
    ungrouped: int

    def as_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def patterns(searcher: Searcher, wish: Wish, most: int = 50, compare: bool = True, bounds: Bounds = USUAL) -> Patterns:
    """The patterns of what `wish` finds; of many records the newest are read.

    `compare`: with the span of the same length before `wish.since`, when there is such. Raises QueryError, StoreError.
    """
    since, until = wish.since, time.time() if wish.until is None else wish.until
    oldest = oldest_time(searcher)
    reading = Reading(searcher, wish, bounds, oldest)
    before = since if compare and since is not None and until > since > oldest else None
    span, seen = reading.read(since, until, 1 if before is None else 2)
    compared, seen_before = None, None
    if before is not None:
        compared, seen_before = reading.read(2 * before - until, before - _TICK_S, 1)
    found, earlier = _grouped(seen, seen_before, reading.time_left_s())
    found.sort(key=lambda pattern: (-pattern.count, pattern.template, pattern.error or ""))
    ungrouped = _records(span, compared) - _records(*found, *earlier)
    return Patterns(span, compared, found[:most], len(found), ungrouped)


def changes(
    searcher: Searcher, wish: Wish, at: float, window_s: float = 1800.0, most: int = 50, bounds: Bounds = USUAL
) -> Changes:
    """What is otherwise in the `window_s` seconds from `at` on than in those before; `wish.since`, `until` are not
    looked at. Raises QueryError, StoreError.

    Compared are rates: n1 records in t1 seconds with n2 in t2, by the log-likelihood ratio of two Poisson processes,
    G = 2 (n1 ln(n1/e1) + n2 ln(n2/e2)) with e1 = (n1 + n2) t1 / (t1 + t2) (T. Dunning: "Accurate Methods for the
    Statistics of Surprise and Coincidence", Computational Linguistics 19(1), 1993), which holds for small counts too.
    Its p, of chi-squared with one degree of freedom, counts as significant when at most one in a hundred of all that
    do is expected to be chance (Y. Benjamini, Y. Hochberg: "Controlling the False Discovery Rate", J. R. Stat. Soc. B
    57(1), 1995). A pattern that was not there before has appeared, even once; one has vanished, or is there more or
    less often, when that is significant and, of the latter two, at least a factor of two.
    """
    oldest = oldest_time(searcher)
    reading = Reading(searcher, wish, bounds, oldest)
    after, seen_after = reading.read(at, max(at, min(at + window_s, time.time())), 2)
    before, seen_before = reading.read(at - window_s, at - _TICK_S, 1)
    now, once = _grouped(seen_after, seen_before, reading.time_left_s())
    pairs = [(pattern.before or 0, pattern.count, pattern) for pattern in now]
    here = {(pattern.template, pattern.error) for pattern in now}
    pairs += [(old.count, 0, replace(old, before=old.count)) for old in once if (old.template, old.error) not in here]
    surprises = [surprise(n1, before.seconds, n2, after.seconds) for n1, n2, _ in pairs]
    bound = significance([probability(ratio) for ratio in surprises])
    made = []
    for (n1, n2, pattern), ratio in zip(pairs, surprises, strict=True):
        rates = _an_hour(n1, before.seconds), _an_hour(n2, after.seconds)
        factor = rates[1] / rates[0] if rates[0] else None
        significant = probability(ratio) <= bound
        if kind := _kind(n1, n2, factor, significant):
            made.append(Change(kind, pattern, n1, n2, *rates, factor, ratio, significant))
    made.sort(key=_first_things_first)
    ungrouped = _records(before, after) - _records(*now, *once)
    return Changes(at, before, after, made[:most], len(made), len(pairs) - len(made), ungrouped)


def _kind(before: int, after: int, factor: float | None, significant: bool) -> str | None:
    if not before:
        return "appeared"
    if not significant or factor is None:
        return None
    if not after:
        return "vanished"
    return "more" if factor >= _FACTOR else "less" if factor <= 1 / _FACTOR else None


def _first_things_first(change: Change) -> tuple[bool, int, float, str, str]:
    """Significant ones by their surprise; what appeared a few times by its level, for one error may be the cause."""
    level = 0 if change.significant else -max(LEVELS[level] for level in change.pattern.levels)
    return (not change.significant, level, -change.surprise, change.pattern.template, change.pattern.error or "")


def _an_hour(count: int, seconds: float) -> float:
    return count * 3600 / seconds if seconds > 0 else 0.0


def _grouped(now: Lines, before: Lines | None, time_limit_s: float) -> tuple[list[Pattern], list[Pattern]]:
    """The patterns of both spans.

    The lines of both are grouped together, the commonest first, so that a line has one template wherever it is, and the
    same whichever span is which.
    """
    both = Counter[str]()
    for lines in (now, before or {}):
        for (line, _), seen in lines.items():
            both[line] += seen.count
    template_of = templates(
        [line for line, _ in sorted(both.items(), key=lambda item: (-item[1], item[0]))], time_limit_s
    )
    joined_now, joined_before = _joined(now, template_of), _joined(before or {}, template_of)
    total = sum(seen.count for seen in joined_now.values())
    total_before = sum(seen.count for seen in joined_before.values())

    def pattern(key: tuple[str, str | None], seen: Seen, of: int, earlier: int | None) -> Pattern:
        template, error = key
        return Pattern(
            template, error, _query(template, error, seen), seen.count, seen.count / of,
            dict(seen.levels.most_common()), dict(seen.agents.most_common(_NAMED)), seen.first, seen.last,
            seen.sample, seen.earliest, seen.message,
            earlier, earlier == 0, seen.count <= max(1, of // _RARE),
        )  # fmt: skip

    def earlier(key: tuple[str, str | None]) -> int | None:
        return None if before is None else joined_before[key].count if key in joined_before else 0

    return (
        [pattern(key, seen, total, earlier(key)) for key, seen in joined_now.items()],
        [pattern(key, seen, total_before, None) for key, seen in joined_before.items()],
    )


def _records(*parts: Span | Pattern | None) -> int:
    return sum(part.count if isinstance(part, Pattern) else part.records for part in parts if part is not None)


def _joined(lines: Lines, template_of: dict[str, str]) -> Lines:
    joined: Lines = {}
    for (line, error), seen in lines.items():
        template = template_of.get(line)
        if template is None:
            continue
        if (known := joined.get((template, error))) is not None:
            known.join(seen)
        else:
            joined[template, error] = seen
    return joined


def _query(template: str, error: str | None, seen: Seen) -> str:
    """Words of the template, and what else all of its records have in common."""
    parts = [query] if (query := query_for(template)) else []
    if error is not None:
        parts.append(f'error="{error}"')
    if not parts:
        agents = [agent for agent in seen.agents if '"' not in agent]
        lowest = min(seen.levels, key=lambda level: LEVELS[level])
        parts = [f'agent="{agents[0]}"'] if len(agents) == len(seen.agents) == 1 else [f"level>={lowest}"]
    return " and ".join(parts)
