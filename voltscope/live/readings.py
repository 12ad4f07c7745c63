"""What a probe tells of greenlets, checked and as the live views have it."""

from __future__ import annotations

import msgspec

from voltscope.errors import ProbeFailed
from voltscope.live.views import Greenlet, Place

_Frame = tuple[str, str, int]


class _Told(msgspec.Struct, kw_only=True):
    number: int
    name: str
    state: str
    waits_s: float | None
    at_least: bool
    age_s: float
    spawned: list[_Frame]
    stack: list[_Frame]


def greenlets(told: object) -> list[Greenlet]:
    """The list `greenlets` of a dump or an update of a watch. Raises ProbeFailed for anything of another form."""
    try:
        return [_greenlet(one) for one in msgspec.convert(told, list[_Told])]
    except msgspec.ValidationError as error:
        raise ProbeFailed(
            f"a probe tells of greenlets in another form: {error}.", "Are both of one version?"
        ) from error


def _greenlet(one: _Told) -> Greenlet:
    return Greenlet(
        number=one.number, name=one.name, state=one.state, waits_s=one.waits_s, at_least=one.at_least,
        age_s=one.age_s, spawned=tuple(Place(*frame) for frame in one.spawned),
        stack=tuple(Place(*frame) for frame in one.stack),
    )  # fmt: skip
