"""All greenlets of the process: found once, then followed by weak references."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections import Counter, deque
from collections.abc import Iterable
from itertools import chain, compress
from time import perf_counter
from types import BuiltinMethodType, MethodType
from typing import Any
from weakref import ref

from voltscope.probe.greenlets import HUB, MAIN, NEW, RUNNING, WAITING, Known
from voltscope.probe.quiet import SLICE, rest
from voltscope.probe.walk import Names, in_slices, of_greenlet, of_running

# 200 greenlets are walked in 0.5 ms, 50 new ones named in 0.5 ms.
GREENLETS_A_SLICE, NEW_A_SLICE = 200, 50
# A look through all objects costs some ms; whoever asks again so soon gets what the last one found.
FRESH_S = 1.0
# Who looks again and again does so less often where it holds the agent up for longer than this.
SHORT_HOLD_S = 0.005


class Registry:
    """The greenlets known so far. Used by several threads: everything changes within slices only."""

    def __init__(self) -> None:
        self.names = Names()
        self._known: dict[int, Known] = {}
        self._hubs: dict[int, Known] = {}
        self._next = 1
        self._scanned, self._held = float("-inf"), 0.0

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, identity: object) -> bool:
        return identity in self._known

    def all(self) -> list[Known]:
        """Those that were there at the last look."""
        return list(self._known.values())

    def hubs(self) -> list[Any]:
        """gevent's hubs, one a thread."""
        found = [known.ref() for known in list(self._hubs.values())]
        return [hub for hub in found if hub is not None]

    def scan(self, fresh_s: float = FRESH_S) -> None:
        """Find all greenlets among the objects the garbage collector knows, if the last time is `fresh_s` ago.

        That takes 4 ms for 130,000 of them, and several times longer where they are scattered in memory.

        The agent gets no turn meanwhile. A list of all objects keeps those that the agent lets go of, and they would be
        finalised in our thread, at another moment than the agent meant: a cursor of sqlite3's that ends so resets the
        statement its thread is just using, whose `executemany` then fails as an API misuse (seen).
        """
        if fresh_s > FRESH_S:
            fresh_s *= max(1.0, self._held / SHORT_HOLD_S)
        now = perf_counter()
        if now - self._scanned < fresh_s or "greenlet" not in sys.modules:
            return
        kinds = _subclasses(sys.modules["greenlet"].greenlet)
        lists: list[Iterable[Any]] = []
        # The second one has the iterator over types move on from the first, and so let go of it.
        all_objects = chain(map(gc.get_objects, (None,)), ((None,),))
        types = map(type, chain.from_iterable(lists))
        greenlets = map(ref, compress(chain.from_iterable(lists), _are(kinds, types)))
        found: deque[ref[Any]] = deque()
        with SLICE:
            # Nothing has been looked at yet. From here to the end no function is called from bytecode, and no loop
            # jumps back: only there does the interpreter pass to another thread.
            lists += all_objects
            found += greenlets
            del lists[:]
        self._held = perf_counter() - now
        rest()
        self.add(found)
        self._scanned = perf_counter()

    def add(self, seen: deque[ref[Any]]) -> None:
        """Take in those that somebody has seen, in slices; `seen` is emptied."""
        while seen:
            with SLICE:
                for _ in range(min(len(seen), NEW_A_SLICE)):
                    self._add(seen.popleft()())
            rest()

    def known(self, greenlet: Any) -> Known | None:
        """What is known of it."""
        found = self._known.get(id(greenlet))
        return found if found is not None and found.ref() is greenlet else None

    def _add(self, greenlet: Any) -> None:
        if greenlet is not None and self.known(greenlet) is None and not _ended(greenlet):
            known = self._known[id(greenlet)] = Known(greenlet, self._next, self.names)
            self._next += 1
            if known.kind == HUB:
                self._hubs[id(greenlet)] = known

    def name(self, identity: int) -> str:
        """The name of the greenlet with that `id`, empty when it is not known."""
        found = self._known.get(identity)
        return "" if found is None else found.name

    def running(self, thread: int) -> str:
        """The name of the greenlet that thread runs, empty when it is not known."""
        threads = self._threads()
        for known in self.all():
            greenlet = known.ref()
            runs = greenlet is not None and greenlet.gr_frame is None and _begun(greenlet)
            if runs and threads.get(id(_root(greenlet))) == thread:
                return known.name
        return ""

    def look(
        self,
        parked: Iterable[dict[int, float]] = (),
        rename: bool = True,
        tally: Counter[str] | None = None,
        texts: list[str] | None = None,
    ) -> int:
        """Look where each stands, in slices; those that have ended are forgotten, and their number is the answer.

        `parked`: since when greenlets wait, by identity, from those who saw them switch. `tally`: counts the paths of
        all; a hub counts only where it is what its thread runs. `texts`: gets all of them as the protocol has them,
        while what they are made of is at hand: that takes half of the time it takes afterwards.
        """
        threads = self._threads()
        clocks = list(parked)
        ready = set[int]() if texts is None else self.ready()
        forgotten, ended = 0, []
        for part in in_slices(list(self._known.items()), GREENLETS_A_SLICE):
            with SLICE:
                now = perf_counter()
                for identity, known in part:
                    greenlet = known.ref()
                    if greenlet is None or not self._stands(greenlet, known, threads, clocks, now):
                        self._forget(identity, known)
                        forgotten += 1
                        if greenlet is not None:
                            ended.append(greenlet)
                        continue
                    if rename or (texts is not None and known.may_be_renamed(now)):
                        known.rename(greenlet)
                    if tally is not None and known.places and (known.kind != HUB or known.state == RUNNING):
                        tally[known.path(self.names)] += 1
                    if texts is not None:
                        texts.append(known.text(now, ready))
                greenlet = None
            rest()
        if ended:
            self._give_back(ended)
        return forgotten

    def _forget(self, identity: int, known: Known) -> None:
        """Unless another thread of ours has found a new greenlet at its address since."""
        if self._known.get(identity) is known:
            del self._known[identity]
            self._hubs.pop(identity, None)

    def _give_back(self, ended: list[Any]) -> None:
        """Let a hub let go of what has ended: ours may be the last reference, and what hangs on it is the agent's."""
        for hub in self.hubs():
            with contextlib.suppress(Exception):  # a loop that is being destroyed
                hub.loop.run_callback_threadsafe(ended.clear)
                return

    def _stands(
        self, greenlet: Any, known: Known, threads: dict[int, int], clocks: list[dict[int, float]], now: float
    ) -> bool:
        """Note where it stands; False when it has ended."""
        if known.kind == MAIN and id(greenlet) not in threads:
            return False  # of a thread without a hub, such as our own
        places = of_greenlet(greenlet)
        if places:
            if places != known.places or known.state != WAITING:
                known.stands(WAITING, places, self.names, now)
            since = None
            for clock in clocks:
                since = clock.get(known.identity, since)
            known.exact = since is not None
            if since is not None:
                known.since = since
            return True
        if _ended(greenlet):
            return False
        if _begun(greenlet):
            known.stands(RUNNING, of_running(threads.get(id(_root(greenlet)))), self.names, now)
        else:
            known.stands(NEW, [], self.names, now)
        return True

    def _threads(self) -> dict[int, int]:
        """Threads by the identity of their main greenlet."""
        return {id(_root(hub)): hub.thread_ident for hub in self.hubs()}

    def ready(self) -> set[int]:
        """Identities of the greenlets that loops will switch to in their next turn."""
        found: set[int] = set()
        for hub in self.hubs():
            with SLICE:
                for callback in list(getattr(hub.loop, "_callbacks", ())):
                    found.add(id(_switched_to(getattr(callback, "callback", None))))
        return found


