"""Tells Alertmanager what goes on and what is over, again and again, and keeps trying where it is away."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence

from voltscope.alerting.alertmanager import Alertmanager
from voltscope.alerting.settings import AlertmanagerSettings
from voltscope.alerting.site.ledger import Ledger, Telling
from voltscope.errors import AlertmanagerRefused, VoltscopeError
from voltscope.outbound.circuit import Circuit

_log = logging.getLogger(__name__)

AT_ONCE = 100
# How many times the pause between two tellings an alert lasts in Alertmanager: three may be missed.
LASTS = 4
LONGEST_PAUSE_S = 30.0
_NEVER = (400, 413, 422)  # what it answers to an alert that it will not take another time either


class Sender:
    """A thread that tells `settings.urls` all that the ledger wants told: at once when there is news, and every
    `resend_s` seconds.
    """

    def __init__(
        self, ledger: Ledger, settings: AlertmanagerSettings, resend_s: float, circuit: Circuit | None = None
    ) -> None:
        """Raises ConfigError for files it cannot read."""
        self._ledger, self._resend_s = ledger, resend_s
        self._alertmanager = Alertmanager(settings)
        self._circuit = circuit or Circuit(longest_s=LONGEST_PAUSE_S)
        self._wake = threading.Condition()
        self._asked, self._stopping = True, False
        self._thread = threading.Thread(target=self._run, name="alerts-sender", daemon=True)
        self.url = settings.urls[0]
        self.failure: str | None = None
        self.sent = self.failures = 0

    def start(self) -> None:
        """Begin with what there is."""
        self._thread.start()

    def notice(self) -> None:
        """There is news."""
        with self._wake:
            self._asked = True
            self._wake.notify()

    def stop(self) -> None:
        """Return when the thread is gone, or after 3 s."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(3.0)

    def _run(self) -> None:
        due = time.monotonic()
        while True:
            with self._wake:
                closed = self._circuit.state == "closed"
                pause = max(0.0, due - time.monotonic()) if closed else self._circuit.wait_s()
                self._wake.wait_for(lambda: self._stopping or (self._asked and closed), pause)  # noqa: B023
                if self._stopping:
                    break
                if not self._circuit.ready():
                    continue
                self._asked = False
            due = time.monotonic() + self._resend_s
            try:
                self._tell_all()
            except VoltscopeError as error:
                self._failed(error, isinstance(error, AlertmanagerRefused) and (error.answered or 500) < 500)
            except Exception as error:
                _log.exception("alerts are not told")
                self._failed(error, True)
            else:
                if self.failure is not None:
                    _log.warning("Alertmanager is told again")
                self._circuit.worked()
                self.failure = None
        self._alertmanager.close()

    def _tell_all(self) -> None:
        tellings = self._ledger.to_tell(LASTS * self._resend_s)
        for begin in range(0, len(tellings), AT_ONCE):
            self._tell(tellings[begin : begin + AT_ONCE])

    def _tell(self, tellings: Sequence[Telling]) -> None:
        try:
            self._alertmanager.post_alerts([telling.alert for telling in tellings])
        except AlertmanagerRefused as error:
            if error.answered not in _NEVER:
                raise
            if len(tellings) == 1:
                _log.error("%s will never be told: %s", dict(tellings[0].alert.labels), error)
                self._ledger.refused(tellings[0])
            else:
                for telling in tellings:  # one of them: the others need not suffer for it
                    self._tell([telling])
        else:
            self.sent += len(tellings)
            self._ledger.told(tellings)

    def _failed(self, error: Exception, permanent: bool) -> None:
        if self.failure is None:
            _log.warning("alerts are not told: %s", error)
        self.failure = str(error)
        self.failures += 1
        self._circuit.failed(permanent)
