"""What somebody wrote into an alert, as it may be kept: not too much of it, and nothing that commands a terminal."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from voltscope.visible import visible

LONGEST_TEXT = 4000
LONGEST_NAME = 100
MOST_ANNOTATIONS = 32
# Labels are kept letter for letter, for silences are made of them: of more than this none is made.
LARGEST_LABELS = 16_000
_LONGEST_LABEL = 200


def bounded_text(value: str, longest: int = LONGEST_TEXT, keep: str = "\n") -> str:
    """`value` without control characters but those in `keep`, at most `longest` characters and a note of the rest."""
    if len(value) <= longest:
        return visible(value, keep)
    return f"{visible(value[:longest], keep)} … ({len(value)} characters)"


def bounded_annotations(given: Mapping[str, str]) -> dict[str, str]:
    """The first MOST_ANNOTATIONS of `given`, each bounded."""
    return {
        bounded_text(name, LONGEST_NAME, ""): bounded_text(given[name]) for name in sorted(given)[:MOST_ANNOTATIONS]
    }


def are_large(labels: Mapping[str, str]) -> bool:
    """Whether no silence is made of such labels."""
    return sum(len(name) + len(value) for name, value in labels.items()) > LARGEST_LABELS


def bounded_labels(given: Mapping[str, str]) -> dict[str, str]:
    """`given` as it is; where it is large, the first of it with long values cut, each ending in a hash of the whole."""
    if not are_large(given):
        return dict(given)
    return {bounded_text(name, LONGEST_NAME, ""): _cut(given[name]) for name in sorted(given)[:MOST_ANNOTATIONS]}


def _cut(value: str) -> str:
    if len(value) <= _LONGEST_LABEL:
        return value
    return f"{value[:_LONGEST_LABEL]}~{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:8]}"
