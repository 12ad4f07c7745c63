"""All greenlets of the process: found once, then followed by weak references."""

from __future__ import annotations

import contextlib
import gc
import sys
from collections import Counter, deque
from collections.abc import Iterable
from itertools import chain, compress
from operator import attrgetter
from time import perf_counter
from types import BuiltinMethodType, MethodType
from typing import Any
from weakref import ref

from voltscope.probe import start
from voltscope.probe.greenlets import HUB, MAIN, NEW, RUNNING, WAITING, YOUNG_S, Known
from voltscope.probe.quiet import SLICE, rest
from voltscope.probe.walk import Names, Places, in_slices, of_greenlets, of_running

# 200 greenlets are walked in 0.5 ms, 50 new ones named in 0.5 ms.
GREENLETS_A_SLICE, NEW_A_SLICE = 200, 50
# A look through all objects costs some ms; whoever asks again so soon gets what the last one found.
FRESH_S = 1.0
# Who looks again and again does so less often where it holds the agent up for longer than this.
SHORT_HOLD_S = 0.005

_counted = attrgetter("counted")


class Registry:
    """The greenlets known so far. Used by several threads: everything changes within slices only."""

    def __init__(self) -> None:
        self.names = Names()
        self._known: dict[int, Known] = {}
        self._hubs: dict[int, Known] = {}
        self._next = 1
        # How often something told of a greenlet has changed; lists that get the numbers of those that are forgotten.
        self.changes = 0
        self.leavers: list[list[int]] = []
        self._scanned, self._held = float("-inf"), 0.0

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, identity: object) -> bool:
        return identity in self._known

    def all(self) -> list[Known]:
        """Those that were there at the last look."""
        return list(self._known.values())

    def hubs(self) -> list[Any]:
        """gevent's hubs, one a thread: that of the main thread first, which stays when others end."""
        found = [known.ref() for known in list(self._hubs.values())]
        return sorted((hub for hub in found if hub is not None), key=lambda hub: hub.thread_ident != start.main_thread)

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
            former = self._known.get(id(greenlet))
            if former is not None:
                self._forget(former)
            known = self._known[id(greenlet)] = Known(greenlet, self._next, self.names)
            self._next += 1
            self._changed(known)
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
        after: int = -1,
    ) -> int:
        """Look where each stands, in slices; those that have ended are forgotten, and their number is the answer.

        `parked`: since when greenlets wait, by identity, from those who saw them switch. `tally`: counts the paths of
        all; a hub counts only where it is what its thread runs. `texts`: gets all of them as the protocol has them,
        while what they are made of is at hand: that takes half of the time it takes afterwards. `after`: those alone
        that have changed since `changes` was that.
        """
        threads, clocks = self._threads(), list(parked)
        ready = None if texts is None else self.ready()
        ended: list[Any] = []
        forgotten = 0
        for number, part in enumerate(in_slices(list(self._known.values()), GREENLETS_A_SLICE)):
            if number:
                rest()
            with SLICE:
                now = perf_counter()
                gone = self._look_at(part, threads, _merged(clocks), ready, rename, now, ended)
                if gone:
                    forgotten += len(gone)
                    part = [known for known in part if known not in gone]
                if tally is not None:
                    tally.update(filter(None, map(_counted, part)))
                if texts is not None:
                    texts += [known.text(now, known.ready) for known in part if known.changed > after]
        if ended:
            self._give_back(ended)
        return forgotten

    def _look_at(
        self,
        part: list[Known],
        threads: dict[int, int],
        clock: dict[int, float],
        ready: set[int] | None,
        rename: bool,
        now: float,
        ended: list[Any],
    ) -> list[Known]:
        """Note where these stand, and which are `ready`, if that is asked for; those that are gone. `ended` gets what
        has ended and is still there.
        """
        gone = []
        old = now - YOUNG_S
        for known, places in zip(part, of_greenlets([known.ref for known in part]), strict=True):
            identity = known.identity
            # Most stand where they stood. What would be touched for each has long left the processor's caches.
            if (
                places == known.parked
                and not rename
                and clock.get(identity) == (known.since if known.exact else None)
                and (
                    ready is None
                    or ((identity in ready) is known.ready and known.stack is known.named_at and known.first < old)
                )
            ):
                continue
            before, greenlet = known.told(), known.ref()
            if greenlet is None or not self._stands(greenlet, known, places, threads, clock, now):
                self._forget(known)
                gone.append(known)
                if greenlet is not None:
                    ended.append(greenlet)
                continue
            if rename or (ready is not None and known.may_be_renamed(now)):
                known.rename(greenlet)
            if ready is not None:
                known.ready = identity in ready
            if known.told() != before:
                self._changed(known)
        return gone

    def _changed(self, known: Known) -> None:
        self.changes += 1
        known.changed = self.changes

    def _forget(self, known: Known) -> None:
        """Unless another thread of ours has found a new greenlet at its address since."""
        if self._known.get(known.identity) is known:
            del self._known[known.identity]
            self._hubs.pop(known.identity, None)
            for numbers in self.leavers:
                numbers.append(known.number)

    def _give_back(self, ended: list[Any]) -> None:
        """Let a hub let go of what has ended: ours may be the last reference, and what hangs on it is the agent's."""
        for hub in self.hubs():
            with contextlib.suppress(Exception):  # a loop that is being destroyed
                hub.loop.run_callback_threadsafe(ended.clear)
                return

    def _stands(
        self,
        greenlet: Any,
        known: Known,
        places: Places,
        threads: dict[int, int],
        clock: dict[int, float],
        now: float,
    ) -> bool:
        """Note where it stands; False when it has ended. `places`: where it was parked when it was walked, if so."""
        if known.kind == MAIN and id(greenlet) not in threads:
            return False  # of a thread without a hub, such as our own
        if not places and _begun(greenlet):
            running = of_running(threads.get(id(_root(greenlet))))
            # It may have been parked since it was walked: then what its thread runs is another one.
            (places,) = of_greenlets((known.ref,))
            if not places and not _ended(greenlet):
                known.stands(RUNNING, running, self.names, now)
                return True
        if places:
            known.stands(WAITING, places, self.names, now)
            since = clock.get(known.identity)
            known.exact = since is not None
            if since is not None:
                known.since = since
            return True
        if _ended(greenlet):
            return False
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


def _merged(clocks: list[dict[int, float]]) -> dict[int, float]:
    """All of them as one; the last one's word counts."""
    if len(clocks) == 1:
        return clocks[0]
    found: dict[int, float] = {}
    for clock in clocks:
        found.update(clock)
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
