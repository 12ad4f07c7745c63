"""Several receivers as one with one cursor: the next one when one fails, or all of them in turn or side by side.

Order: with failover and round-robin a receiver gets a batch whole and in order, and with failover the batches too,
while it lasts; with least-outstanding only parts are in order. A batch that failed half-way at one receiver is sent to
another whole: so a group promises `acknowledged` at most.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from voltscope.errors import ReceiverError
from voltscope.logs.record import Batch
from voltscope.logs.settings import GroupReceiver
from voltscope.logs.transports.base import Promise, Transport, transport_for
from voltscope.outbound.circuit import Circuit

_PROMISES: tuple[Promise, ...] = ("nothing", "kernel", "acknowledged", "once")
_LEAST_PART = 50  # records: less is not worth a receiver's while


class Member:
    """One receiver of a group, with a schedule of its own for trying again. Used by one thread at a time."""

    def __init__(self, transport: Transport, circuit: Circuit) -> None:
        self.transport, self.circuit = transport, circuit
        self.sent = self.failures = 0
        self.error: str | None = None

    def send(self, batch: Batch) -> bool:
        """Whether it took the batch."""
        self.circuit.ready()
        try:
            self.transport.send(batch)
        except ReceiverError as error:
            self.failures += 1
            self.error = str(error)
            self.circuit.failed(error.permanent)
            return False
        self.sent += len(batch.records)
        self.error = None
        self.circuit.worked()
        return True


class GroupTransport(Transport):
    """Fails when no member takes a batch. A member that failed is passed over until its pause is over."""

    def __init__(self, receiver: GroupReceiver, folder: Path, circuit: Callable[[], Circuit] = Circuit) -> None:
        """`folder`: for what members refuse for good. Raises ConfigError for files they cannot read."""
        self.name = f"group:{receiver.name}"
        self.members = [Member(transport_for(member, folder), circuit()) for member in receiver.members]
        weakest = min(_PROMISES.index(member.transport.promise) for member in self.members)
        self.promise: Promise = _PROMISES[min(weakest, _PROMISES.index("acknowledged"))]
        self.max_records = min(member.transport.max_records for member in self.members)
        self._mode = receiver.mode
        self._turn = 0
        self._left: tuple[tuple[str, int, int], list[Batch]] | None = None  # parts of a batch nobody took yet
        self._threads: ThreadPoolExecutor | None = None

    def send(self, batch: Batch) -> None:
        if self._mode == "least-outstanding":
            self._side_by_side(batch)
            return
        for member in self._in_turn():
            if member.send(batch):
                if self._mode == "round-robin":
                    self._turn = self.members.index(member) + 1
                return
        raise self._nobody()

    def close(self) -> None:
        for member in self.members:
            member.transport.close()
        if self._threads is not None:
            self._threads.shutdown()
            self._threads = None

    @property
    def dead_letters(self) -> int:  # type: ignore[override]  # what a member counts is not set here
        """Records the members refused for good."""
        return sum(member.transport.dead_letters for member in self.members)

    def status(self) -> list[dict[str, Any]]:
        return [
            {
                "name": member.transport.name,
                "promise": member.transport.promise,
                "up": member.circuit.state == "closed" and member.sent > 0,
                "circuit": member.circuit.state,
                "sent": member.sent,
                "failures": member.failures,
                "error": member.error,
                "warning": member.transport.warning,
            }
            for member in self.members
        ]

    def _in_turn(self) -> list[Member]:
        """The members to try: those that are ready, else the one that will be first, for a try is due."""
        turn = self._turn % len(self.members)
        order = self.members[turn:] + self.members[:turn]
        return [member for member in order if member.circuit.ready()] or [
            min(order, key=lambda member: member.circuit.wait_s())
        ]

    def _side_by_side(self, batch: Batch) -> None:
        """Each member takes a part, and the next when it has taken that: who is fast takes most."""
        key = (batch.spool, batch.first, batch.last)
        parts = deque(self._left[1] if self._left is not None and self._left[0] == key else self._cut(batch))
        self._left = None
        if self._threads is None:
            self._threads = ThreadPoolExecutor(len(self.members), f"ship {self.name}")
        members = self._in_turn()
        while parts and members:

            def take(member: Member) -> bool:
                while True:
                    try:
                        part = parts.popleft()
                    except IndexError:
                        return True
                    if not member.send(part):
                        parts.append(part)
                        return False

            working = list(self._threads.map(take, members))
            # what one gave back after the others had finished
            members = [member for member, works in zip(members, working, strict=True) if works]
        if parts:
            self._left = (key, list(parts))
            raise self._nobody()

    def _cut(self, batch: Batch) -> list[Batch]:
        """Twice as many parts as members: one that is slow is left with little."""
        size = max(_LEAST_PART, -(-len(batch.records) // (2 * len(self.members))))
        return [batch.between(first, first + size - 1) for first in range(batch.first, batch.last + 1, size)]

    def _nobody(self) -> ReceiverError:
        said = "; ".join(member.error for member in self.members if member.error)
        return ReceiverError(f"no receiver of {self.name} takes log records: {said}")