def _subclasses(kind: type) -> set[type]:
    found: set[type] = {kind}
    todo = [kind]
    while todo:
        subclasses: list[type] = type.__subclasses__(todo.pop())
        todo += [sub for sub in subclasses if sub not in found]
        found.update(subclasses)
    return found


def _are(kinds: set[type], types: Iterable[type]) -> Iterable[bool]:
    """Of each of `types` whether it is one of `kinds`, in C and with nothing of the agent's called.

    A metaclass may bring a hash of its own (typing_extensions' protocols do), or none: identities then, which take
    twice the time.
    """
    usual: Any = object.__hash__
    if all(meta.__hash__ is usual for meta in _subclasses(type)):
        return map(kinds.__contains__, types)
    return map({id(kind) for kind in kinds}.__contains__, map(id, types))


def _ended(greenlet: Any) -> bool:
    """Whether it will never run again, by greenlet's own word: gevent's needs the attributes of a running one."""
    base = sys.modules["greenlet"].greenlet
    if base.dead.__get__(greenlet):
        return True
    # killed before it began: only gevent knows
    return not base.__bool__(greenlet) and greenlet.dead is True


def _begun(greenlet: Any) -> bool:
    return bool(sys.modules["greenlet"].greenlet.__bool__(greenlet))


def _root(greenlet: Any) -> Any:
    """The main greenlet of its thread."""
    while greenlet.parent is not None:
        greenlet = greenlet.parent
    return greenlet


def _switched_to(callback: Any) -> Any:
    """The greenlet a callback of the loop switches to: `greenlet.switch`, or a Waiter's, which holds one."""
    if type(callback) not in (BuiltinMethodType, MethodType):
        return None
    owner = callback.__self__
    return owner.greenlet if type(owner).__name__ in ("Waiter", "MultipleWaiter") else owner
