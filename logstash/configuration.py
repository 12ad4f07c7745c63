"""Logstash's configuration language, read: its grammar as logstash-core/lib/logstash/config/grammar.treetop has it.

Ordered choice and no look-behind, as in that grammar, so that what is read here is read there. `parse` gives a list of
sections; what they hold are Plugin and Branch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*(?:\r?\n|\Z))+")
_WHITESPACE = re.compile(r"[ \t\r\n]")
_NAME = re.compile(r"[A-Za-z0-9_-]+")
_BAREWORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]+")
_STRING = re.compile(r'"(?:\\"|[^"])*"' + r"|'(?:\\'|[^'])*'", re.DOTALL)
_REGEXP = re.compile(r"/(?:\\/|[^/])*/", re.DOTALL)
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?")
_SELECTOR = re.compile(r"(?:\[[^\]\[,]+\])+")
_COMPARE = re.compile(r"==|!=|<=|>=|<|>")
_MATCHES = re.compile(r"=~|!~")
_BOOLEAN = re.compile(r"and|or|xor|nand")


class SyntaxFault(Exception):
    """What is no configuration, and where."""


@dataclass(frozen=True)
class Selector:
    """A field, as the names on the way to it."""

    path: tuple[str, ...]


@dataclass(frozen=True)
class Regexp:
    """An expression between slashes."""

    text: str


@dataclass(frozen=True)
class Operation:
    """A condition: `operator` one of and, or, xor, nand, !, in, not in, ==, …, =~, !~; "" for a value alone."""

    operator: str
    operands: tuple[Any, ...]


@dataclass
class Plugin:
    """`attributes`: pairs, for a name may come again."""

    name: str
    attributes: list[tuple[str, Any]] = field(default_factory=list)

    def __getitem__(self, name: str) -> Any:
        return dict(self.attributes)[name]

    def get(self, name: str, default: Any = None) -> Any:
        """The attribute's value."""
        return dict(self.attributes).get(name, default)


@dataclass
class Branch:
    """`cases`: each condition (None for else) and what follows from it."""

    cases: list[tuple[Operation | None, list[Plugin | Branch]]]


@dataclass
class Section:
    """`kind`: input, filter or output."""

    kind: str
    body: list[Plugin | Branch]


def parse(text: str) -> list[Section]:
    """Raises SyntaxFault."""
    reader = _Reader(text)
    reader.space()
    sections = [reader.section()]
    while reader.at < len(text):
        sections.append(reader.section())
    return sections


def plugins(body: list[Plugin | Branch]) -> Iterator[Plugin]:
    """All plugins, whatever the conditions."""
    for one in body:
        if isinstance(one, Plugin):
            yield one
        else:
            for _, inner in one.cases:
                yield from plugins(inner)


def field_path(reference: str) -> tuple[str, ...]:
    """Of a field as plugins take it: [a][b], or a alone."""
    found = re.fullmatch(r"(?:\[[^\]\[,]+\])+", reference)
    return tuple(reference[1:-1].split("][")) if found else (reference,)


