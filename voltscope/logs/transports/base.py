"""What every way to a receiver is: send records in order, or raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from voltscope.logs.record import Hit


class Transport(ABC):
    """One receiver. Connects when it has something to send; used by one thread."""

    name: str  # names the receiver's cursor: stays the same as long as the receiver does

    @abstractmethod
    def send(self, hits: Sequence[Hit]) -> None:
        """Hand over all of `hits`, in order. Raises ReceiverError: then none, some or all may have arrived."""

    @abstractmethod
    def close(self) -> None:
        """Give up the connection; `send` makes a new one."""
