"""One live session: a source watching a process, and everybody who reads what it tells."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from voltscope.errors import BackendFailed, TargetGone, TooManySessions, VoltscopeError
from voltscope.live.documents import Documents, Latest, Read, Steps
from voltscope.live.prices import timed_price
from voltscope.live.source import Source, Watch, Wish
from voltscope.live.views import CallGraph, Flow, Greenlets, Place, Update, View
from voltscope.profiling.backends.refusal import let_in
from voltscope.profiling.capture import iso_utc
from voltscope.profiling.targets import Target
from voltscope.ulid import new_ulid

_log = logging.getLogger(__name__)

RUNNING, ENDED = "running", "ended"
TIME, STOPPED, UNWATCHED, TARGET_ENDED, FAILED = "time", "stopped", "unwatched", "target-ended", "failed"
ENDINGS = (TIME, STOPPED, UNWATCHED, TARGET_ENDED, FAILED)

MOST_READERS = 16
# A source ends by itself when its time is over; attaching may have taken some of ours.
_GRACE_S = 15.0
_STOP_PATIENCE_S = 20.0
_LAST_BREATH_S = 0.5
_MOST_FILES = 20_000


class Session:
    """Runs in a thread of its own, in which the source's programs are started: they end with it."""

    def __init__(
        self,
        target: Target,
        source: Source,
        wish: Wish,
        requested_by: str,
        alive: Callable[[], bool],
        unwatched_s: float,
    ) -> None:
        """`alive`: whether the target is still the process it was. `unwatched_s`: how long it goes on unread."""
        self.target, self.source = target, source
        self._wish, self._requested_by, self._alive, self._unwatched_s = wish, requested_by, alive, unwatched_s
        now = time.time()
        self.id = new_ulid(now)
        self._started = iso_utc(now)
        self._until = time.monotonic() + wish.seconds + _GRACE_S
        self._lock = threading.Lock()
        self._documents: Documents = Steps() if source.view is View.FLOW else Latest()
        self._files: set[str] = set()
        self._readers: set[Reader] = set()
        self._unread_since = time.monotonic()
        self._watch: Watch | None = None
        self._reason: str | None = None
        self._error: VoltscopeError | None = None
        self._updates = 0
        self.ended: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"live-{self.id[-6:]}", daemon=True)
        self._over: Callable[[Session], None] = lambda session: None

    def begin(self, over: Callable[[Session], None]) -> None:
        """Watch. `over` is called once, when the session has ended."""
        self._over = over
        self._thread.start()

    def stop(self, reason: str = STOPPED) -> None:
        """Have it end for `reason`, unless it ends already."""
        with self._lock:
            if self._reason is not None or self.ended is not None:
                return
            self._reason = reason
            watch = self._watch
        self._halt(watch)

    def wait(self) -> None:
        """Until it has ended, within reason."""
        self._thread.join(_STOP_PATIENCE_S)

    def judge(self, now: float) -> None:
        """End it when its target is gone, its time over or nobody reads. `now`: of time.monotonic()."""
        if not self._alive():
            self.stop(TARGET_ENDED)
        elif now > self._until:
            self.stop(TIME)
        elif not self._readers and now - self._unread_since > self._unwatched_s:
            self.stop(UNWATCHED)

    def told(self) -> dict[str, Any]:
        """The session, for people and programs."""
        wish, source = self._wish, self.source
        price = (timed_price(source.view, source.name) if wish.latency else None) or source.price
        with self._lock:
            return {
                "id": self.id, "agent": self.target.agent, "pid": self.target.pid, "view": self.source.view.value,
                "source": self.source.name, "exact": self.source.exact, "slowdown": price.slowdown,
                "words": price.words, "seconds": wish.seconds, "rate": wish.rate, "latency": wish.latency,
                "requested_by": self._requested_by, "started": self._started,
                "state": RUNNING if self.ended is None else ENDED, "ended": self.ended,
                "error": None if self._error is None else self._error.as_dict(), "updates": self._updates,
            }  # fmt: skip

    def has_shown(self, file: str) -> bool:
        """Whether any place in the session's documents was in that file."""
        with self._lock:
            return file in self._files

    def join(self, wake: Callable[[], None]) -> Reader:
        """Somebody who reads; `wake` is called, from any thread, when there is more. Raises TooManySessions."""
        with self._lock:
            if len(self._readers) >= MOST_READERS:
                raise TooManySessions(f"{MOST_READERS} read session {self.id} already.", "Close one of them.")
            reader = Reader(self, wake, self._documents.begin())
            self._readers.add(reader)
        return reader

    @property
    def size(self) -> int:
        """Bytes of the documents held."""
        return self._documents.size

    def forget(self) -> None:
        """Drop the documents of a session that has ended: who comes from now on is told how it ended."""
        with self._lock:
            self._documents = Latest()

    def leave(self, reader: Reader) -> None:
        """That one reads no more."""
        with self._lock:
            self._readers.discard(reader)
            self._unread_since = time.monotonic()

    def since(self, read: Read) -> tuple[list[tuple[int, bytes]], Read, bool]:
        """What somebody who has read so far has not, and whether that is all there will be."""
        with self._lock:
            documents, read = self._documents.since(read)
            return documents, read, self.ended is not None

    def _run(self) -> None:
        error: VoltscopeError | None = None
        try:
            with let_in(self.target.pid):
                self._follow()
        except VoltscopeError as found:
            error = found
        except Exception:
            _log.exception("live session %s of %s failed", self.id, self.target.agent)
            error = VoltscopeError(f"live session {self.id} failed inside.", "See the profiler's log.")
        finally:
            self._halt(self._watch)
        gone = isinstance(error, TargetGone) or self._gone(error)
        with self._lock:
            if self._reason == TIME and not self._updates and not gone:
                patience = self._wish.seconds + _GRACE_S
                words = f"{self.source.name} has shown nothing of {self.target.agent} in {patience:.0f} s."
                self.ended, self._error = FAILED, error or BackendFailed(words, "Ask for longer, or another source.")
            elif self._reason is not None:  # whatever a source says that was stopped
                self.ended = self._reason
            elif gone:
                self.ended = TARGET_ENDED
            else:
                self.ended, self._error = (TIME, None) if error is None else (FAILED, error)
            self._documents.settle()
        self._over(self)
        self._wake()

    def _halt(self, watch: Watch | None) -> None:
        """Stop it; whoever asks for that, for all sessions' sake, is not to fail with one of them."""
        try:
            if watch is not None:
                watch.stop()
        except Exception:
            _log.exception("live session %s of %s could not be stopped", self.id, self.target.agent)

    def _gone(self, error: VoltscopeError | None) -> bool:
        """Whether the target has ended. Its sockets are closed a moment before it counts as gone."""
        early = error is not None or time.monotonic() < self._until - _GRACE_S - 0.5
        deadline = time.monotonic() + (_LAST_BREATH_S if early and self._reason is None else 0.0)
        while self._alive():
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.02)
        return True

    def _follow(self) -> None:
        watch = self.source.watch(self.target, self._wish)
        with self._lock:
            self._watch = watch
            stopped = self._reason is not None
        if stopped:
            return
        for update in watch.updates():
            self._show(update)

    def _show(self, update: Update) -> None:
        files = {place.file for place in places_of(update)}
        with self._lock:
            if len(self._files) < _MOST_FILES:
                self._files |= files
            self._updates += 1
            self._documents.add(self._updates, update)
        self._wake()

    def _wake(self) -> None:
        for reader in tuple(self._readers):
            reader.wake()


class Reader:
    """One who reads a session, and how far."""

    def __init__(self, session: Session, wake: Callable[[], None], read: Read) -> None:
        self._session, self.wake = session, wake
        self._read = read

    def take(self) -> tuple[list[tuple[int, bytes]], bool]:
        """New documents as JSON with their numbers, and whether that was all there will be. Never blocks for long."""
        documents, self._read, over = self._session.since(self._read)
        return documents, over

    def leave(self) -> None:
        """Read no more."""
        self._session.leave(self)


def places_of(update: Update) -> Iterator[Place]:
    """Every place that a document names."""
    if isinstance(update, Greenlets):
        for greenlet in update.greenlets:
            yield from greenlet.spawned
            yield from greenlet.stack
        for block in update.switches.blocks if update.switches else ():
            yield from block.stack
    elif isinstance(update, CallGraph):
        for node in update.nodes:
            yield node.place
    elif isinstance(update, Flow):
        yield from update.places.values()


def encoded(told: dict[str, Any]) -> bytes:
    """A session as JSON."""
    return msgspec.json.encode(told)
