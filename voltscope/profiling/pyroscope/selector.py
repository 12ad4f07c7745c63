"""Label selectors, `{service_name="platform.historian",site=~"camp.*"}`: Prometheus' syntax and meaning."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from voltscope.errors import BadRequest

LONGEST = 4096
_LONGEST_PATTERN = 1000
_MOST_MATCHERS = 32
# Grafana's own patterns are names joined by |. Python's engine goes back and forth: repeats within repeats, or many
# repeats or groups in a row, let a short text take hours, and RE2, which does not, has no wheel for every machine.
_MOST_OF_A_KIND = 3
_REPEATED_GROUP = re.compile(r"\)[*+?{]")
_REPEATS = re.compile(r"(?<![\\(])[*+?{]")
_GROUPS = re.compile(r"(?<!\\)\(")
_MATCHER = re.compile(
    r"\s*(?P<name>[a-zA-Z_][a-zA-Z0-9_.]*)\s*(?P<operator>=~|!~|!=|=)\s*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|`(?P<raw>[^`]*)`)\s*(?P<comma>,?)',
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True)
class Matcher:
    """One condition. `operator`: `=`, `!=`, `=~` or `!~`; an absent label has the value ""."""

    name: str
    operator: str
    value: str

    def __call__(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` satisfy it; expressions are matched against the whole value."""
        found = labels.get(self.name, "")
        matched = re.fullmatch(self.value, found) is not None if "~" in self.operator else found == self.value
        return matched != self.operator.startswith("!")


@dataclass(frozen=True)
class Selector:
    """Conditions that must all hold."""

    matchers: tuple[Matcher, ...]

    def __call__(self, labels: Mapping[str, str]) -> bool:
        """Whether `labels` satisfy every condition."""
        return all(matcher(labels) for matcher in self.matchers)


def parse(text: str) -> Selector:
    """A selector; empty text and `{}` match everything. Raises BadRequest, saying where it cannot be read."""
    if len(text) > LONGEST:
        raise BadRequest(f"the selector has {len(text)} characters; {LONGEST} are allowed.")
    inside = text.strip()
    if not inside:
        return Selector(())
    if not (inside.startswith("{") and inside.endswith("}")):
        raise BadRequest(
            f"the selector {text!r} does not stand in braces.", 'Write {service_name="platform.historian"}.'
        )
    inside, at, found = inside[1:-1], 0, []
    while inside[at:].strip():
        match = _MATCHER.match(inside, at)
        if match is None or not (match["comma"] or not inside[match.end() :].strip()):
            raise BadRequest(
                f"the selector cannot be read at character {at + 1}: {inside[at : at + 40]!r}.",
                'Write NAME="VALUE", with one of = != =~ !~, and commas between.',
            )
        quoted = match["quoted"]
        value = match["raw"] if quoted is None else _ESCAPE.sub(lambda one: _ESCAPED.get(one[1], one[1]), quoted)
        if "~" in match["operator"]:
            _check(value)
        found.append(Matcher(match["name"], match["operator"], value))
        at = match.end()
    if len(found) > _MOST_MATCHERS:
        raise BadRequest(f"the selector has {len(found)} conditions; {_MOST_MATCHERS} are allowed.")
    return Selector(tuple(found))


def _check(pattern: str) -> None:
    if len(pattern) > _LONGEST_PATTERN:
        raise BadRequest(f"an expression has {len(pattern)} characters; {_LONGEST_PATTERN} are allowed.")
    many = max(len(kind.findall(pattern)) for kind in (_REPEATS, _GROUPS))
    if many > _MOST_OF_A_KIND or _REPEATED_GROUP.search(pattern):
        raise BadRequest(
            f"the expression {pattern[:100]!r} could take too long to match.",
            f"Use at most {_MOST_OF_A_KIND} repeats (* + ? {{}}) and as many groups, and repeat no group.",
        )
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise BadRequest(f"the expression {pattern!r} cannot be read: {error}.") from error
