"""What a record's group alone decides of a query."""

from __future__ import annotations

from voltscope.logs.record import NUMBERS
from voltscope.search.fields import BY_NAME, Comparison, Field
from voltscope.search.groups import Group, value_of
from voltscope.search.syntax import All, Any, Compared, Node, Not, Operator, Present, Words
from voltscope.search.tokens import words_of

_NAMED = tuple(BY_NAME[name] for name in ("agent", "level", "logger"))  # where words without a field are looked for


def groups_decide(node: Node) -> bool:
    """Whether a record's group is all the tree asks for."""
    if isinstance(node, Not):
        return groups_decide(node.part)
    if isinstance(node, (All, Any)):
        return all(map(groups_decide, node.parts))
    if isinstance(node, Words):
        return node.field is not None and node.field.name not in ("message", "stack", "id")
    if isinstance(node, Compared):
        return node.field.name not in ("id", "sequence", "time")
    if isinstance(node, Present):
        return node.field.name not in ("message", "id", "sequence", "time")
    return False


def decides(node: Node, group: Group) -> bool:
    """Whether records of the group are found; of words without a field: by agent, level or logger."""
    if isinstance(node, Not):
        return not decides(node.part, group)
    if isinstance(node, All):
        return all(decides(part, group) for part in node.parts)
    if isinstance(node, Any):
        return any(decides(part, group) for part in node.parts)
    if isinstance(node, Words):
        sought = words_of(node.text)
        fields = _NAMED if node.field is None else (node.field,)
        return any(_occurs(sought, node.prefix, words_of(_spelled(group, field))) for field in fields)
    if isinstance(node, Compared):
        return _compares(value_of(group, node.field), node.operator, node.value)
    assert isinstance(node, Present)  # noqa: S101  groups_decide says so
    return value_of(group, node.field) is not None


def _spelled(group: Group, field: Field) -> str:
    value = value_of(group, field)
    if field.comparison is Comparison.LEVEL and isinstance(value, int):
        return NUMBERS[value]
    return "" if value is None else str(value)


def _occurs(sought: list[str], prefix: bool, words: list[str]) -> bool:
    """Whether the words stand side by side there."""
    for begin in range(len(words) - len(sought) + 1):
        here = words[begin : begin + len(sought)]
        if here == sought or (prefix and here[:-1] == sought[:-1] and here[-1].startswith(sought[-1])):
            return True
    return False


def _compares(value: int | str | None, operator: Operator, other: int | str) -> bool:
    if isinstance(value, int) and isinstance(other, int):
        if operator is Operator.LESS:
            return value < other
        if operator is Operator.AT_MOST:
            return value <= other
        if operator is Operator.MORE:
            return value > other
        if operator is Operator.AT_LEAST:
            return value >= other
    return value == other
