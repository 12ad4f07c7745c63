"""What a round of alertd works on."""

from __future__ import annotations

from dataclasses import dataclass

from voltscope.alerting.acknowledgements import Acknowledgements
from voltscope.alerting.alertmanager import Alertmanager
from voltscope.alerting.flapping import Flapping
from voltscope.alerting.history import History
from voltscope.alerting.maintenance import Maintenance
from voltscope.alerting.standing import Standings
from voltscope.alerting.store import Database
from voltscope.alerting.targets import SiteTargets
from voltscope.alerting.watchdog import Watchdog


@dataclass
class Parts:
    """Each guards what it knows; `database.lock` holds for all of them."""

    alertmanager: Alertmanager
    database: Database
    standings: Standings
    history: History
    acknowledgements: Acknowledgements
    maintenance: Maintenance
    flapping: Flapping
    watchdog: Watchdog
    targets: SiteTargets | None = None
