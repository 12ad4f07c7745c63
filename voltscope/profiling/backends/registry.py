"""The backends there are, and which one takes a sampling: by name, or the first that is there and can."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voltscope.errors import BackendFailed, BadRequest
from voltscope.profiling.backends.austin import Austin
from voltscope.profiling.backends.base import Backend, Kind
from voltscope.profiling.backends.memray import Memray
from voltscope.profiling.backends.perf import Perf
from voltscope.profiling.backends.probe import ProbeBackend
from voltscope.profiling.backends.pyflame import Pyflame
from voltscope.profiling.backends.pyspy import PySpy


class Backends:
    """`backends` in the order in which they are preferred."""

    def __init__(self, backends: Sequence[Backend]) -> None:
        self.all = tuple(backends)

    @classmethod
    def standard(cls) -> Backends:
        """Those voltscope knows, the default first."""
        return cls([PySpy(), Austin(), Perf(), Memray(), Pyflame(), ProbeBackend()])

    @property
    def default(self) -> Backend:
        """What samples when nobody says with what."""
        return self.all[0]

    def choose(self, kind: Kind, name: str | None = None, *, native: bool = False, children: bool = False) -> Backend:
        """The backend for such a sampling.

        Raises BadRequest for a name nobody has and for what the named one cannot do, BackendFailed when it, or every
        one that could, is not installed.
        """
        known = {backend.name: backend for backend in self.all}
        if name is not None and name not in known:
            raise BadRequest(f"backend: found {name[:40]!r}; allowed: {', '.join(known)}.")
        candidates = self.all if name is None else (known[name],)
        able = [backend for backend in candidates if _can(backend, kind, native, children)]
        if not able:
            wanted = [f"kind {kind.value}", *(["native frames"] if native else []), *(["children"] if children else [])]
            raise BadRequest(
                f"{name or 'no backend'} cannot do {' with '.join(wanted)}.", "GET /api/backends says who can do what."
            )
        there = [backend for backend in able if backend.available()]
        for backend in there:
            if name is not None or backend.capabilities().warning is None:
                return backend
        if there:
            raise BadRequest(
                f"kind {kind.value} is taken here by a backend only that is asked for by name: "
                f"{there[0].capabilities().warning}",
                f'Ask for it with "backend": "{there[0].name}".',
            )
        missing = next((need.remedy for need in able[0].needs() if not need.met and need.remedy), None)
        raise BackendFailed(f"{able[0].name} is not installed.", missing)


def told(backends: Backends, pid: int | None = None) -> list[dict[str, Any]]:
    """For people and programs: of each backend its version, what it can do, and what it needs here."""
    found = []
    for backend in backends.all:
        can = backend.capabilities()
        needs = [{"what": need.what, "met": need.met, "remedy": need.remedy} for need in backend.needs(pid)]
        kinds = [kind.value for kind in Kind if kind in can.kinds]
        choices = {"native": can.native, "blocking": can.blocking, "children": can.children}
        found.append(
            {
                "name": backend.name, "version": backend.version(), "available": backend.available(), "kinds": kinds,
                **choices, "warning": can.warning, "needs": needs,
            }
        )  # fmt: skip
    return found


def _can(backend: Backend, kind: Kind, native: bool, children: bool) -> bool:
    can = backend.capabilities()
    return kind in can.kinds and (can.native or not native) and (can.children or not children)
