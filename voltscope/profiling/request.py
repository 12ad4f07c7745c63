"""What may be asked of the profiler: a capture's parameters read and checked, and the limits they are held to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from voltscope.errors import BadRequest, CaptureTooLong
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.backends.probe import MAX_RATE as MAX_GREENLET_RATE

_DEFAULT_RATE = 100
_PARAMETERS = ("agent", "seconds", "rate", "kind", "idle", "backend", "native", "blocking", "children", "keep")


@dataclass(frozen=True)
class Limits:
    """What one request and all of them together may cost."""

    max_seconds: int = 300
    max_rate: int = 1000
    max_concurrent: int = 2
    max_waiting: int = 8
    max_per_requester: int = 4
    max_per_minute: int = 30


@dataclass(frozen=True)
class Request:
    """A capture asked for and checked. `seconds` whole, `rate` in hertz; the rest as in `Sampling`. `keep`: whether
    it goes into the archive.
    """

    agent: str
    seconds: int
    rate: int
    kind: Kind
    backend: str | None = None
    native: bool = False
    blocking: bool | None = None
    children: bool = False
    keep: bool = True


def read_request(params: dict[str, Any], limits: Limits) -> Request:
    """A request from JSON: agent, seconds = 5, rate = 100, kind = "cpu", idle = false (true makes cpu wall), backend,
    native = false, blocking, children = false, keep = true. Kind greenlet takes MAX_GREENLET_RATE at most, whatever
    rate says.

    Raises BadRequest naming the parameter, CaptureTooLong when over the limit.
    """
    unknown = set(params) - set(_PARAMETERS)
    if unknown:
        raise BadRequest(f"unknown parameter {sorted(unknown)[0]!r}.", f"Known: {', '.join(_PARAMETERS)}.")
    agent = params.get("agent")
    if not isinstance(agent, str) or not agent:
        raise BadRequest("parameter agent is missing.", "Name an agent's VIP identity, or `platform`.")
    seconds = _whole("seconds", params.get("seconds"), 5)
    if seconds > limits.max_seconds:
        raise CaptureTooLong(
            f"a capture of {seconds} s is over the limit of {limits.max_seconds} s.",
            "Ask for less, or raise max_seconds in the profiler's configuration.",
        )
    rate = _whole("rate", params.get("rate"), _DEFAULT_RATE)
    if rate > limits.max_rate:
        raise BadRequest(f"rate: found {rate} Hz; allowed: 1 to {limits.max_rate}.", "100 is right for most.")
    word = params.get("kind") or Kind.CPU.value
    if word not in [kind.value for kind in Kind]:
        raise BadRequest(f"kind: found {word!r}; allowed: {', '.join(kind.value for kind in Kind)}.")
    choices = {name: params.get(name) for name in ("idle", "native", "blocking", "children", "keep")}
    for name, value in choices.items():
        if value not in (None, False, True):
            raise BadRequest(f"{name}: found {value!r}; allowed: true, false.")
    backend = params.get("backend")
    if backend is not None and not isinstance(backend, str):
        raise BadRequest(f"backend: found {backend!r}; allowed: a backend's name.")
    kind = Kind(word)
    if kind is Kind.GREENLET:
        rate = min(rate, MAX_GREENLET_RATE)
    if choices["idle"] and kind not in (Kind.CPU, Kind.WALL):
        raise BadRequest(f"idle says nothing of kind {word}.", "Leave idle out, or ask for kind wall.")
    return Request(
        agent,
        seconds,
        rate,
        Kind.WALL if choices["idle"] else kind,
        backend or None,
        bool(choices["native"]),
        choices["blocking"],
        bool(choices["children"]),
        choices["keep"] is not False,
    )


def _whole(name: str, value: object, default: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 1 <= value < 1e9 or value != int(value):
        raise BadRequest(f"{name}: found {value!r}; allowed: a whole number of at least 1.")
    return int(value)
