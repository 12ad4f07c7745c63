"""alertd as the commands ask it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from voltscope.cli.operator import operator_secret, secret_or_none
from voltscope.cli.peers import ask, ask_json, refusal
from voltscope.errors import BadRequest, SiteError

if TYPE_CHECKING:
    from voltscope.site import Site

# Ends what it names; each is listed under its last part, in this order.
STANDING = {
    "acknowledgement": "/api/acknowledgements",
    "silence": "/api/silences",
    "maintenance": "/api/maintenance",
    "decommission": "/api/decommission",
}
_SHORTEST_ID = 4


class Alertd:
    """The alertd of a site. Every method raises PeerError, and RemoteError with alertd's own words."""

    def __init__(self, site: Site, *, writes: bool = False) -> None:
        """`writes`: the operator's secret is needed. Raises SiteError where the site has none, CredentialsError."""
        if not site.alertd:
            raise SiteError(
                "the site file names no alertd.",
                'Run `voltscope alertd` beside Alertmanager; add "alertd": "http://127.0.0.1:10936" to the site file.',
            )
        self._url = site.alertd.rstrip("/")
        self._secret = operator_secret(site) if writes else secret_or_none(site)

    def get(self, path: str, **asked: Any) -> dict[str, Any]:
        """What it answers; parameters that are None are left out."""
        given = {name: value for name, value in asked.items() if value is not None}
        return self._object(path + (f"?{urlencode(given)}" if given else ""))

    def post(self, path: str, **wanted: Any) -> dict[str, Any]:
        """What it made; parameters that are None are left out."""
        return self._object(path, {name: value for name, value in wanted.items() if value is not None})

    def end(self, kind: str, standing: str, why: str) -> None:
        """End one of `STANDING`."""
        url = f"{self._url}{STANDING[kind]}/{quote(standing, safe='')}?{urlencode({'why': why})}"
        answer = ask("alertd", url, secret=self._secret, method="DELETE")
        if answer.status >= 400:
            raise refusal("alertd", url, answer)

    def alert(self, named: str) -> dict[str, Any]:
        """The one alert that goes on and is meant: by its id, the beginning of it, or its name.

        Raises BadRequest when there is none, or more than one.
        """
        going_on = self.get("/api/alerts", limit=5000)["alerts"]
        found = [one for one in going_on if _meant(one, named)]
        if len(found) == 1:
            alert: dict[str, Any] = found[0]
            return alert
        if not found:
            raise BadRequest(f"no alert {named!r} goes on.", "See: voltscope alerts list")
        ids = ", ".join(
            f"{one['id']} ({one['labels'].get('agent') or one['labels'].get('instance')})" for one in found[:5]
        )
        raise BadRequest(f"{len(found)} alerts are meant by {named!r}: {ids}.", "Name one by its id.")

    def standing(self, named: str) -> tuple[str, dict[str, Any]]:
        """The kind and the document of what is in force under that id, or the one whose id begins so."""
        found = [
            (kind, one)
            for kind, path in STANDING.items()
            for one in self.get(path)[path.rpartition("/")[2]]
            if len(named) >= _SHORTEST_ID and str(one["id"]).lower().startswith(named.lower())
        ]
        if len(found) != 1:
            raise BadRequest(
                f"{len(found) or 'nothing'} in force has an id that begins with {named!r}.",
                "See: voltscope alerts silences",
            )
        return found[0]

    def _object(self, path: str, send: object = None) -> dict[str, Any]:
        return ask_json("alertd", self._url + path, secret=self._secret, send=send, timeout_s=15)


def _meant(alert: dict[str, Any], named: str) -> bool:
    return bool(alert["name"] == named or (len(named) >= _SHORTEST_ID and alert["id"].startswith(named.lower())))
