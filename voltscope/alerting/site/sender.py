"""Tells Alertmanager what goes on and what is over, again and again, and keeps trying where it is away."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from voltscope.alerting.alertmanager import Alertmanager
from voltscope.alerting.settings import AlertmanagerSettings
from voltscope.alerting.site.ledger import Ledger, Telling
from voltscope.errors import AlertmanagerRefused
from voltscope.outbound.circuit import Circuit
from voltscope.outbound.outbox import Outbox

_log = logging.getLogger(__name__)

AT_ONCE = 100
# How many times the pause between two tellings an alert lasts in Alertmanager: three may be missed.
LASTS = 4
LONGEST_PAUSE_S = 30.0
_NEVER = (400, 413, 422)  # what it answers to an alert that it will not take another time either


class Sender(Outbox):
    """Tells `settings.urls` all that the ledger wants told: when there is news, and every `resend_s` seconds."""

    def __init__(
        self, ledger: Ledger, settings: AlertmanagerSettings, resend_s: float, circuit: Circuit | None = None
    ) -> None:
        """Raises ConfigError for files it cannot read."""
        super().__init__("alerts", circuit or Circuit(longest_s=LONGEST_PAUSE_S), resend_s)
        self._ledger = ledger
        self._alertmanager = Alertmanager(settings)
        self.url = settings.urls[0]

    def _send_all(self) -> None:
        tellings = self._ledger.to_tell(LASTS * self._every_s)
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

    def _close(self) -> None:
        self._alertmanager.close()
