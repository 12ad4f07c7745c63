"""What people type to search logs, read into an expression FTS5 takes: no text can make SQLite raise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from voltscope.errors import QueryError

LONGEST = 2000
DEEPEST = 50
FIELDS = ("agent", "level", "logger")
_TOKEN = re.compile(
    r"\s*(?:(?P<open>\()|(?P<close>\))"
    r'|(?P<field>(?i:agent|level|logger):)?(?P<phrase>"[^"]*"?)(?P<star>\*?)'
    r'|(?P<word>[^\s()"]+))'
)
_OPERATORS = ("AND", "OR", "NOT")

# Characters for private use, which begin the index's own words: no text and no query may hold them. Lone surrogates
# cannot be bound and NUL ends a string inside SQLite; neither can occur in an indexed word.
PRIVATE = "\ue000\ue001"
BLANKED = str.maketrans(dict.fromkeys("\0" + PRIVATE, " "))


@dataclass(frozen=True)
class Term:
    """A word or phrase, quoted as FTS5 takes it; `field`: agent, level or logger when it is looked for there alone."""

    phrase: str
    field: str | None


@dataclass(frozen=True)
class Query:
    """A query that could be read: `template` is an FTS5 expression with a {number} for each of `terms`."""

    template: str
    terms: Sequence[Term]

    def spelled(self, spellings: Sequence[str]) -> str:
        """The expression with `spellings` in place of the terms."""
        return self.template.format(*spellings)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int
    prefix: bool = False
    field: str | None = None


def parse(query: str) -> Query:
    """`query` as people type it: words (all must occur), "phrases", AND, OR, NOT, parentheses, prefix*.

    `agent:`, `level:` and `logger:` before a word narrow it to that field. Operators are upper case. Raises
    QueryError with the position of the character at fault.
    """
    if len(query) > LONGEST:
        raise QueryError(f"the query has {len(query)} characters; {LONGEST} are allowed.", LONGEST)
    parser = _Parser(_tokens(query), len(query))
    template = parser.alternatives(0)
    if parser.peek() is not None:
        raise QueryError("a closing parenthesis without an opening one.", parser.position())
    return Query(template, parser.terms)


def _tokens(query: str) -> list[_Token]:
    query = query.encode("utf-8", "replace").decode().translate(BLANKED)
    tokens: list[_Token] = []
    at = 0
    while found := _TOKEN.match(query, at):
        kind = next(name for name in ("open", "close", "phrase", "word") if found[name] is not None)
        text, position = found[kind], found.start(kind)
        at = found.end()
        if kind in ("open", "close"):
            tokens.append(_Token(kind, text, position))
        elif kind == "word" and text in _OPERATORS:
            tokens.append(_Token(text, text, position))
        elif kind == "phrase":
            if len(text) < 2 or not text.endswith('"'):
                raise QueryError("a quotation mark is not closed.", position)
            field = found["field"][:-1].lower() if found["field"] else None
            tokens += _term(text[1:-1], position, bool(found["star"]), field)
        else:
            name, colon, rest = text.partition(":")
            if colon and name.lower() in FIELDS:
                if not rest:
                    raise QueryError(f"nothing after {text!r}.", position + len(text))
                tokens += _term(rest.rstrip("*"), position, rest.endswith("*"), name.lower())
            else:
                tokens += _term(text.rstrip("*"), position, text.endswith("*"), None)
    if not tokens:
        raise QueryError("nothing to search for: the query holds no letter or digit.", 0)
    return tokens


def _term(text: str, position: int, prefix: bool, field: str | None) -> list[_Token]:
    """The term, or nothing for text the index holds no word of ("---", "=>")."""
    if not any(character.isalnum() for character in text):
        if prefix and not text:
            raise QueryError("* needs the beginning of a word before it.", position)
        return []
    return [_Token("term", text, position, prefix, field)]


class _Parser:
    """alternatives: all {OR all}; all: part {[AND] part}, parts after NOT are taken away; part: term | ( … )."""

    def __init__(self, tokens: list[_Token], length: int) -> None:
        self._tokens, self._at, self._length = tokens, 0, length
        self.terms: list[Term] = []

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

    def alternatives(self, depth: int) -> str:
        if depth > DEEPEST:
            raise QueryError(f"parentheses are nested deeper than {DEEPEST}.", self.position())
        branches = [self._all(depth)]
        while self._accept("OR"):
            branches.append(self._all(depth))
        return branches[0] if len(branches) == 1 else f"({' OR '.join(branches)})"

    def _all(self, depth: int) -> str:
        wanted: list[str] = []
        unwanted: list[str] = []
        start = self.position()
        while True:
            if self._accept("NOT"):
                unwanted.append(self._part(depth))
            else:
                wanted.append(self._part(depth))
            if self._accept("AND"):
                continue
            token = self.peek()
            if token is None or token.kind in ("OR", "close"):
                break
        if not wanted:
            raise QueryError("NOT takes away from something: write what to find first, as in: error NOT pubsub.", start)
        expression = wanted[0] if len(wanted) == 1 else f"({' AND '.join(wanted)})"
        if unwanted:
            expression = f"({expression} NOT ({' OR '.join(unwanted)}))"
        return expression

    def _part(self, depth: int) -> str:
        token = self.peek()
        if token is None:
            raise QueryError("the query ends where a word is expected.", self._length)
        if self._accept("open"):
            expression = self.alternatives(depth + 1)
            if not self._accept("close"):
                raise QueryError("a parenthesis is not closed.", token.position)
            return expression
        if token.kind != "term":
            raise QueryError(f"a word is expected before {token.text!r}.", token.position)
        self._at += 1
        quoted = '"' + token.text.replace('"', '""') + '"' + ("*" if token.prefix else "")
        self.terms.append(Term(quoted, token.field))
        return f"{{{len(self.terms) - 1}}}"
