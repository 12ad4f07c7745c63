"""Records as Elastic Common Schema documents in JSON, at a tenth of what `record.document` and an encoder cost."""

from __future__ import annotations

import msgspec

from voltscope.logs.record import Batch, Failure, Origin, Record, document, iso, split_failure
from voltscope.logs.transports.clock import MILLISECONDS, Second, utc

_encode = msgspec.json.Encoder().encode
_MOST_KINDS = 4096


def quoted(text: str) -> str:
    """`text` as JSON."""
    try:
        return _encode(text).decode()
    except UnicodeEncodeError:  # half a surrogate pair
        return _encode(text.encode("utf-8", "replace").decode()).decode()


class EcsRenderer:
    """`record.document` of each record as one line of JSON, its keys in another order.

    What records have in common is encoded once: all but time, text, error and numbers, for each agent, level, pid…
    """

    def __init__(self) -> None:
        self._second = Second(utc)
        self._tails: dict[tuple[object, ...], str] = {}
        self._of: tuple[Origin, str, str, str] | None = None

    def __call__(self, batch: Batch) -> list[str]:
        """One document a record, without newline."""
        of = (batch.origin, batch.spool, batch.source.path, batch.source.generation)
        if of != self._of or len(self._tails) > _MOST_KINDS:
            self._of, self._tails = of, {}
        tails, second, encode = self._tails, self._second, _encode
        created = iso(batch.created / 1000)
        made = []
        for number, record in enumerate(batch.records, batch.first):
            into = record.at - second.base
            if not 0 <= into < 1000:
                into = second.turn(record.at)
            key = (
                record.level,
                record.agent,
                record.logger,
                record.pid,
                record.line,
                record.version,
                record.flags,
            )
            tail = tails.get(key)
            if tail is None:
                tail = tails[key] = _tail(batch, record)
            text, error = record.text, ""
            if "\n" in text or "Traceback" in text:
                text, failure = split_failure(text)
                if failure is not None:
                    error = _error(failure)
            try:
                message = encode(text).decode()
            except UnicodeEncodeError:
                message = quoted(text)
            made.append(
                f'{{"@timestamp":"{second.text}{MILLISECONDS[into]}","message":{message}{tail}{record.offset:012x}",'
                f'"sequence":{number},"created":"{created}"}}{error}}}'
            )
        return made


def _tail(batch: Batch, record: Record) -> str:
    """What follows the message, up to the part of the event's id that is the same for the whole file."""
    bare = msgspec.structs.replace(record, text="")
    rest = document(Batch(batch.origin, batch.source, batch.created, [bare], batch.spool, batch.first), 0)
    for differs in ("@timestamp", "message", "event"):
        del rest[differs]
    return f',{_encode(rest).decode()[1:-1]},"event":{{"id":"{batch.source.generation}'


def _error(failure: Failure) -> str:
    parts = (("type", failure.type), ("message", failure.message), ("stack_trace", failure.stack))
    return ',"error":{' + ",".join(f'"{key}":{quoted(value)}' for key, value in parts if value is not None) + "}"
