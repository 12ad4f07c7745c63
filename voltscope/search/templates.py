"""Messages as templates: what varies is masked, similar messages share one, and a template has a query that finds them.

Grouping is Drain's (He, Zhu, Zheng, Lyu: "Drain: An Online Log Parsing Approach with Fixed Depth Tree", ICWS 2017), by
the library drain3.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable

LONGEST_LINE = 400
_MOST_WORDS = 40  # of a line; what follows is mostly values, and would make a template for each number of them
_KEPT_WORDS = 20_000
# Lines that are unlike each other and begin alike are compared with every template of their kind: without a bound, a
# log of random words would take minutes.
_MOST_TEMPLATES = 2000
# Lower than this, of the tokens alike, unlike messages were joined on the samples of both generations ("Agent X
# started" with "Agent X stopped"); higher, hardly any were.
_SIMILAR = 0.6

_PATTERN = r"""
    (?P<time> (?<!\d) \d{4}-\d\d-\d\d (?: T\d\d:\d\d (?: :\d\d (?:[.,]\d+)? )? (?: Z|[+-]\d\d:?\d\d )? )? (?!\w)
      | (?<![\w.:]) \d{1,2}:\d\d:\d\d (?:[.,]\d+)? (?: Z|[+-]\d\d:?\d\d )? (?![\w:]) )
  | (?P<uuid> (?<![\w-]) [0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12} (?!\w) )
  | (?P<url> (?<!\w) [A-Za-z][A-Za-z0-9+.]{1,15}:// [^\s'"<>,;()\[\]{}]+ )
  | (?P<ip> (?<![\w.]) (?:\d{1,3}\.){3}\d{1,3} (?::\d{1,5})? (?![\w.]\w)
      | (?<![\w:.]) (?=:*[0-9a-fA-F]) (?:[0-9a-fA-F]{0,4}:){2,7} [0-9a-fA-F]{0,4} (?![\w:]) )
  | (?P<path> (?<![\w./<]) (?:~|\.{1,2})? / [\w.@%+~-]+ (?:/[\w.@%+~-]*)*
      | (?<![\w./@<-]) [\w.@-]+ (?:/[\w.@-]+){2,} /?
      | (?<!\w) [A-Za-z]:\\ [^\s'"]+ )
  | (?P<hex> (?<!\w) (?: 0x[0-9a-fA-F]+ | (?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}
      | (?=[a-fA-F]*\d) (?=\d*[a-fA-F]) [0-9a-fA-F]{8,} ) (?!\w) )
  | (?P<num> (?<!\w) [+-]? \d+ (?:[.,:]\d+)* (?:[eE][+-]?\d+)? (?: % | [A-Za-zµ]{1,3} )? (?!\w) )
"""
_VARYING = re.compile(_PATTERN, re.X)
_MASKS = {name: f"<{name}>" for name in _VARYING.groupindex}
_TWICE = re.compile(r"<(num|time)>(?:,? <\1>)+")
_ANY = "<*>"
_CUT = re.compile(r"<(?:\*|" + "|".join(_MASKS) + r")>")
_WORD = re.compile(r"[^\W_]+")
_MOST_PHRASES, _LONGEST_PHRASE = 4, 12


class Masker:
    """Remembers the words it has seen: most of a log's are the same few, and looking at one anew takes 3 µs."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, message: str) -> str:
        """The message's first line with `<num>`, `<time>`, … in place of what varies, and single blanks."""
        line = message.lstrip().partition("\n")[0]
        if len(line) > LONGEST_LINE:
            # the last word may have been cut in two; of a single long one the rest is what varies
            line = line[:LONGEST_LINE].rpartition(" ")[0] or line[:LONGEST_LINE] + _ANY
        known, parts = self._known, []
        for word in line.split()[:_MOST_WORDS]:
            part = known.get(word)
            if part is None:
                if len(known) > _KEPT_WORDS:
                    known.clear()
                part = known[word] = _VARYING.sub(_mask, word)
            parts.append(part)
        line = " ".join(parts)
        return _TWICE.sub(r"<\1>", line) if "> <" in line or ">, <" in line else line


def _mask(found: re.Match[str]) -> str:
    return _MASKS[found.lastgroup or ""]


def templates(lines: Iterable[str], time_limit_s: float = 5.0) -> dict[str, str]:
    """Each masked line's template, `<*>` where similar lines differ; the same for the same lines in the same order.

    Lines there was no time for are left out.
    """
    from drain3.drain import Drain  # 10 MB, which only those who ask for patterns should pay

    until = time.monotonic() + time_limit_s
    drain = Drain(sim_th=_SIMILAR, max_clusters=_MOST_TEMPLATES, param_str=_ANY)
    found = {}
    for number, line in enumerate(lines):
        if number % 100 == 0 and time.monotonic() > until:
            break
        found[line], _ = drain.add_log_message(line)
    return {line: cluster.get_template() for line, cluster in found.items()}


def query_for(template: str) -> str:
    """A query that finds what has the template: its longest phrases of constant words; empty when it has none."""
    phrases = []
    at = 0
    for cut in [*_CUT.finditer(template), None]:
        part = template[at : cut.start() if cut else len(template)]
        words = list(_WORD.finditer(part))
        # a word that touches what varies is only a piece of one
        if words and cut and words[-1].end() == len(part):
            words.pop()
        if words and at and words[0].start() == 0:
            words.pop(0)
        if words:
            phrases.append([word[0] for word in words[:_LONGEST_PHRASE]])
        at = cut.end() if cut else at
    longest = sorted(sorted(phrases, key=_weight, reverse=True)[:_MOST_PHRASES], key=phrases.index)
    return " and ".join('"' + " ".join(words) + '"' for words in longest)


def _weight(words: list[str]) -> int:
    return sum(map(len, words))
