"""How records begin, one expression for a whole block: both generations' formats, or one's own."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from voltscope.errors import ConfigError
from voltscope.logs.moments import DEFAULT_TIME, stamp_expression, stamp_reader
from voltscope.logs.record import STDERR, STDOUT, level_number

# Monolithic: "... (name-version PID [LINE]) logger LEVEL: text", of the platform itself "... () logger [LINE] LEVEL:
# text"; without line numbers up to 8.x. Modular: "... (PID:N) logger(LINE) LEVEL: text", of the platform itself
# without the pid. What an agent prints comes as logger <stdout> or <stderr>.
# Sets written out: the engine takes [0-9] and a set of its own faster than \d and [^\s()], 0.12 µs a record.
_WORD, _NUMBER = r"[^ \t\r\n\f\v()]", "[0-9]"
_MONOLITHIC = (
    rf"\((?:(?P<name>{_WORD}+) (?P<pid>{_NUMBER}+)(?: \[(?P<line>{_NUMBER}+)\])?)?\) "
    rf"(?P<logger>[^ \t\r\n\f\v]+)(?: \[(?P<own>{_NUMBER}+)\])?"
)
_MODULAR = rf"(?:\(PID:(?P<modular_pid>{_NUMBER}+)\) )?(?P<modular_logger>{_WORD}+)\((?P<modular_line>{_NUMBER}+)\)"
_HEADER = rf"(?:{_MONOLITHIC}|{_MODULAR}) (?P<level>[A-Z]+): ?"
_STREAMS = {"<stdout>": STDOUT, "<stderr>": STDERR}

_HOLE = re.compile(rb"\n\0+")
_LONGEST_REPR = 100_000

_LEVEL = "[A-Za-z]+"
# What stands for the fields of a logging format string. composite_name is VOLTTRON's own, without its line number
# in the modular generation.
_FIELDS = {
    "name": r"(?P<logger>[^\s\[\]:,;|]+)",
    "levelname": rf"(?P<level>{_LEVEL})",
    "levelno": r"(?P<level>\d+)",
    "process": r"(?P<pid>\d+)",
    "lineno": r"(?P<line>\d+)",
    "msecs": r"(?P<ms>\d{3})",
    "composite_name": rf"(?:{_MONOLITHIC}|(?:\(PID:(?P<modular_pid>\d+)\) )?(?P<modular_logger>[^\s()]+))",
    "created": r"(?P<time>\d+\.\d+)",
}
_ANY = {
    "processName",
    "threadName",
    "thread",
    "module",
    "filename",
    "pathname",
    "funcName",
    "relativeCreated",
    "taskName",
}
_NAMES = {"time", "ms", "level", "logger", "pid", "name", "line"}
_INNER = {"own", "modular_pid", "modular_logger", "modular_line"}
_FIELD = re.compile(r"%\((?P<name>\w+)\)(?P<flags>[-#0 +]*)\d*(?:\.\d+)?[sdfi]|(?P<percent>%%)")


@dataclass(frozen=True)
class Header:
    """What the beginning of a record says besides its time. `pid` is None for the platform itself.

    `name`: of the agent with its version, monolithic only. `flags`: STDOUT or STDERR.
    """

    level: int
    logger: str
    pid: int | None
    name: str | None
    line: int | None
    flags: int


NOBODY = Header(20, "", None, None, None, 0)


class Format:
    """How records begin. `split` cuts a block, which must begin with a newline, as `re.split` does.

    The pieces are the text before the first prefix, then second, milliseconds, header and text of each record; the
    text goes to the next prefix without the newline before it. `fixed`: bytes of a record that are in none of these.
    `timed`: the time comes apart from the header; otherwise it is in the header, and the first two pieces are "".
    """

    def __init__(self, prefix: str, datefmt: str = "") -> None:
        """`prefix`: an expression, of which `split` has to take a record's whole prefix for its header."""
        self.given = (prefix, datefmt)
        self._prefix = re.compile(rf"\n\0*(?:{prefix})", re.ASCII)
        self._header = re.compile(rf"\0*(?:{prefix})", re.ASCII)
        self.fixed, self.timed = 1, False
        self.seconds = stamp_reader(datefmt)

    def split(self, text: str) -> list[str]:
        """See above."""
        parts, end = [], 0
        for found in self._prefix.finditer(text):
            parts += [text[end : found.start()], "", "", found[0][1:]]
            end = found.end()
        return [*parts, text[end:]]

    def header(self, text: str) -> tuple[Header, str, str]:
        """The header's fields, and its time and milliseconds when it holds them."""
        found = self._header.match(text)
        if found is None:  # a header that stops matching without what follows it: nothing is lost but its fields
            return NOBODY, "", ""
        given = found.groupdict()
        logger = given.get("logger") or given.get("modular_logger") or ""
        pid, line = given.get("pid") or given.get("modular_pid"), given.get("line") or given.get("own")
        line = line or given.get("modular_line")
        word = given.get("level") or ""
        level = max(10, min(50, int(word) // 10 * 10)) if word.isdecimal() else level_number(word)
        number = int(line) if line and len(line) < 10 else None
        header = Header(
            level,
            clean(logger),
            int(pid) if pid and len(pid) < 10 else None,
            clean(given["name"]) if given.get("name") else None,
            number or None,
            _STREAMS.get(logger, 0),
        )
        return header, given.get("time") or "", given.get("ms") or ""


class PlatformFormat(Format):
    """Both generations' own, cut in C: the strings of three groups are the keys of caches, so that a prefix is taken
    apart only once for each logger and line."""

    def __init__(self) -> None:
        super().__init__(_HEADER)
        plain = re.sub(r"\?P<\w+>", "?:", _HEADER)
        self._cut = re.compile(rf"\n({DEFAULT_TIME}),([0-9]{{3}}) ({plain})", re.ASCII)
        # The NULs are those of a hole that a power cut left before the line.
        self._cut_holes = re.compile(rf"\n(\0*{DEFAULT_TIME}),([0-9]{{3}}) ({plain})", re.ASCII)
        self.fixed, self.timed = len("\n, "), True

    def split(self, text: str) -> list[str]:
        """See Format."""
        return (self._cut_holes if "\0" in text else self._cut).split(text)


def format_of(text: str = "", datefmt: str = "") -> Format:
    """Of a `logging` format string ("%(asctime)s %(name)s: %(message)s"), or of an expression with named groups.

    The groups of an expression: time, which there must be, ms, level, logger, pid, name, line; what follows its match
    is the message. `datefmt`: of the time, as `logging` takes it; like 2026-11-21 03:57:49 when empty.
    "": both generations' own formats. Raises ConfigError.
    """
    if not text:
        if datefmt:
            raise ConfigError("datefmt", repr(datefmt), "nothing, as long as format is empty")
        return PlatformFormat()
    expression = _expression(text) if "%(" in text else text.removeprefix("^")
    try:
        compiled = re.compile(expression.replace("(?P<time>TIME)", f"(?P<time>{stamp_expression(datefmt)})"), re.ASCII)
    except re.error as error:
        raise ConfigError("format", repr(text), f"a regular expression ({error})") from error
    names = set(compiled.groupindex)
    if unknown := sorted(names - _NAMES - _INNER):
        raise ConfigError("format", f"the group {unknown[0]}", f"the groups {', '.join(sorted(_NAMES))}")
    if "time" not in names:
        raise ConfigError("format", repr(text), "one with the time: %(asctime)s, %(created)f or a group time")
    if compiled.match("") is not None or "\\n" in text or "\n" in text:
        raise ConfigError("format", repr(text), "one that matches within a line, and not nothing at all")
    return Format(compiled.pattern, "%s" if "%(created)" in text else datefmt)


def _expression(text: str) -> str:
    """Of a logging format string, up to the message, which must be its last field."""
    if not text.endswith("%(message)s") or text.count("%(message)s") > 1:
        raise ConfigError("format", repr(text), "one that ends with %(message)s")
    made, at = "", 0
    for found in _FIELD.finditer(text := text.removesuffix("%(message)s")):
        made += _literal(text[at : found.start()])
        at, name = found.end(), found["name"]
        if found["percent"]:
            made += "%"
        elif name == "asctime":
            made += "(?P<time>TIME)(?:,(?P<ms>\\d{3}))?" if "%(msecs)" not in text else "(?P<time>TIME)"
        elif name in _FIELDS:
            padding = " *" if re.match(rf"%\({name}\)\s?-?[1-9 ]", found[0]) else ""
            made += padding + _FIELDS[name] + padding
        elif name in _ANY:
            made += "[^\\n]*?"
        else:
            raise ConfigError(
                "format", f"%({name})s", f"fields of a log record: {', '.join(sorted({*_FIELDS, *_ANY}))}"
            )
    return made + _literal(text[at:])


def _literal(text: str) -> str:
    if "%" in text:
        raise ConfigError("format", repr(text), "fields such as %(name)s, and %% for a percent sign")
    return re.escape(text)


def clean(text: str) -> str:
    """Text of a block decoded as Latin-1, which keeps byte offsets, as UTF-8 without what no text may hold.

    Bytes that are not UTF-8, and NUL, become U+FFFD; NULs at the beginning of a line, a hole in the file, go, and so
    does the carriage return before a newline.
    """
    if text.isascii() and "\0" not in text and "\r" not in text:
        return text
    data = text.encode("latin-1")
    if b"\0" in data:
        data = _HOLE.sub(b"\n", data).replace(b"\0", "\ufffd".encode())
    return data.replace(b"\r\n", b"\n").removesuffix(b"\r").decode("utf-8", "replace")


def printed(text: str) -> str:
    """What an agent printed: the platform logs it as the repr of a list of lines."""
    if text[:2] not in ("['", '["') or not text.endswith("]") or len(text) > _LONGEST_REPR:
        return text
    try:
        lines = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return "\n".join(lines) if all(isinstance(line, str) for line in lines) else text
