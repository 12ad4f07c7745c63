"""The receivers: alertd, and for each severity the mail, web hooks, Slack and PagerDuty that a site chose."""

from __future__ import annotations

from typing import Any

from .routes import receiver_name
from .settings import SEVERITIES, Receiver, Settings

# An alert's text may be long, and a storm large: more than this in one notification helps nobody.
MAX_ALERTS = 100


def receivers(settings: Settings) -> list[dict[str, Any]]:
    """All receivers that the routes name."""
    beats = [_webhook({"url": settings.heartbeat}, settings)] if settings.heartbeat else []
    found = [{"name": "heartbeat", "webhook_configs": [*_alertd(settings), *beats]}]
    if settings.alertd:
        found.append({"name": "history", "webhook_configs": _alertd(settings)})
    for site in (None, *settings.sites):
        for severity in SEVERITIES:
            chosen = [one for one in settings.receivers if one.hears(severity, site)]
            configs = _configs(chosen, settings)
            if chosen:  # alertd's history has who was told
                configs["webhook_configs"] = [*configs.get("webhook_configs", []), *_alertd(settings)]
            found.append({"name": receiver_name(severity, site), **configs})
    return [{key: value for key, value in one.items() if value} for one in found]


def _alertd(settings: Settings) -> list[dict[str, Any]]:
    if not settings.alertd:
        return []
    # as many as there are: it keeps history
    hook = {"url": f"{settings.alertd.rstrip('/')}/api/webhook", "token_file": "alertd-token", "max_alerts": 0}
    return [_webhook(hook, settings)]


def _configs(chosen: list[Receiver], settings: Settings) -> dict[str, list[dict[str, Any]]]:
    makers = {"mail": _mail, "webhook": _webhook, "slack": _slack, "pagerduty": _pagerduty}
    sections = {"mail": "email_configs", "webhook": "webhook_configs"}
    found: dict[str, list[dict[str, Any]]] = {}
    for one in chosen:
        section = sections.get(one.kind, f"{one.kind}_configs")
        found.setdefault(section, []).append(makers[one.kind](one.keys, settings))
    return found


def _mail(keys: dict[str, Any], settings: Settings) -> dict[str, Any]:
    smtp = settings.smtp
    found = {
        "to": keys["to"],
        "from": smtp["from"],
        "smarthost": smtp["host"],
        "require_tls": smtp.get("require_tls", True),
        "send_resolved": True,
        "headers": {"Subject": '{{ template "voltscope.title" . }}'},
        "text": '{{ template "voltscope.text" . }}',
        "html": '{{ template "voltscope.html" . }}',
    }
    if "username" in smtp:
        found |= {"auth_username": smtp["username"], "auth_password_file": settings.secret("smtp-password")}
    return found


def _webhook(keys: dict[str, Any], settings: Settings) -> dict[str, Any]:
    http: dict[str, Any] = {}
    if "token_file" in keys:
        http["authorization"] = {"credentials_file": settings.secret(keys["token_file"])}
    if "ca_file" in keys:
        http["tls_config"] = {"ca_file": settings.secret(keys["ca_file"])}
    found = {"url": keys["url"], "send_resolved": True, "max_alerts": keys.get("max_alerts", MAX_ALERTS)}
    return found | ({"http_config": http} if http else {})


def _slack(keys: dict[str, Any], settings: Settings) -> dict[str, Any]:
    return {
        "api_url_file": settings.secret(keys.get("url_file", "slack-url")),
        "channel": keys["channel"],
        "send_resolved": True,
        "color": '{{ template "voltscope.slack.color" . }}',
        "title": '{{ template "voltscope.slack.title" . }}',
        "title_link": '{{ template "voltscope.first.link" . }}',
        "text": '{{ template "voltscope.slack.text" . }}',
        "fallback": '{{ template "voltscope.slack.title" . }}',
        "footer": "voltscope",
        # what is in the text of an alert mentions nobody and is no link
        "link_names": False,
        "mrkdwn_in": ["text"],
    }


def _pagerduty(keys: dict[str, Any], settings: Settings) -> dict[str, Any]:
    return {
        "routing_key_file": settings.secret(keys.get("routing_key_file", "pagerduty-key")),
        **({"url": keys["url"]} if "url" in keys else {}),
        "send_resolved": True,
        "description": '{{ template "voltscope.title" . }}',
        "severity": '{{ template "voltscope.severity" . }}',
        "class": "{{ .CommonLabels.alertname }}",
        "component": "{{ .CommonLabels.agent }}",
        "group": "{{ .CommonLabels.site }} {{ .CommonLabels.instance }}",
        "client": "voltscope",
        "client_url": '{{ template "voltscope.first.link" . }}',
        "details": {"alerts": '{{ template "voltscope.text" . }}'},
    }
