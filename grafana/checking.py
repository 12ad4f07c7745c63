"""Every panel of our dashboards asked through a live Grafana, as its browser would: `POST /api/ds/query`."""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

PREFIX = "voltscope-"
# What a browser asks of Prometheus for a screen's width; Grafana fills its own intervals in.
POINTS = 500


class Refused(Exception):
    """Grafana did not answer, or not as it should; says what to do."""


@dataclass(frozen=True)
class Panel:
    """A panel, and why it has no data; None where it has some."""

    dashboard: str
    title: str
    words: str | None


class Grafana:
    """A Grafana that is asked with the token of a service account."""

    def __init__(self, url: str, token: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise Refused(f"{url} is no address of a Grafana: it begins with http:// or https://.")
        self._url = url.rstrip("/")
        self._token = token

    def ask(self, path: str, body: Any = None) -> Any:
        """The answer's JSON; of a query that failed too, which says why. Raises Refused."""
        request = urllib.request.Request(  # noqa: S310 (checked above)
            self._url + path,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code in (401, 403):
                raise Refused(f"Grafana refuses the token ({error.code}): it needs the role Viewer.") from error
            try:
                return json.load(error)
            except ValueError:
                raise Refused(f"Grafana answered {error.code} to {path}.") from error
        except (OSError, ValueError) as error:
            raise Refused(f"{self._url} does not answer as a Grafana does: {error}.") from error


def check(grafana: Grafana, values: Mapping[str, str], seconds: float) -> Iterator[Panel]:
    """All panels of the dashboards that Grafana has of ours, in order. `values`: variables chosen otherwise."""
    listed = grafana.ask(f"/api/search?{urllib.parse.urlencode({'type': 'dash-db', 'tag': 'voltscope'})}")
    boards = sorted(one["uid"] for one in listed if one["uid"].startswith(PREFIX))
    if not boards:
        raise Refused("Grafana has none of our dashboards: import grafana/json, or see grafana/README.md.")
    # which a viewer may read, as its browser does; the list of data sources is for administrators
    sources = list(grafana.ask("/api/frontend/settings")["datasources"].values())
    now = time.time()
    for uid in boards:
        board = grafana.ask(f"/api/dashboards/uid/{uid}")["dashboard"]
        yield from _panels(_Asker(grafana, board, sources, values, now - seconds, now))


class _Asker:
    """What is chosen in one dashboard, and when."""

    def __init__(
        self,
        grafana: Grafana,
        board: dict[str, Any],
        sources: list[dict[str, Any]],
        values: Mapping[str, str],
        since: float,
        until: float,
    ) -> None:
        self.grafana = grafana
        self.board = board
        self.since, self.until = since, until
        self.chosen: dict[str, str] = {"__range": f"{until - since:.0f}s"}
        for variable in board["templating"]["list"]:
            self.chosen[variable["name"]] = values.get(variable["name"]) or self._default(variable, sources)

    def _default(self, variable: dict[str, Any], sources: list[dict[str, Any]]) -> str:
        """What Grafana chooses: the first there is, or All."""
        if variable["type"] == "datasource":
            fit = [one for one in sources if one["type"] == variable["query"]]
            fit.sort(key=lambda one: not one.get("isDefault"))
            return str(fit[0]["uid"]) if fit else ""
        if variable.get("includeAll"):
            return str(variable["allValue"])
        if variable["type"] != "query":
            return str(variable["current"]["value"])
        return self._first(variable["query"]["query"])

    def _first(self, query: str) -> str:
        asked = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        if asked is None:
            raise Refused(f"a variable asks {query!r}, which this cannot: give its value with --set.")
        given = {"match[]": self.filled(asked[1]), "start": self.since, "end": self.until}
        source = self.chosen["prometheus"]
        path = f"/api/datasources/uid/{source}/resources/api/v1/label/{asked[2]}/values"
        found = self.grafana.ask(f"{path}?{urllib.parse.urlencode(given)}").get("data") or [""]
        return str(found[0])

    def filled(self, text: str) -> str:
        """`text` with our variables; Grafana's own it fills in itself."""
        return re.sub(r"\$(?:(\w+)|\{(\w+)(?::\w+)?\})", lambda one: self.chosen.get(one[1] or one[2], one[0]), text)

    def empty(self, panel: dict[str, Any]) -> str | None:
        """Why a panel has no data; None where it has."""
        targets = json.loads(self.filled_json(panel["targets"]))
        missing = {one["datasource"]["type"] for one in targets if not one["datasource"]["uid"]}
        if missing:
            return f"there is no data source of type {', '.join(sorted(missing))}"
        step = {"maxDataPoints": POINTS, "intervalMs": int(max(15.0, (self.until - self.since) / POINTS) * 1000)}
        span = {"from": str(int(self.since * 1000)), "to": str(int(self.until * 1000))}
        answer = self.grafana.ask("/api/ds/query", {"queries": [one | step for one in targets], **span})
        results = answer.get("results")
        if results is None:
            return str(answer.get("message") or answer)
        wrong = [str(one["error"]) for one in results.values() if one.get("error")]
        if wrong:
            return wrong[0]
        if any(_has_data(frame) for one in results.values() for frame in one.get("frames", [])):
            return None
        return f"no data; it says: {panel['fieldConfig']['defaults']['noValue']}"

    def filled_json(self, document: Any) -> str:
        """`document` as JSON, variables filled in its texts."""

        def fill(one: Any) -> Any:
            if isinstance(one, str):
                return self.filled(one)
            if isinstance(one, list):
                return [fill(item) for item in one]
            return {key: fill(item) for key, item in one.items()} if isinstance(one, dict) else one

        return json.dumps(fill(document))


def _panels(asker: _Asker) -> Iterator[Panel]:
    for outer in asker.board["panels"]:
        for panel in outer.get("panels", []) if outer["type"] == "row" else [outer]:
            yield Panel(asker.board["title"], panel["title"], asker.empty(panel))


def _has_data(frame: dict[str, Any]) -> bool:
    """Whether a frame holds a value that is one: beside its times, where it has others."""
    fields = frame.get("schema", {}).get("fields", [])
    columns = frame.get("data", {}).get("values", [])
    kept = [column for field, column in zip(fields, columns, strict=False) if field.get("type") != "time"]
    return any(value is not None for column in kept or columns for value in column)
