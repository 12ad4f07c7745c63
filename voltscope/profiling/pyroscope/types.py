"""What each kind of capture is called in Pyroscope, and in what unit it counts."""

from __future__ import annotations

from dataclasses import dataclass

from voltscope.errors import BadRequest
from voltscope.profiling.backends.base import Kind


@dataclass(frozen=True)
class ProfileType:
    """`name:sample_type:sample_unit:period_type:period_unit`, Pyroscope's own names where it has one."""

    kind: Kind
    name: str
    sample_type: str
    sample_unit: str
    period_type: str
    period_unit: str

    @property
    def id(self) -> str:
        """As requests name it."""
        return ":".join((self.name, self.sample_type, self.sample_unit, self.period_type, self.period_unit))

    def value(self, samples: int, rate: float) -> int:
        """A stack's count in the type's unit: a sample stands for the time between two; bytes are bytes."""
        return samples if self.sample_unit == "bytes" else round(samples * 1e9 / rate)


TYPES = (
    ProfileType(Kind.CPU, "process_cpu", "cpu", "nanoseconds", "cpu", "nanoseconds"),
    ProfileType(Kind.WALL, "wall", "wall", "nanoseconds", "wall", "nanoseconds"),
    ProfileType(Kind.GIL, "gil", "gil", "nanoseconds", "gil", "nanoseconds"),
    ProfileType(Kind.GREENLET, "greenlet", "wall", "nanoseconds", "wall", "nanoseconds"),
    ProfileType(Kind.MEMORY, "memory", "alloc_space", "bytes", "space", "bytes"),
)
BY_KIND = {one.kind: one for one in TYPES}


def by_id(text: str) -> ProfileType:
    """The type a request names. Raises BadRequest."""
    for one in TYPES:
        if text == one.id:
            return one
    raise BadRequest(f"there is no profile type {text[:100]!r}.", f"There are: {', '.join(one.id for one in TYPES)}.")
