"""Told past Alertmanager when the watchdog stops: once, again after a while, and when it is back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import msgspec

from voltscope.alerting.bounded import bounded_text
from voltscope.alerting.direct import Way, tell_all
from voltscope.alerting.store import Database
from voltscope.alerting.watchdog import Verdict
from voltscope.errors import AlertStoreError
from voltscope.outbound.circuit import Circuit
from voltscope.worker import Worker

_log = logging.getLogger(__name__)

_REMEMBERED = "dead-mans-switch"


class Told(msgspec.Struct, frozen=True):
    """What people know: that it is late, since `at` (seconds since the epoch), or that all is well."""

    late: bool = False
    at: float = 0.0


class DeadMansSwitch(Worker):
    """Tells in a thread of its own: a mail server that hangs must hold up nothing."""

    def __init__(
        self,
        among: list[Way],
        repeat_s: float,
        database: Database,
        clock: Callable[[], float],
        circuit: Circuit | None = None,
    ) -> None:
        super().__init__("dead-mans-switch")
        self._ways, self._repeat_s, self._database, self._clock = among, repeat_s, database, clock
        self._circuit = circuit or Circuit()
        kept = database.remembered(_REMEMBERED)
        self._told = msgspec.json.decode(kept, type=Told) if kept else Told()
        self._verdict: tuple[Verdict, str | None] | None = None
        self.sent = 0

    def judge(self, verdict: Verdict, trouble: str | None) -> None:
        """How it stands now. `trouble`: why Alertmanager does not answer, when it does not."""
        with self._wake:
            self._verdict = (verdict, trouble)
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self.stopping or self._due())
                if self.stopping:
                    return
                assert self._verdict is not None  # noqa: S101  what is due was judged
                verdict, trouble = self._verdict
                self._verdict = None
            try:
                self._tell(verdict, trouble)
            except Exception:
                _log.exception("the dead man's switch tells nobody")
                self._circuit.failed(False)

    def _due(self) -> bool:
        """Whether there is something to tell, and a try may be made."""
        if self._verdict is None:
            return False
        verdict, trouble = self._verdict
        if verdict.state == "late":
            new = not self._told.late or self._clock() - self._told.at >= self._repeat_s
        else:
            # heard of since people were told, not only waited for anew because alertd was started again
            back = trouble is None and verdict.last is not None and verdict.last > self._told.at
            new = self._told.late and back
        return new and self._circuit.ready()

    def _tell(self, verdict: Verdict, trouble: str | None) -> None:
        now, late = self._clock(), verdict.state == "late"
        subject, text = words(verdict, trouble)
        document = {"status": "firing" if late else "resolved", "last": verdict.last, "missing": list(verdict.missing)}
        if not tell_all(self._ways, subject, text, document):
            self._circuit.failed(False)
            return
        self._circuit.worked()
        self.sent += 1
        self._told = Told(late, now)
        try:
            self._database.remember(_REMEMBERED, msgspec.json.encode(self._told))
        except AlertStoreError as error:
            _log.error("%s", error)  # told again after a restart, then


def words(verdict: Verdict, trouble: str | None) -> tuple[str, str]:
    """Subject and text."""
    if verdict.state != "late":
        return "voltscope: alerting works again", "The watchdog arrives again: alerts are told as usual.\n"
    last = datetime.fromtimestamp(verdict.last).astimezone().isoformat(" ", "seconds") if verdict.last else "never"
    whose = sorted({", ".join(f"{name}={value}" for name, value in sorted(one.items())) for one in verdict.missing})
    lines = [
        "The alert that always fires does not arrive any more: until it does, NO OTHER ALERT MAY ARRIVE EITHER.",
        "",
        f"Last heard of: {last}.",
        *(f"Missing: {bounded_text(one, 300, '')}" for one in whose[:20]),
        f"Alertmanager: {trouble or 'it answers'}",
        "",
        "Look whether Prometheus runs, whether it judges its rules, and whether it reaches Alertmanager.",
        "",
    ]
    return "voltscope: ALERTING IS BROKEN, the watchdog is late", "\n".join(lines)
