"""What every way to a receiver is: send a batch of records in order and keep its promise, or raise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from voltscope.errors import ReceiverError
from voltscope.logs.record import Batch
from voltscope.logs.settings import Receiver

Promise = Literal["nothing", "kernel", "acknowledged", "once"]

# Imported when a receiver of the type is configured: most sites have one, and every module costs an engine memory.
_TRANSPORTS = {
    "syslog": "voltscope.logs.transports.syslog:SyslogTransport",
    "relp": "voltscope.logs.transports.relp:RelpTransport",
    "logstash-json": "voltscope.logs.transports.logstash_json:LogstashJsonTransport",
    "file": "voltscope.logs.transports.file:FileTransport",
    "stdout": "voltscope.logs.transports.stdout:StdoutTransport",
    "lumberjack": "voltscope.logs.transports.lumberjack:LumberjackTransport",
    "elasticsearch": "voltscope.logs.transports.elasticsearch:ElasticsearchTransport",
    "group": "voltscope.logs.transports.group:GroupTransport",
}
_KEEP_FILES = {"elasticsearch", "group"}


class Transport(ABC):
    """One receiver. Connects when it has something to send; used by one thread.

    `name` names the receiver's cursor: it stays the same as long as the receiver does. `promise` is what holds for
    the records of a `send` that returned: `nothing`; the receiving host's `kernel` has them; the receiver
    `acknowledged` them; each is there `once`, also when it was sent again. `max_records`: the most a `send` takes.
    `dead_letters`: records refused for good so far, kept in a file. `joins`: `send_all` is faster than many `send`.
    `warning`: what somebody should see to though records arrive.
    """

    name: str
    promise: Promise
    max_records: int = 2000
    dead_letters: int = 0
    joins: bool = False
    warning: str | None = None

    @abstractmethod
    def send(self, batch: Batch) -> None:
        """Hand over all records of `batch`, in order. Raises ReceiverError: then none, some or all may have arrived."""

    def send_all(self, batches: Sequence[Batch]) -> None:
        """Hand over several, together at most `max_records` records. Raises ReceiverError as `send` does."""
        for batch in batches:
            self.send(batch)

    @abstractmethod
    def close(self) -> None:
        """Give up the connection; `send` makes a new one."""

    def status(self) -> list[dict[str, Any]]:
        """Of a group, how its members do: name, promise, up, circuit, sent, failures, error, warning."""
        return []


def transport_for(receiver: Receiver, folder: Path) -> Transport:
    """The transport to a configured receiver; nothing is connected yet. Raises ConfigError for files it cannot read.

    `folder`: for what a receiver refuses for good.
    """
    module, _, name = _TRANSPORTS[type_of(receiver)].partition(":")
    arguments = (receiver, folder) if type_of(receiver) in _KEEP_FILES else (receiver,)
    made: Transport = getattr(import_module(module), name)(*arguments)
    return made


def type_of(receiver: Receiver) -> str:
    """The receiver's `type` in the configuration."""
    return str(receiver.__struct_config__.tag)


def not_taken(name: str, error: Exception) -> ReceiverError:
    """What to raise when `error` (OSError, or UnicodeError for a host that can be no host's name) ended a `send`."""
    if type(error).__name__ == "SSLCertVerificationError":
        remedy = "Check ca_file and server_name, and the certificate there. Nothing is lost meanwhile."
    else:
        remedy = "Is it running and reachable? Nothing is lost meanwhile."
    return ReceiverError(f"{name} does not take log records: {error}.", remedy)
