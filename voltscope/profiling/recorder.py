"""From a request to a kept capture: checks it, finds the process, queues it, records, keeps."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import msgspec

from voltscope.errors import BadRequest, CaptureCancelled, TooManyCaptures, VoltscopeError
from voltscope.profiling.archive import Archive, not_found
from voltscope.profiling.audit import audit
from voltscope.profiling.backends.base import Ending, Sampling
from voltscope.profiling.backends.refusal import let_in
from voltscope.profiling.backends.registry import Backends
from voltscope.profiling.capture import DONE, RECORDING, Capture, begun, failed, finished, iso_utc
from voltscope.profiling.queue import CaptureQueue, Job
from voltscope.profiling.request import Limits, read_request
from voltscope.profiling.stacks import Stacks
from voltscope.profiling.targets import Targets
from voltscope.ulid import new_ulid

_log = logging.getLogger(__name__)

_FAILED_REMEMBERED = 50  # failures are told, not kept: they hold no samples
_PASSING = 8  # captures nobody wants kept: each refresh of `voltscope top` is one


class Recorder:
    """All captures: those under way, those that failed lately, and the archive's.

    `site` labels captures. `kept()` is called when there is one more in the archive. One instance serves HTTP and RPC
    alike, from any thread.
    """

    def __init__(
        self,
        targets: Targets,
        backends: Backends,
        archive: Archive,
        limits: Limits,
        site: str | None,
        kept: Callable[[], None] = lambda: None,
    ) -> None:
        self._targets, self._backends, self._archive, self._kept = targets, backends, archive, kept
        self.limits, self.site = limits, site
        self._failed: deque[Capture] = deque(maxlen=_FAILED_REMEMBERED)
        self._passing: deque[tuple[Capture, Stacks]] = deque(maxlen=_PASSING)
        self._lock = threading.Lock()
        self._asked: dict[str, list[float]] = {}  # when, within the last minute
        self.outcomes: Counter[str] = Counter()
        self.seconds_recorded = 0.0
        self._queue = CaptureQueue(self._run, self._fail, concurrent=limits.max_concurrent, waiting=limits.max_waiting)

    def apply(self, limits: Limits, site: str | None) -> None:
        """Change limits and label; what runs goes on."""
        self.limits, self.site = limits, site
        self._queue.limit(concurrent=limits.max_concurrent, waiting=limits.max_waiting)

    @property
    def running(self) -> int:
        """How many record at this moment."""
        return self._queue.running

    @property
    def backends(self) -> Backends:
        """What records."""
        return self._backends

    def targets(self) -> list[dict[str, Any]]:
        """What can be captured: agent and pid."""
        return [{"agent": target.agent, "pid": target.pid} for target in self._targets.all()]

    def submit(self, params: dict[str, Any], requested_by: str, reason: str = "on-demand", via: str = "trigger") -> Job:
        """Begin a capture, or line it up, with its line in the audit. `reason`: as in `Capture`; `via`: as in `audit`.

        Raises BadRequest, CaptureTooLong, UnknownAgent, TargetGone, TooManyCaptures and BackendFailed.
        """
        try:
            request = read_request(params, self.limits)
            backend = self._backends.choose(
                request.kind, request.backend, native=request.native, children=request.children
            )
            target = self._targets.find(request.agent)
            now = time.time()
            self.admit(requested_by, now)
            capture = Capture(
                id=new_ulid(now),
                site=self.site,
                instance=target.instance,
                agent=target.agent,
                pid=target.pid,
                kind=request.kind,
                backend=backend.name,
                backend_version=backend.version(),
                started=iso_utc(now),
                duration_s=float(request.seconds),
                rate_hz=request.rate,
                requested_by=requested_by,
                reason=reason,
                native=request.native,
                children=request.children,
            )
            sampling = Sampling(
                target.pid,
                request.seconds,
                request.rate,
                request.kind,
                request.native,
                request.blocking,
                request.children,
            )
            job = Job(capture, sampling, backend, request.keep)
            self._queue.submit(job)
        except VoltscopeError as error:
            self._count("refused")
            audit("capture", requested_by, via, {**params, "reason": reason}, error)
            raise
        audit("capture", requested_by, via, {**params, "reason": reason}, found=capture.id)
        return job

    def profile(self, params: dict[str, Any], requested_by: str) -> Capture:
        """A capture from request to end. Raises what `submit` and the recording raise."""
        job = self.submit(params, requested_by, via="rpc")
        job.finished.wait()
        if job.error is not None:
            raise job.error
        return job.capture

    def cancel(self, capture_id: str) -> None:
        """End a capture early. Raises CaptureNotFound, and BadRequest when it has ended already."""
        if not self._queue.cancel(capture_id):
            state = self.capture(capture_id).state
            raise BadRequest(f"capture {capture_id} has ended already: it is {state}.")

    def captures(self) -> list[Capture]:
        """Every capture, newest first."""
        # read in the order captures move in, so that none is missed between two places
        under_way = [job.capture for job in self._queue.jobs()]
        with self._lock:
            failures = list(self._failed)
        found = {capture.id: capture for capture in (*under_way, *failures, *self._archive.captures())}
        return [found[capture_id] for capture_id in sorted(found, reverse=True)]

    def capture(self, capture_id: str) -> Capture:
        """One capture. Raises CaptureNotFound."""
        under_way = next((job.capture for job in self._queue.jobs() if job.capture.id == capture_id), None)
        if under_way is not None and under_way.state == RECORDING:
            return under_way
        with self._lock:
            remembered = [*self._failed, *(capture for capture, _ in self._passing)]
        found = next((capture for capture in remembered if capture.id == capture_id), None)
        return found or self._archive.capture(capture_id)

    def stacks(self, capture_id: str) -> tuple[Capture, dict[tuple[str, ...], int]]:
        """A finished capture with its stacks. Raises CaptureNotFound when it is not there, or not finished."""
        capture = self.capture(capture_id)
        if capture.state != DONE:
            error = not_found(capture_id)
            error.message = f"capture {capture_id} has no stacks: it is {capture.state}."
            error.remedy = capture.words
            raise error
        with self._lock:
            passing = next((stacks for one, stacks in self._passing if one.id == capture_id), None)
        return capture, self._archive.stacks(capture_id) if passing is None else dict(passing)

    def close(self) -> None:
        """Cancel what runs and return when it has ended."""
        self._queue.close()

    def admit(self, requester: str, now: float) -> None:
        """Note a request, of a capture or a thread dump.

        Raises TooManyCaptures when it is one too many of `requester`'s.
        """
        limits = self.limits
        open_jobs = sum(job.capture.requested_by == requester for job in self._queue.jobs())
        if open_jobs >= limits.max_per_requester:
            raise TooManyCaptures(
                f"{requester} has {open_jobs} captures under way, as many as one may have.",
                "Wait for one to end, or raise max_per_requester in the configuration.",
            )
        with self._lock:
            self._asked = {
                name: recent for name, asked in self._asked.items() if (recent := [at for at in asked if at > now - 60])
            }
            asked = self._asked.setdefault(requester, [])
            if len(asked) >= limits.max_per_minute:
                raise TooManyCaptures(
                    f"{requester} asked for {len(asked)} captures within a minute.",
                    "Ask again in a minute, or raise max_per_minute in the configuration.",
                )
            asked.append(now)

    def _run(self, job: Job) -> None:
        try:
            self._record(job)
        except VoltscopeError as error:
            self._fail(job, error)
        except Exception:
            _log.exception("capture %s of %s failed", job.capture.id, job.capture.agent)
            self._fail(job, VoltscopeError(f"capture {job.capture.id} failed inside.", "See the profiler's log."))

    def _record(self, job: Job) -> None:
        capture = job.capture = begun(job.capture, time.time())

        def progress(share: float) -> None:
            job.capture = msgspec.structs.replace(capture, progress=round(share, 3))

        with let_in(job.sampling.pid):
            recording = job.backend.record(job.sampling, cancel=job.cancel, progress=progress)
        self.seconds_recorded += recording.seconds
        if recording.ending is Ending.CANCELLED:
            raise CaptureCancelled(f"the capture was cancelled after {recording.seconds:.1f} s.")
        result = finished(capture, recording)
        if job.keep:
            self._archive.keep(result, recording.stacks)
        else:
            with self._lock:
                self._passing.append((result, recording.stacks))
        job.capture = result
        self._count("done")
        if job.keep:
            self._kept()

    def _fail(self, job: Job, error: VoltscopeError) -> None:
        job.error = error
        failure = failed(job.capture, error)
        with self._lock:  # remembered first: whoever sees it leave the queue finds it here
            self._failed.append(failure)
        job.capture = failure
        self._count("cancelled" if isinstance(error, CaptureCancelled) else "failed")

    def _count(self, outcome: str) -> None:
        with self._lock:
            self.outcomes[outcome] += 1
