"""From blocks of lines to records: the one loop every record of a log goes through."""

from __future__ import annotations

import time
from datetime import tzinfo
from operator import attrgetter

from voltscope.logs import scrapes
from voltscope.logs.identity import TELLING, Identities
from voltscope.logs.join import Traceback, Tracebacks
from voltscope.logs.lines import LONGEST_LINE, Block, Line
from voltscope.logs.moments import Clock
from voltscope.logs.parse import Format, clean, printed
from voltscope.logs.police import Police
from voltscope.logs.record import CONTINUED, CUT, STDERR, STDOUT, Record
from voltscope.logs.redact import Redactor
from voltscope.logs.scan import contains
from voltscope.logs.voices import Voice, Voices

_LARGE = LONGEST_LINE // 3
_offset_of = attrgetter("offset")


class _Open:
    """The last record of what was read: lines that continue it may follow."""

    __slots__ = ("at", "chars", "flags", "header", "offset", "parts", "size", "whole")

    def __init__(self, header: str, at: int, text: str, offset: int, size: int, flags: int = 0) -> None:
        self.header, self.at, self.offset, self.size, self.flags = header, at, offset, size, flags
        self.parts, self.chars, self.whole = [text], len(text), True


class Assembler:
    """Of one log. `records`: the finished ones, in their order. `header`: of the last record. Not thread-safe.

    A block is cut into records by one expression. A prefix is taken apart only when it is new: its time to the
    second and its header (process, logger, line and level) are keys of caches. What needs a closer look is looked for
    in the whole block: secrets, bytes beyond ASCII, lines that tell who is who.
    """

    def __init__(
        self, form: Format, clock: Clock, identities: Identities, redactor: Redactor, police: Police, header: str = ""
    ) -> None:
        self.format, self.clock, self.redactor, self.header = form, clock, redactor, header
        self._voices, self._police = Voices(identities, police), police
        self._open: _Open | None = None
        self.tracebacks = Tracebacks()
        self.records: list[Record] = []
        self.scrapes: list[Record] = []
        self.cut = 0

    @property
    def open_offset(self) -> int | None:
        """The first byte of the last record as long as lines may follow, None when it is closed."""
        return self._open.offset if self._open else None

    @property
    def holding(self) -> bool:
        """Whether records are open."""
        return self._open is not None or bool(self.tracebacks)

    def take(self, piece: Block | Line) -> None:
        """Take what comes next in the file."""
        first = len(self.records)
        mixed = self._block(piece.offset, piece.data) if isinstance(piece, Block) else self._line(piece)
        if self._police.summaries:
            self.records += self._police.take_summaries()
            mixed = True
        if mixed:
            self.records[first:] = sorted(self.records[first:], key=_offset_of)

    def flush(self, ended: bool = False) -> None:
        """Close what is open: nothing came for a while, or the file ended."""
        first = len(self.records)
        self._close()
        for traceback in self.tracebacks.flush():
            self._joined(traceback)
        if ended:
            self._police.flush()
        self.records += self._police.take_summaries()
        self.records[first:] = sorted(self.records[first:], key=_offset_of)

    def _block(self, offset: int, data: bytes) -> bool:
        """Whether records were made out of their order."""
        # Latin-1 keeps a character for each byte, so that lengths are offsets; `clean` makes UTF-8 of a text.
        plain = data.isascii() and b"\0" not in data and b"\r" not in data
        parts = self.format.split("\n" + data[:-1].decode("latin-1"))
        if parts[0]:
            self._extend(parts[0], offset)
        if len(parts) == 1:
            return False
        self._close()
        self._voices.refresh()
        first = len(self.records)
        telling = any(contains(data, word) for word in TELLING)
        made = self._records(parts, offset + len(parts[0]), plain, telling) if len(parts) > 5 else []
        if made:
            self.redactor.redact_block(data, offset, made)
        if len(data) > _LARGE:
            for record in made:
                _shorten(record)
                self.cut += bool(record.flags & CUT)
        mixed = len(self.records) > first
        self.records += made
        second, ms, header, text = parts[-4:]
        size = len(second) + len(ms) + len(header) + len(text) + self.format.fixed
        at = self.clock.at(second, ms) if self.format.timed else self._time(header)
        self.header = header
        self._open = _Open(header, at, text, offset + len(data) - size, size)
        return mixed

    def _records(self, parts: list[str], offset: int, plain: bool, telling: bool) -> list[Record]:
        """All of a block but the last; `records` takes those that were held, or are held no longer."""
        timed, clock, known = self.format.timed, self.clock, self._voices.known
        fixed = self.format.fixed + len("123") * timed
        made: list[Record] = []
        bases, admits, at, held = clock.bases, self._police.admits, clock.last, self.tracebacks.held
        append, looked = made.append, 0
        # Each name looked up here is looked up once a record: 0.02 µs.
        for second, ms, header, text in zip(parts[1:-4:4], parts[2:-4:4], parts[3:-4:4], parts[4:-4:4], strict=True):
            size = len(second) + len(header) + len(text) + fixed
            if timed:
                base = bases.get(second)
                if base is None:
                    clock.last = at
                    at = clock.at(second, ms)
                else:
                    at = base + int(ms)
            else:
                at = self._time(header)
            voice = known.get(header)
            if voice is None:
                voice = self._voice(header, at)
            if not plain:
                text = clean(text)
            if telling and self._voices.tells(voice, at, text):
                voice = self._voice(header, at)
            if held and at != looked:
                self._expire(looked := at)
            if voice.special and (voice.flags or text.startswith(scrapes.BEGINNINGS)):
                self._special(voice, header, at, text, offset, size)
                offset += size
                continue
            run = voice.run
            run.seen += 1
            if text != run.text and not run.busy:
                run.text, run.passed = text, 0
            elif not admits(run, at, text, offset):
                offset += size
                continue
            append(
                Record(
                    at,
                    voice.level,
                    voice.agent,
                    voice.logger,
                    text,
                    offset,
                    size,
                    voice.pid,
                    voice.line,
                    voice.version,
                    voice.flags,
                )
            )
            offset += size
        clock.last = at
        return made

    def _line(self, line: Line) -> bool:
        """A line that is cut, or in two parts."""
        if not line.before:
            self._block(line.offset, line.data + b"\n")
            if self._open is not None:
                self._open.size += line.end - line.offset - len(line.data) - 1
                self._open.flags |= CUT * line.cut
                self._open.whole = False
        elif line.data:
            voice = self._voice(self.header, self.clock.last)
            text = self.redactor.redact_rest(clean(line.before.decode("latin-1")), clean(line.data.decode("latin-1")))
            at, size = self.clock.last or _now(), line.end - line.offset
            self._make(voice, at, text, line.offset, size, CONTINUED | CUT * line.cut)
        if line.before or line.partial:
            self._close()
        return True

    def _extend(self, text: str, offset: int) -> None:
        """Unprefixed lines, each after a newline."""
        opened = self._open
        if opened is None:
            at = self.clock.last or _now()
            self._open = _Open(self.header, at, text[1:], offset, len(text), CONTINUED)
            return
        opened.size += len(text)
        room = LONGEST_LINE - opened.chars
        if len(text) > room:
            text = text[: max(0, room)]
            opened.flags |= CUT
        opened.parts.append(text)
        opened.chars += len(text)

    def _close(self) -> None:
        opened, self._open = self._open, None
        if opened is None:
            return
        self._voices.refresh()
        text = clean("".join(opened.parts))
        voice = self._voice(opened.header, opened.at)
        if self._voices.tells(voice, opened.at, text):
            voice = self._voice(opened.header, opened.at)
        self._expire(opened.at)
        if voice.special and not opened.flags and opened.whole:
            self._special(voice, opened.header, opened.at, text, opened.offset, opened.size)
        else:
            self._admit(voice, opened.at, text, opened.offset, opened.size, opened.flags)

    def _special(self, voice: Voice, header: str, at: int, text: str, offset: int, size: int) -> None:
        """A record of what an agent printed, or of a driver."""
        if voice.flags & STDERR and voice.pid is not None:
            closed, part = self.tracebacks.feed(voice.pid, header, at, text, offset, size)
            for traceback in closed:
                self._joined(traceback)
            if part:
                return
        self._admit(voice, at, printed(text) if voice.flags & STDOUT else text, offset, size, 0)

    def _expire(self, at: int) -> None:
        for traceback in self.tracebacks.expire(at):
            self._joined(traceback)

    def _joined(self, one: Traceback) -> None:
        self._admit(self._voice(one.header, one.at), one.at, one.text, one.offset, one.size, 0)

    def _admit(self, voice: Voice, at: int, text: str, offset: int, size: int, flags: int) -> None:
        run = voice.run
        run.seen += 1
        if text != run.text and not run.busy:
            run.text, run.passed = text, 0
        elif not self._police.admits(run, at, text, offset):
            return
        self._make(voice, at, self.redactor.redact(text), offset, size, flags)

    def _make(self, voice: Voice, at: int, text: str, offset: int, size: int, flags: int) -> None:
        record = Record(at, voice.level, voice.agent, voice.logger, text, offset, size, voice.pid, voice.line)
        record.version, record.flags = voice.version, voice.flags | flags
        _shorten(record)
        self.cut += bool(record.flags & CUT)
        self.records.append(record)
        if voice.special:
            self.scrapes.append(record)

    def reopen(self, at: int, last_at: int, lines: list[tuple[int, bytes]]) -> None:
        """Take up a traceback again, from the ranges of its lines: each an offset and what stands there."""
        one: Traceback | None = None
        pid = None
        for offset, data in lines:
            parts = self.format.split("\n" + data[:-1].decode("latin-1"))
            if len(parts) == 1:  # the format is another by now: the text is all that is left
                self._open = _Open(self.header, at, clean(parts[0][1:]), offset, len(data), CONTINUED)
                self._close()
            for second, ms, header, text in zip(parts[1::4], parts[2::4], parts[3::4], parts[4::4], strict=True):
                size = len(second) + len(ms) + len(header) + len(text) + self.format.fixed
                text = clean(text)
                if one is None:
                    one = Traceback(header, at, at, [text], [(offset, size)], len(text))
                    pid = self.format.header(header)[0].pid
                else:
                    one.continues(at, text)
                    one.add(at, text, offset, size)
                offset += size
        if one is not None and pid is not None:
            one.last_at = last_at
            self.tracebacks.reopen(pid, one)

    def set_format(self, form: Format, zone: tzinfo) -> None:
        """From the next record on, records begin as `form` says, and their times are of `zone`."""
        self.flush()
        self.format, self.clock = form, Clock(zone, self.clock.last, form.seconds)
        self._voices.known.clear()

    def _voice(self, header: str, at: int) -> Voice:
        return self._voices.of(self.format, header, at)

    def _time(self, header: str) -> int:
        """Of a record whose time is in its header."""
        _, second, ms = self.format.header(header)
        return self.clock.at(second, ms)


def _shorten(record: Record) -> None:
    """Cut what became longer than a record may be: a byte that is not UTF-8 takes three when it is replaced."""
    if len(record.text) > _LARGE and len(encoded := record.text.encode()) > LONGEST_LINE:
        record.text = encoded[:LONGEST_LINE].decode("utf-8", "ignore")
        record.flags |= CUT


def _now() -> int:
    return int(time.time() * 1000)
