"""The queue: few at once, a bounded line, one capture a process, and an end for each."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest
from test_flamegraph import PLAIN, capture_of

from voltscope.errors import TooManyCaptures
from voltscope.profiling.backends.base import Kind, Sampling
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.capture import failed
from voltscope.profiling.queue import CaptureQueue, Job
from voltscope.ulid import new_ulid


@dataclass
class Gate:
    """Holds jobs until it opens, and notes their order."""

    began: list[int] = field(default_factory=list)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    open: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def run(self, job: Job) -> None:
        self.began.append(job.capture.pid)
        self.entered.release()
        while not job.cancel.is_set() and not self.open.acquire(timeout=0.01):
            pass

    def drop(self, job, error):
        job.error = error
        job.capture = failed(job.capture, error)


@pytest.fixture
def gate():
    return Gate()


def job(pid):
    return Job(capture_of(PLAIN, id=new_ulid(), pid=pid), Sampling(pid, 1, 100, Kind.CPU), PySpy())


def test_no_more_run_at_once_than_allowed_and_the_others_follow_in_order(gate):
    queue = CaptureQueue(gate.run, gate.drop, concurrent=2, waiting=8)
    jobs = [job(pid) for pid in range(4)]
    for one in jobs:
        queue.submit(one)
    assert gate.entered.acquire(timeout=60)
    assert gate.entered.acquire(timeout=60)
    assert queue.running == 2
    assert len(gate.began) == 2
    for _ in jobs:
        gate.open.release()
    assert all(one.finished.wait(60) for one in jobs)
    assert sorted(gate.began[:2]) == [0, 1]
    assert sorted(gate.began[2:]) == [2, 3]


def test_a_full_line_refuses(gate):
    queue = CaptureQueue(gate.run, gate.drop, concurrent=1, waiting=1)
    queue.submit(job(1))
    queue.submit(job(2))
    with pytest.raises(TooManyCaptures, match="1 captures run and 1 wait"):
        queue.submit(job(3))
    queue.close()


def test_one_capture_a_process(gate):
    queue = CaptureQueue(gate.run, gate.drop)
    first = job(1)
    queue.submit(first)
    with pytest.raises(TooManyCaptures, match=f"already, as {first.capture.id}"):
        queue.submit(job(1))
    queue.close()


def test_a_waiting_job_can_be_cancelled(gate):
    queue = CaptureQueue(gate.run, gate.drop, concurrent=1)
    first, second = job(1), job(2)
    queue.submit(first)
    queue.submit(second)
    assert queue.cancel(second.capture.id)
    assert second.finished.is_set()
    assert second.error.code == "capture-cancelled"
    assert not queue.cancel(second.capture.id)
    queue.close()
    assert gate.began == [1]


def test_closing_ends_all_and_refuses_more(gate):
    queue = CaptureQueue(gate.run, gate.drop, concurrent=1)
    jobs = [job(1), job(2)]
    for one in jobs:
        queue.submit(one)
    queue.close()
    assert all(one.finished.wait(60) for one in jobs)
    with pytest.raises(TooManyCaptures, match="stopping"):
        queue.submit(job(3))
