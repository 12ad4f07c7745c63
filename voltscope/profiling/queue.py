"""Who records when: a bounded queue of captures, few at once, one a process."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from voltscope.errors import CaptureCancelled, TooManyCaptures, VoltscopeError
from voltscope.profiling.backends.base import Backend, Sampling
from voltscope.profiling.capture import Capture


@dataclass
class Job:
    """A capture on its way: `backend` takes `sampling`.

    `keep`: whether it goes into the archive. `finished` is set when it is done or failed: `capture` is then final, and
    `error` says why it failed.
    """

    capture: Capture
    sampling: Sampling
    backend: Backend
    keep: bool = True
    error: VoltscopeError | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)


class CaptureQueue:
    """Runs at most `concurrent` jobs at once, each in a thread of its own, and lets `waiting` more wait.

    `run(job)` records; `drop(job, error)` ends one that never ran. Neither may raise.
    """

    def __init__(
        self,
        run: Callable[[Job], None],
        drop: Callable[[Job, VoltscopeError], None],
        *,
        concurrent: int = 2,
        waiting: int = 8,
    ) -> None:
        self._run, self._drop = run, drop
        self._concurrent, self._most_waiting = concurrent, waiting
        self._lock = threading.Lock()
        self._waiting: deque[Job] = deque()
        self._running: dict[str, Job] = {}
        self._threads: set[threading.Thread] = set()
        self._closed = False

    def limit(self, *, concurrent: int, waiting: int) -> None:
        """Change the limits; what runs goes on."""
        with self._lock:
            self._concurrent, self._most_waiting = concurrent, waiting
            self._fill()

    @property
    def running(self) -> int:
        """How many record at this moment."""
        return len(self._running)

    def jobs(self) -> list[Job]:
        """Those that run or wait, in no order."""
        with self._lock:
            return [*self._running.values(), *self._waiting]

    def submit(self, job: Job) -> None:
        """Take the job. Raises TooManyCaptures when the queue is full or the process is being captured already."""
        with self._lock:
            if self._closed:
                raise TooManyCaptures("the profiler is stopping.", "Ask again when it is back.")
            # Two tracers cannot attach to one process: the second would be refused by the kernel.
            for other in (*self._running.values(), *self._waiting):
                if other.capture.pid == job.capture.pid:
                    raise TooManyCaptures(
                        f"process {job.capture.pid} ({job.capture.agent}) is being captured already, "
                        f"as {other.capture.id}.",
                        "Wait for that capture, or cancel it.",
                    )
            if len(self._running) >= self._concurrent and len(self._waiting) >= self._most_waiting:
                raise TooManyCaptures(
                    f"{len(self._running)} captures run and {len(self._waiting)} wait, as many as are allowed.",
                    "Wait for one to end, or raise max_concurrent or max_waiting in the configuration.",
                )
            self._waiting.append(job)
            self._fill()

    def cancel(self, capture_id: str) -> bool:
        """End the capture early; False when it neither runs nor waits."""
        with self._lock:
            job = self._running.get(capture_id)
            if job is not None:
                job.cancel.set()
                return True
            job = next((one for one in self._waiting if one.capture.id == capture_id), None)
            if job is None:
                return False
            self._waiting.remove(job)
        self._drop(job, CaptureCancelled("the capture was cancelled before it began."))
        job.finished.set()
        return True

    def close(self) -> None:
        """Cancel everything and return when every thread is gone."""
        with self._lock:
            self._closed = True
            ids = [job.capture.id for job in (*self._waiting, *self._running.values())]
            threads = list(self._threads)
        for capture_id in ids:
            self.cancel(capture_id)
        for thread in threads:
            thread.join()

    def _fill(self) -> None:
        """Start what may start; called with the lock held."""
        while self._waiting and len(self._running) < self._concurrent and not self._closed:
            job = self._waiting.popleft()
            self._running[job.capture.id] = job
            thread = threading.Thread(target=self._work, args=(job,), name=f"capture-{job.capture.id}", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _work(self, job: Job) -> None:
        try:
            self._run(job)
        finally:
            with self._lock:
                del self._running[job.capture.id]
                self._threads.discard(threading.current_thread())
                self._fill()
            job.finished.set()