class _Reader:
    def __init__(self, text: str) -> None:
        self._text, self.at = text, 0

    def space(self) -> bool:
        """Pass over white space and comments; whether there was any."""
        return self._match(_SPACE) is not None

    def section(self) -> Section:
        for kind in ("input", "filter", "output"):
            if self._take(kind):
                self.space()
                body = self._body()
                self.space()
                return Section(kind, body)
        raise self._fault("input, filter or output")

    def _body(self) -> list[Plugin | Branch]:
        self._expect("{")
        self.space()
        made: list[Plugin | Branch] = []
        while not self._take("}"):
            made.append(
                self._branch() if re.compile(r"if[^A-Za-z0-9_-]").match(self._text, self.at) else self._plugin()
            )
            self.space()
        return made

    def _branch(self) -> Branch:
        self._expect("if")
        self.space()
        condition = self._condition()
        self.space()
        cases: list[tuple[Operation | None, list[Plugin | Branch]]] = [(condition, self._body())]
        while True:
            back = self.at
            self.space()
            if not self._take("else"):
                self.at = back
                return Branch(cases)
            self.space()
            if self._take("if"):
                self.space()
                condition = self._condition()
                self.space()
                cases.append((condition, self._body()))
            else:
                cases.append((None, self._body()))
                return Branch(cases)

    def _plugin(self) -> Plugin:
        made = Plugin(self._name())
        self.space()
        self._expect("{")
        self.space()
        spaced = True
        while not self._take("}"):
            if not spaced:
                raise self._fault("white space before the next attribute")
            name = self._name()
            self.space()
            self._expect("=>")
            self.space()
            made.attributes.append((name, self._value()))
            # between attributes the grammar wants white space itself first, not a comment
            spaced = bool(_WHITESPACE.match(self._text, self.at))
            self.space()
        return made

    def _name(self) -> str:
        return self._match(_NAME) or self._string("a name")

    def _value(self) -> Any:
        back = self.at
        if (name := self._match(_NAME)) is not None:
            self.space()
            if self._text.startswith("{", self.at):
                self.at = back
                return self._plugin()
            self.at = back
            del name
        return self._plain_value()

    def _plain_value(self) -> Any:
        here = self._text[self.at : self.at + 1]
        if (word := self._match(_BAREWORD)) is not None:
            return {"true": True, "false": False}.get(word, word)
        if here in ("'", '"'):
            return self._string("a string")
        if (number := self._match(_NUMBER)) is not None:
            return float(number) if "." in number else int(number)
        if here == "[":
            return self._array(self._value)
        if here == "{":
            return self._hash()
        raise self._fault("a value")

    def _array(self, element: Any) -> list[Any]:
        self._expect("[")
        self.space()
        made: list[Any] = []
        while not self._take("]"):
            if made:
                self._expect(",")
                self.space()
            made.append(element())
            self.space()
        return made

    def _hash(self) -> dict[Any, Any]:
        self._expect("{")
        self.space()
        made: dict[Any, Any] = {}
        while not self._take("}"):
            key = self._match(_NUMBER) or self._match(_BAREWORD) or self._string("a key")
            self.space()
            self._expect("=>")
            self.space()
            if key in made:
                raise self._fault(f"a key other than {key}, which is there already")
            made[key] = self._value()
            self.space()
        return made

    def _condition(self) -> Operation:
        made = self._expression()
        while True:
            back = self.at
            self.space()
            operator = self._match(_BOOLEAN)
            if operator is None:
                self.at = back
                return made
            self.space()
            # the grammar has no precedence, and Ruby's `and` and `or`, which it becomes, have the same
            made = Operation(operator, (made, self._expression()))

    def _expression(self) -> Operation:
        if self._take("("):
            self.space()
            made = self._condition()
            self.space()
            self._expect(")")
            return made
        if self._take("!"):
            self.space()
            if self._take("("):
                self.space()
                inner = self._condition()
                self.space()
                self._expect(")")
                return Operation("!", (inner,))
            return Operation("!", (Operation("", (self._selector(),)),))
        left = self._rvalue()
        back = self.at
        self.space()
        if self._take("in"):
            operator = "in"
        elif self._take("not "):
            self.space()
            self._expect("in")
            operator = "not in"
        else:
            operator = self._match(_COMPARE) or self._match(_MATCHES) or ""
        if not operator:
            self.at = back
            return Operation("", (left,))
        self.space()
        if operator in ("=~", "!~"):
            return Operation(operator, (left, self._regexp()))
        return Operation(operator, (left, self._rvalue()))

    def _rvalue(self) -> Any:
        here = self._text[self.at : self.at + 1]
        if here in ("'", '"'):
            return self._string("a string")
        if (number := self._match(_NUMBER)) is not None:
            return float(number) if "." in number else int(number)
        if (selector := self._match(_SELECTOR)) is not None:
            return Selector(field_path(selector))
        if here == "[":
            return self._array(self._rvalue)
        return self._regexp()

    def _selector(self) -> Selector:
        found = self._match(_SELECTOR)
        if found is None:
            raise self._fault("a field")
        return Selector(field_path(found))

    def _regexp(self) -> Any:
        if self._text[self.at : self.at + 1] in ("'", '"'):
            return Regexp(self._string("a string"))
        found = self._match(_REGEXP)
        if found is None:
            raise self._fault("an expression")
        return Regexp(found[1:-1])

    def _string(self, wanted: str) -> str:
        found = self._match(_STRING)
        if found is None:
            raise self._fault(wanted)
        return found[1:-1]

    def _match(self, expression: re.Pattern[str]) -> str | None:
        found = expression.match(self._text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def _take(self, word: str) -> bool:
        if self._text.startswith(word, self.at):
            self.at += len(word)
            return True
        return False

    def _expect(self, word: str) -> None:
        if not self._take(word):
            raise self._fault(word)

    def _fault(self, wanted: str) -> SyntaxFault:
        line = self._text.count("\n", 0, self.at) + 1
        return SyntaxFault(f"line {line}: {wanted} is wanted, not {self._text[self.at : self.at + 30]!r}")
