"""Lines of code as a table has room for them, and which of a stack tells most."""

from __future__ import annotations

import re
from collections.abc import Sequence

from voltscope.cli.terminal import NOTHING, shown
from voltscope.live.views import Place

_INSTALLED = re.compile(r".*/(?:site-packages|dist-packages)/")
_STANDARD = re.compile(r".*/lib/python3[.\d]*/")
# what waits and schedules on behalf of others: it names the means, not the reason
_PLUMBING = re.compile(r"(?:gevent|greenlet|zmq)/|<frozen ")


def function_of(place: Place) -> str:
    """The function's name, without saying of each one inside another that it is local to it."""
    return shown(place.function.replace(".<locals>", ""))


def file_of(place: Place) -> str:
    """The last two names of the file, of the standard library's own the one: `gevent/hub.py`, `queue.py`."""
    return shown("/".join(_below(place).rsplit("/", 2)[-2:]))


def _below(place: Place) -> str:
    """The file below the folder that packages, or the standard library, are in."""
    if place.file.startswith("<"):
        return place.file
    below, installed = _INSTALLED.subn("", place.file, count=1)
    return below if installed else _STANDARD.sub("", place.file, count=1)


def said(place: Place | None, line: int | None = None) -> str:
    """`function (file:line)`; `line` instead of the place's own."""
    if place is None:
        return NOTHING
    if not place.file:  # `[hub idle]` and its like stand for many places
        return function_of(place)
    number = place.line if line is None else line
    return f"{function_of(place)} ({file_of(place)}{f':{number}' if number else ''})"


def position(place: Place) -> str:
    """`file:line`, or nothing where there is none."""
    return f"{file_of(place)}:{place.line}" if place.file else ""


def waits_at(stack: Sequence[Place]) -> tuple[Place | None, Place | None]:
    """Of a stack, innermost first: the first line that is neither gevent's nor the standard library's; what it called.

    Where all are, the outermost and the innermost.
    """
    for index, place in enumerate(stack):
        if not _plumbing(place):
            return place, stack[index - 1] if index else None
    if not stack:
        return None, None
    return stack[-1], stack[0] if len(stack) > 1 else None


def spawned_at(stack: Sequence[Place]) -> Place | None:
    """Of where a greenlet was spawned, innermost first: the line that wanted it, not a `spawn` in between."""
    own = [place for place in stack if not _plumbing(place)] or list(stack)
    return next((place for place in own if not _name(place).startswith("spawn")), own[0] if own else None)


def in_hub(stack: Sequence[Place]) -> bool:
    """Whether gevent's hub itself is on top: it waits for whatever comes next."""
    return bool(stack) and _below(stack[0]) == "gevent/hub.py" and _name(stack[0]) == "run"


def _name(place: Place) -> str:
    return place.function.rpartition(".")[2]


def _plumbing(place: Place) -> bool:
    installed = _INSTALLED.match(place.file)
    return bool(_PLUMBING.match(_below(place)) or (_STANDARD.match(place.file) and not installed))
