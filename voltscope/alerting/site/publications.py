"""What fires is told on the bus: once for each change, and once more to a platform that was started since."""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from typing import Any

import msgspec

from voltscope.alerting.site.firing import Firing
from voltscope.alerting.site.store import Change, Store

# Not below `alerts/`: what we say must never come back to us as a complaint.
ROOT = "voltscope/alerts"
AT_ONCE = 20
PUBLICATION = "publication"
_NOT_IN_TOPICS = re.compile(r"[^\w.-]", re.ASCII)
_MAX_NAME = 100


class Publication(msgspec.Struct, kw_only=True):
    """What was last told of an alert: `state` `firing` or `resolved`, in the `life` of which platform."""

    alert: Firing
    state: str
    life: str
    ended: float | None = None
    told: bool = False


class Publications:
    """Safe to use from several threads. `life()` names the platform's present life."""

    def __init__(self, store: Store, life: Callable[[], str], clock: Callable[[], float] = time.time) -> None:
        """Goes on where the store left off. Raises VoltscopeError."""
        self._store, self._life, self._clock = store, life, clock
        self._lock = threading.Lock()
        self._known = store.read(PUBLICATION, Publication)
        self.published = Counter({"firing": 0, "resolved": 0})

    def seen(self, firing: Iterable[Firing], complete: bool) -> None:
        """What fires now; where `complete`, what is not among it is over. Raises VoltscopeError."""
        with self._lock:
            now, life, changes = self._clock(), self._life(), list[Change]()
            present = {one.id: one for one in firing}
            for ident, alert in present.items():
                known = self._known.get(ident)
                if known is None or known.state != "firing" or known.life != life:
                    self._known[ident] = Publication(alert=alert, state="firing", life=life)
                    changes.append((PUBLICATION, ident, self._known[ident]))
                else:
                    known.alert = alert
            for ident, known in list(self._known.items()) if complete else []:
                if ident not in present and known.state == "firing":
                    self._known[ident] = Publication(alert=known.alert, state="resolved", life=life, ended=now)
                    changes.append((PUBLICATION, ident, self._known[ident]))
            if changes:
                self._store.write(changes)

    def due(self) -> list[dict[str, Any]]:
        """What is still to be told, oldest first, in the form the bridge publishes it: id, topic, headers, message."""
        with self._lock:
            waiting = [(ident, one) for ident, one in self._known.items() if not one.told]
            return [self._message(ident, one) for ident, one in waiting[:AT_ONCE]]

    def told(self, idents: Iterable[str]) -> None:
        """These are on the bus. Raises VoltscopeError."""
        with self._lock:
            changes = list[Change]()
            for name in idents:
                ident, _, state = name.partition(":")
                known = self._known.get(ident)
                if known is None or known.state != state or known.told:
                    continue
                known.told, known.life = True, self._life()
                self.published[state] += 1
                if state == "resolved":
                    del self._known[ident]
                changes.append((PUBLICATION, ident, known if state == "firing" else None))
            if changes:
                self._store.write(changes)

    def _message(self, ident: str, publication: Publication) -> dict[str, Any]:
        alert, state = publication.alert, publication.state
        name = _NOT_IN_TOPICS.sub("_", alert.name[:_MAX_NAME]) or "_"
        moment = datetime.fromtimestamp(self._clock(), timezone.utc).isoformat()
        told = {**msgspec.to_builtins(alert), "state": state, "ended": publication.ended}
        told["suppressed"] = alert.state if alert.state != "firing" else None
        return {
            "id": f"{ident}:{state}",
            "topic": f"{ROOT}/{name}/{state}",
            "headers": {"Date": moment, "TimeStamp": moment, "alert_state": state, "alert_id": ident},
            "message": told,
        }
