"""Whether Prometheus still has targets of a site: asked now and then, of those that are given up alone."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from urllib.parse import urlencode

from voltscope.alerting.settings import PrometheusSettings
from voltscope.alerting.standing import Standing
from voltscope.errors import ReceiverError
from voltscope.outbound.http_client import HttpClient

_log = logging.getLogger(__name__)

_EVERY_S = 60.0
_TIMEOUT_S = 10.0


class SiteTargets:
    """What Prometheus said last, by site and instance. Used by one thread."""

    def __init__(self, settings: PrometheusSettings, clock: Callable[[], float]) -> None:
        """Raises ConfigError for files that cannot be read."""
        self._http = HttpClient(settings, _TIMEOUT_S, "questions")
        self._clock = clock
        self._asked, self._asked_of = 0.0, set[tuple[str, str | None]]()
        self._there: dict[tuple[str, str | None], bool] = {}

    def refresh(self, given_up: Iterable[Standing]) -> None:
        """Ask anew, once a minute."""
        wanted = {(one.site or "", one.instance) for one in given_up}
        now = self._clock()
        if not wanted or (now - self._asked < _EVERY_S and wanted <= self._asked_of):
            return
        self._asked, self._asked_of = now, wanted
        try:
            self._there = {key: self._ask(*key) for key in wanted}
        except (ReceiverError, ValueError, KeyError, TypeError) as error:
            _log.warning("whether targets of sites that are given up are gone is not known: %s", error)
            self._there = {}

    def __call__(self, site: str, instance: str | None) -> bool | None:
        """Whether there are any; None when nobody knows."""
        return self._there.get((site, instance))

    def close(self) -> None:
        """End the connection."""
        self._http.close()

    def _ask(self, site: str, instance: str | None) -> bool:
        labels = {"site": site} | ({} if instance is None else {"instance": instance})
        # in PromQL a string is quoted as in JSON
        chosen = ",".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in labels.items())
        answer = self._http.request("GET", f"/api/v1/query?{urlencode({'query': f'count(up{{{chosen}}})'})}")
        if answer.status != 200:
            raise ReceiverError(f"Prometheus answers {answer}.")
        return bool(json.loads(answer.body)["data"]["result"])
