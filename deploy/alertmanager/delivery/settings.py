"""What a site chooses: who is told, about what, and where links lead."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any

SEVERITIES = ("critical", "warning", "info")
# What each kind of receiver must say, and may.
KINDS = {
    "mail": ({"to"}, set[str]()),
    "webhook": ({"url"}, {"token_file", "ca_file", "max_alerts"}),
    "slack": ({"channel"}, {"url_file"}),
    "pagerduty": (set[str](), {"routing_key_file", "url"}),
}
_COMMON = {"kind", "severities", "sites", "except"}
_LINKS = {"grafana", "console", "runbooks"}
_SMTP = {"host", "from", "username", "require_tls"}
_HOURS = {"days", "from", "to", "time_zone", "severities"}


@dataclass(frozen=True)
class Receiver:
    """One way to people. `sites`: of those alone, none: of all; `excepted`: not of these. `keys`: its kind's."""

    kind: str
    severities: tuple[str, ...] = ("critical", "warning")
    sites: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    keys: dict[str, Any] = field(default_factory=dict)

    def hears(self, severity: str, site: str | None) -> bool:
        """Whether it is told of a `severity`, of `site` or, with None, of those nobody named."""
        named = not self.sites if site is None else (not self.sites or site in self.sites) and site not in self.excepted
        return named and severity in self.severities


@dataclass(frozen=True)
class Hours:
    """When people are at work; what `severities` names is told only then. Times are of `time_zone`."""

    days: str = "monday:friday"
    start: str = "08:00"
    end: str = "17:00"
    time_zone: str = "UTC"
    severities: tuple[str, ...] = ("info",)


@dataclass(frozen=True)
class Settings:
    """Everything there is to choose; the defaults tell alertd alone.

    `alertd`: its base URL, None without one. `secrets`: the folder in which files with secrets lie. `links`: base URLs
    of Grafana, the console and the runbooks; `{site}` and `{instance}` in them stand for the alert's. `heartbeat`: a
    URL that is told every minute that alerting works, such as a healthchecks server's.
    """

    alertd: str | None = "http://127.0.0.1:10936"
    secrets: str = "/etc/prometheus/alertmanager-secrets"
    links: dict[str, str] = field(default_factory=dict)
    smtp: dict[str, Any] = field(default_factory=dict)
    receivers: tuple[Receiver, ...] = ()
    working_hours: Hours = Hours()
    heartbeat: str | None = None

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites some receiver names."""
        return tuple(sorted({site for one in self.receivers for site in (*one.sites, *one.excepted)}))

    def secret(self, name: str) -> str:
        """The path of a file in the folder of secrets; an absolute one stays."""
        return name if name.startswith("/") else f"{self.secrets.rstrip('/')}/{name}"


def read(document: Any) -> Settings:
    """Settings from JSON. Raises ValueError naming the key and what is allowed."""
    given = _object(document, "the settings", {one.name for one in fields(Settings)})
    links = _object(given.get("links", {}), "links", _LINKS)
    smtp = _object(given.get("smtp", {}), "smtp", _SMTP)
    receivers = tuple(_receiver(one) for one in _list(given.get("receivers", []), "receivers"))
    if any(one.kind == "mail" for one in receivers) and not {"host", "from"} <= smtp.keys():
        raise ValueError("smtp: mail needs host (with its port) and from")
    for name in ("alertd", "heartbeat"):
        if given.get(name) is not None:
            _url(given[name], name)
    for name, link in links.items():
        _url(link, f"links.{name}")
    plain = {name: given[name] for name in ("alertd", "secrets", "heartbeat") if name in given}
    if not isinstance(plain.get("secrets", ""), str):
        raise ValueError("secrets: expected a folder")
    hours = _hours(given.get("working_hours", {}))
    return Settings(links=links, smtp=smtp, receivers=receivers, working_hours=hours, **plain)


def _receiver(document: Any) -> Receiver:
    if not isinstance(document, dict) or document.get("kind") not in KINDS:
        raise ValueError(f"receivers: each has a kind, one of {', '.join(KINDS)}")
    kind = document["kind"]
    needed, allowed = KINDS[kind]
    given = _object(document, kind, _COMMON | needed | allowed)
    for key in sorted(needed - given.keys()):
        raise ValueError(f"{kind}: {key} is missing")
    for key in needed | allowed:
        if key in given and not isinstance(given[key], int if key == "max_alerts" else str):
            raise ValueError(f"{kind}: {key} is of the wrong type")
    if "url" in given:
        _url(given["url"], f"{kind}: url")
    severities = tuple(_list(given.get("severities", ["critical", "warning"]), "severities"))
    _check_severities(severities)
    return Receiver(
        kind,
        severities,
        _names(given.get("sites", []), "sites"),
        _names(given.get("except", []), "except"),
        {key: given[key] for key in needed | allowed if key in given},
    )


def _hours(document: Any) -> Hours:
    given = _object(document, "working_hours", _HOURS)
    found = Hours(
        str(given.get("days", Hours.days)),
        str(given.get("from", Hours.start)),
        str(given.get("to", Hours.end)),
        str(given.get("time_zone", Hours.time_zone)),
        tuple(_list(given.get("severities", list(Hours.severities)), "working_hours.severities")),
    )
    _check_severities(found.severities)
    if "critical" in found.severities:
        raise ValueError("working_hours: what is critical is told at any time")
    return found


def _object(found: Any, what: str, allowed: set[str]) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise ValueError(f"{what}: expected an object")
    for key in found:
        if key not in allowed:
            raise ValueError(f"{what}: there is no {key!r}; there are: {', '.join(sorted(allowed))}")
    return found


def _list(found: Any, what: str) -> list[Any]:
    if not isinstance(found, list):
        raise ValueError(f"{what}: expected a list")
    return found


def _names(found: Any, what: str) -> tuple[str, ...]:
    names = _list(found, what)
    if not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{what}: expected names of sites")
    return tuple(names)


def _check_severities(found: tuple[Any, ...]) -> None:
    for one in found:
        if one not in SEVERITIES:
            raise ValueError(f"severities: {one!r} is none of {', '.join(SEVERITIES)}")


def _url(found: Any, what: str) -> None:
    if not isinstance(found, str) or not re.fullmatch(r"https?://[^\s\"'<>`\\]+", found):
        raise ValueError(f"{what}: {found!r} is no URL")
