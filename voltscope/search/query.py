"""What people type to search logs, read into the tree every place to search in understands."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from voltscope.errors import QueryError
from voltscope.search.fields import BY_NAME, FIELDS, Comparison, Field
from voltscope.search.searcher import Wish
from voltscope.search.syntax import All, Any, Compared, Everything, Node, Not, Operator, Present, Words
from voltscope.search.tokens import words_of
from voltscope.search.values import level_of, number_of, time_of

LONGEST = 2000  # characters
DEEPEST = 50  # parentheses
MOST = 200  # words, phrases and comparisons

_TOKEN = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))"
    r'|(?P<phrase>"[^"]*"?)(?P<star>\**)'
    r"|(?P<name>@?[^\W\d](?:[\w.-]*\w)?)(?P<operator>>=|<=|!=|[:=<>])(?P<after>[^\s()\"]*)"
    r'|(?P<word>[^\s()"]+))'
)
_VALUE = re.compile(r'"(?P<quoted>[^"]*)(?P<closed>"?)(?P<star>\**)|(?P<bare>[^\s()"]+)')
_ORDER = re.compile(r"\s*(?P<operator>>=|<=|[<>])\s*")
_OPERATORS = ("and", "or", "not")
_QUOTES = "put it in quotes to search for the text"
_AGENT, _LEVEL, _WHEN = BY_NAME["agent"], BY_NAME["level"], BY_NAME["time"]


def parse(text: str) -> Node:
    """`text` as people type it; empty: everything. The language is told of in docs/logs.md.

    In the tree every `Words` has at least one word, `Not` is never of a `Not`, and there are at most DEEPEST
    parentheses and MOST leaves. Raises QueryError with the position of the character at fault; nothing else.
    """
    if len(text) > LONGEST:
        raise QueryError(f"the query has {len(text)} characters; {LONGEST} are allowed.", LONGEST)
    # Lone surrogates can be stored nowhere, and a NUL ends a string for some.
    text = text.encode("utf-8", "replace").decode().replace("\0", " ")
    if not text.strip():
        return Everything()
    tokens = _Lexer(text).tokens()
    if not tokens:
        raise QueryError("nothing to search for: the query holds no letter or digit.", 0)
    parser = _Parser(tokens, len(text))
    tree = parser.alternatives(0, None)
    if parser.peek() is not None:
        raise QueryError("a closing parenthesis without an opening one.", parser.position())
    return tree


def tree_of(wish: Wish) -> Node:
    """All that is wished for as one tree. Raises QueryError."""
    parts: list[Node] = [parse(wish.query)]
    if wish.agent is not None:
        parts.append(Compared(_AGENT, Operator.EQUAL, wish.agent.encode("utf-8", "replace").decode()))
    if wish.level is not None:
        parts.append(Compared(_LEVEL, Operator.AT_LEAST, level_of(wish.level, None)))
    if wish.since is not None:
        parts.append(Compared(_WHEN, Operator.AT_LEAST, math.ceil(_milliseconds(wish.since))))
    if wish.until is not None:
        parts.append(Compared(_WHEN, Operator.AT_MOST, math.floor(_milliseconds(wish.until))))
    wanted = [part for part in parts if part != Everything()]
    return wanted[0] if len(wanted) == 1 else All(tuple(wanted)) if wanted else Everything()


def _milliseconds(seconds: float) -> float:
    if not abs(seconds) < 1e12:  # nan as well
        raise QueryError(f"{seconds} is no time: seconds since the epoch are.")
    return round(seconds * 1000, 3)  # microseconds: what is left below is an error of floating point


@dataclass(frozen=True)
class _Token:
    """`kind`: open, close, and, or, not, a leaf (text, prefix, quoted), or a group: `field` and `operator` of the
    parenthesis that follows.
    """

    kind: str
    text: str
    position: int
    prefix: bool = False
    quoted: bool = False
    field: Field | None = None
    operator: str = ":"
    value_at: int = 0


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0

    def tokens(self) -> list[_Token]:
        """What there is but for text without a letter or digit, such as `---` and `=>`."""
        made: list[_Token] = []
        while found := _TOKEN.match(self._text, self._at):
            kind = next(name for name in ("open", "close", "phrase", "name", "word") if found[name] is not None)
            text, position = found[kind], found.start(kind)
            self._at = found.end()
            if kind == "name":
                made += self._named(found)
            elif kind == "phrase":
                if len(text) < 2 or not text.endswith('"'):
                    raise QueryError("a quotation mark is not closed.", position)
                made += self._leaf(text[1:-1], position, bool(found["star"]), True)
            elif kind == "word":
                made += self._word(text, position)
            else:
                made.append(_Token(kind, text, position))
        return made

    def _word(self, text: str, position: int) -> list[_Token]:
        if text.lower() in _OPERATORS:
            return [_Token(text.lower(), text, position)]
        field = BY_NAME.get(text.lower())
        if field is not None and (spaced := _ORDER.match(self._text, self._at)):  # `level >= warning`
            self._at = spaced.end()
            return [self._comparison(field, spaced["operator"], position)]
        bare = text.rstrip("*")
        return self._leaf(bare, position, bare != text, False)

    @staticmethod
    def _leaf(text: str, position: int, prefix: bool, quoted: bool) -> list[_Token]:
        if words_of(text):
            return [_Token("leaf", text, position, prefix, quoted, value_at=position)]
        if prefix and not text:
            raise QueryError("* needs the beginning of a word before it.", position)
        return []

    def _named(self, found: re.Match[str]) -> list[_Token]:
        name, operator, after, position = found["name"], found["operator"], found["after"], found.start("name")
        field = BY_NAME.get(name.lower())
        if operator == ":":
            url, drive = after.startswith("//"), len(name) == 1 and after[:1] in ("/", "\\")
            if url or drive or (field is None and after.startswith(":")):  # as in fe80::1
                return self._leaf((whole := found[0].strip()).rstrip("*"), position, whole.endswith("*"), False)
        if field is None:
            known = ", ".join(each.name for each in FIELDS)
            raise QueryError(f"unknown field {name!r}; known are {known}; {_QUOTES}.", position)
        if operator == "!=":
            raise QueryError(f"there is no !=: write not {name}=….", found.start("operator"))
        self._at = found.start("after")
        return [self._comparison(field, operator, position)]

    def _comparison(self, field: Field, operator: str, position: int) -> _Token:
        """What follows the operator, which has been read."""
        at = self._at
        _check(field, operator, position)
        if self._text.startswith("(", at):
            return _Token("group", field.name, position, field=field, operator=operator, value_at=at)
        found = _VALUE.match(self._text, at)
        if found is None:
            raise QueryError(f"nothing after {self._text[position:at].rstrip()!r}; {_QUOTES}.", at)
        self._at = found.end()
        if (bare := found["bare"]) is not None:
            text = bare.rstrip("*") if operator == ":" else bare
            return _Token("leaf", text, position, text != bare, False, field, operator, at)
        if not found["closed"]:
            raise QueryError("a quotation mark is not closed.", at)
        return _Token("leaf", found["quoted"], position, bool(found["star"]), True, field, operator, at)


def _check(field: Field, operator: str, position: int) -> None:
    """Whether the field compares that way."""
    name, comparison = field.name, field.comparison
    if operator == "=" and comparison is Comparison.TEXT:
        raise QueryError(f"{name} is searched by its words: write {name}:….", position)
    if operator not in (":", "=") and comparison in (Comparison.TEXT, Comparison.NAME):
        raise QueryError(f"{name} has no order: write {name}:…; level, numbers and time have one.", position)


class _Parser:
    """alternatives: all {or all}; all: part {[and] part}; part: {not} leaf | ( alternatives )."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens, self._at, self._length, self._leaves = tokens, 0, length, 0

    def peek(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def position(self) -> int:
        token = self.peek()
        return token.position if token else self._length

    def _accept(self, kind: str) -> bool:
        token = self.peek()
        if token is not None and token.kind == kind:
            self._at += 1
            return True
        return False

    def alternatives(self, depth: int, group: _Token | None) -> Node:
        """`group`: of the field whose values these are."""
        if depth > DEEPEST:
            raise QueryError(f"parentheses are nested deeper than {DEEPEST}.", self.position())
        branches = [self._all(depth, group)]
        while self._accept("or"):
            branches.append(self._all(depth, group))
        return branches[0] if len(branches) == 1 else Any(tuple(branches))

    def _all(self, depth: int, group: _Token | None) -> Node:
        parts = [self._part(depth, group)]
        while True:
            together = self._accept("and")
            token = self.peek()
            if not together and (token is None or token.kind in ("or", "close")):
                return parts[0] if len(parts) == 1 else All(tuple(parts))
            parts.append(self._part(depth, group))

    def _part(self, depth: int, group: _Token | None) -> Node:
        negated = False
        while self._accept("not"):
            negated = not negated
        node = self._one(depth, group)
        if not negated:
            return node
        return node.part if isinstance(node, Not) else Not(node)

    def _one(self, depth: int, group: _Token | None) -> Node:
        token = self.peek()
        if token is None:
            raise QueryError("the query ends where a word is expected.", self._length)
        self._at += 1
        if group is not None and token.field is not None:
            raise QueryError(f"a field within the values of {group.text}: close the parenthesis first.", token.position)
        if token.kind == "group":
            opening, group = self.peek(), token
            self._at += 1
        elif token.kind == "open":
            opening = token
        elif token.kind == "leaf":
            self._leaves += 1
            if self._leaves > MOST:
                raise QueryError(f"more than {MOST} words and comparisons.", token.position)
            return _leaf(token, group or token)
        else:
            raise QueryError(f"a word is expected before {token.text!r}.", token.position)
        node = self.alternatives(depth + 1, group)
        if not self._accept("close"):
            raise QueryError("a parenthesis is not closed.", (opening or token).position)
        return node


def _leaf(token: _Token, clause: _Token) -> Node:
    """What the token says of the field of `clause`: its own, or that of the parenthesis it is in."""
    field, operator, at = clause.field, clause.operator, token.value_at
    if field is None:
        return Words(token.text, token.prefix, None)
    if operator == ":" and not token.text and token.prefix and not token.quoted:
        return Present(field)
    if operator == ":" and field.comparison in (Comparison.TEXT, Comparison.NAME):
        if not words_of(token.text):
            raise QueryError("no letter or digit to search for.", at)
        return Words(token.text, token.prefix, field)
    if token.prefix or (not token.quoted and token.text.endswith("*")):
        raise QueryError("* stands for the rest of a word: after a colon, in fields of words.", at)
    if operator == ":" and field.comparison is Comparison.TIME:
        raise QueryError(f"write {field.name}>= or {field.name}<=, as in time>=2026-11-21T03:00.", clause.position)
    if not token.text:
        raise QueryError(f"nothing to compare {field.name} with.", at)
    if not token.quoted and token.text[0] in "=<>":
        raise QueryError(f"{token.text[0]!r} after an operator; {_QUOTES}.", at)
    value = _VALUES[field.comparison](token.text, at)
    return Compared(field, Operator.EQUAL if operator == ":" else Operator(operator), value)


_VALUES: dict[Comparison, Callable[[str, int], int | str]] = {
    Comparison.NAME: lambda text, _: text,
    Comparison.LEVEL: level_of,
    Comparison.NUMBER: number_of,
    Comparison.TIME: time_of,
}
