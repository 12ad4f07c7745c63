"""One greenlet as the probe knows it: who spawned it, where it stands, and since when."""

from __future__ import annotations

import functools
import json
import sys
from time import perf_counter
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any
from weakref import ref

from voltscope.probe.walk import EMPTY, Frame, Names, Places, Stack, folded, function, of_thread, sendable

RUNNING, WAITING, READY, NEW = "running", "waiting", "ready", "new"
HUB, MAIN, GEVENT, RAW = "hub", "main", "gevent", "raw"

# The roots of those without a spawn site: the hub's own stack needs none.
NO_SITE = {HUB: "", MAIN: "[main greenlet]", GEVENT: "[spawn site unknown]", RAW: "[spawn site unknown]"}
LONGEST_NAME = 200
# Programs name a greenlet soon after spawning it, if at all.
YOUNG_S = 2.0


class Known:
    """What is known of a greenlet. `ref`: weak, without a callback, so that its death costs nothing.

    `since`: when it was parked (perf_counter), `exact` when that was seen; else since when each look found it there.
    `root`: what its stacks are rooted at in folded form. `first`: when it was first seen. `identity`: its `id`.
    `ready`: whether its loop was to switch to it when it was told. `counted`: its root and where it stands, in folded
    form as JSON, where that counts: a hub's does while it is what its thread runs. `changed`: at which of the
    registry's changes it got to be as it is. `parked`: its places where a walk that finds the same has nothing new to
    tell. `named_at`: where it stood when its name was looked at.
    """

    __slots__ = (
        "_head",
        "changed",
        "counted",
        "exact",
        "first",
        "identity",
        "kind",
        "name",
        "named_at",
        "number",
        "parked",
        "places",
        "ready",
        "ref",
        "root",
        "since",
        "spawned",
        "stack",
        "state",
    )

    def __init__(self, greenlet: Any, number: int, names: Names) -> None:
        self.ref, self.identity = ref(greenlet), id(greenlet)
        self.number = number
        self.kind = kind_of(greenlet)
        self.first = self.since = perf_counter()
        self.exact = self.ready = False
        self.changed = 0
        self.state = NEW
        self.places: Places = []
        self.parked: Places | None = None
        self.stack: Stack = EMPTY
        self.spawned = names.stack(_spawning(greenlet))
        site = _site(self.spawned.frames)
        self.root = sys.intern("spawned at " + folded(site) if site else NO_SITE[self.kind])
        self.counted: str | None = None
        self.named_at = EMPTY
        self.name = self._head = ""
        self.rename(greenlet)

    def rename(self, greenlet: Any) -> None:
        """Its name as it is now: programs name greenlets after spawning them."""
        self.named_at = self.stack
        name = _name(greenlet, self)
        if name != self.name:
            self.name, self._head = name, f'{{"number":{self.number},"name":{json.dumps(name)},"state":"'

    def may_be_renamed(self, now: float) -> bool:
        """Whether it is new, or stands elsewhere than when its name was looked at."""
        return self.stack is not self.named_at or now - self.first < YOUNG_S

    def stands(self, state: str, places: Places, names: Names, now: float) -> None:
        """It was found in that state at these places."""
        if places != self.places:
            self.places, self.stack = places, names.stack(places)
        elif state == self.state:
            return
        self.since, self.exact, self.state = now, False, state
        self.parked = places if state == WAITING and self.kind != MAIN else None
        counts = bool(places) and (self.kind != HUB or state == RUNNING)
        self.counted = names.path(self.root, self.stack) if counts else None

    def told(self) -> tuple[object, ...]:
        """All that is told of it, but for what grows with time."""
        return self.state, self.since, self.exact, self.ready, self.name, self.stack

    def waits(self, now: float) -> float | None:
        """Seconds since it was parked; None when it is not."""
        return max(0.0, now - self.since) if self.state == WAITING else None

    def text(self, now: float, ready: bool) -> str:
        """A GREENLET of the protocol, as JSON. `ready`: whether its loop will switch to it."""
        waits = self.waits(now)
        state = READY if waits is not None and ready else self.state
        return (
            f'{self._head}{state}","waits_s":{"null" if waits is None else f"{waits:.6f}"},'
            f'"at_least":{"false" if self.exact else "true"},"age_s":{now - self.first:.3f},'
            f'"spawned":{self.spawned.text},"stack":{self.stack.text}}}'
        )


def kind_of(greenlet: Any) -> str:
    """Which kind of greenlet it is."""
    hubs, spawned = sys.modules.get("gevent.hub"), sys.modules.get("gevent.greenlet")
    if hubs is not None and isinstance(greenlet, hubs.Hub):
        return HUB
    if spawned is not None and isinstance(greenlet, spawned.Greenlet):
        return GEVENT
    return MAIN if greenlet.parent is None else RAW


def _spawning(greenlet: Any) -> Places:
    """Where it was spawned, without gevent's own frames on top; empty where nobody has noted it."""
    try:
        innermost = greenlet.spawning_stack
        places = of_thread(innermost) if innermost is not None else []
    except AttributeError:  # a raw greenlet, or another gevent's form of it
        return []
    own = _gevent_folder()
    while len(places) > 1 and places[0][0].co_filename.startswith(own):
        del places[0]
    return places


def _site(frames: tuple[Frame, ...]) -> Frame | None:
    return frames[0] if frames else None


@functools.cache
def _gevent_folder() -> str:
    return str(sys.modules["gevent"].__path__[0]) + "/"


def _name(greenlet: Any, known: Known) -> str:
    """The name it was given, else its function's.

    Never `Greenlet.name`, which numbers the greenlet in its hub's books: those are not for other threads.
    """
    if known.kind in (HUB, MAIN):
        return "hub" if known.kind == HUB else "main greenlet"
    own = getattr(greenlet, "__dict__", {})
    given = own.get("name")
    if type(given) is str and given:
        return sendable(given[:LONGEST_NAME])
    if known.stack.frames:
        return known.stack.frames[-1][0][:LONGEST_NAME]
    return _function(own.get("_run", own.get("run")))[:LONGEST_NAME] or known.name or "not begun"


def _function(run: Any) -> str:
    """The name of what it will run. Known types only: others may run code of their own when asked."""
    while type(run) in (functools.partial, MethodType):
        run = run.func if type(run) is functools.partial else run.__func__
    if type(run) is FunctionType:
        return function(run.__code__)
    return run.__qualname__ if type(run) is BuiltinFunctionType else ""
