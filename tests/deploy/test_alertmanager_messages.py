"""What people get: by a real SMTP server and web hooks, also when the text of an alert is hostile."""

from __future__ import annotations

import email
import email.policy
import html
import json
import queue
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from delivered import at_once, post
from servers.alertmanager import AlertmanagerServer
from servers.answering import AnsweringServer, Asked, Reply
from servers.missing import PeerMissing, without
from servers.ports import free_port

from voltscope.alerting.alert import fingerprint

WAIT_S = 60
MEGABYTE = "a bad day \u202e\u2066 " * 70_000
HOSTILE = {
    "summary": 'x"{{ .ExternalURL }}<script>alert(1)</script>\r\nBcc: victim@example.org\r\n\r\n<!channel> <https://evil.example|ok>',
    "description": f'{{{{ template "voltscope.title" . }}}}</p><img src=x onerror=alert(2)> <!here> {MEGABYTE}',
    "agents": "<b>one</b>\nX-Injected: 2",
    "runbook": "javascript:alert(3)",
}
HOSTILE_AGENT = 'a/../b?c=d&e="><img src=x onerror=alert(4)>|{{ . }}\nX-Injected: 1'


@dataclass
class Mailbox:
    """An SMTP server's handler: everything anybody sent, with the recipients as they were named to it."""

    mails: queue.Queue[tuple[list[str], bytes]] = field(default_factory=queue.Queue)

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        self.mails.put((list(envelope.rcpt_tos), bytes(envelope.content)))
        return "250 taken"

    def next(self) -> tuple[list[str], EmailMessage, bytes]:
        """The next mail: its recipients, itself, and as it came."""
        to, raw = self.mails.get(timeout=WAIT_S)
        found = email.message_from_bytes(raw, policy=email.policy.default)
        assert isinstance(found, EmailMessage)
        return to, found, raw


class Hooks(AnsweringServer):
    """Whatever is posted, by its path, with the authorization that came with it."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self.got: dict[str, queue.Queue[tuple[str, bytes]]] = {
            path: queue.Queue() for path in ("/hook", "/slack", "/pagerduty", "/beat")
        }

    def _take(self, asked: Asked) -> Reply:
        self.got[asked.path].put((asked.headers.get("Authorization", ""), asked.body))
        return Reply(202 if asked.path == "/pagerduty" else 200, b'{"status": "success"}')

    def next(self, path: str) -> tuple[str, Any]:
        authorization, body = self.got[path].get(timeout=WAIT_S)
        return authorization, json.loads(body)


@dataclass(frozen=True)
class Running:
    url: str
    mailbox: Mailbox
    hooks: Hooks


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("alertmanager")
    port = free_port()
    mailbox, hooks = Mailbox(), Hooks()
    mails = Controller(mailbox, hostname="127.0.0.1", port=port, enable_SMTPUTF8=True, ready_timeout=60)
    (folder / "slack-url").write_text(f"{hooks.url}/slack")
    (folder / "pagerduty-key").write_text("0123456789abcdef0123456789abcdef")
    (folder / "hook-token").write_text("a token")
    settings = {
        "alertd": None,
        "secrets": str(folder),
        "heartbeat": f"{hooks.url}/beat",
        "links": {
            "grafana": "https://grafana.example.org",
            "console": "https://{site}.example.org:10935",
            "runbooks": "https://wiki.example.org/runbooks",
        },
        "smtp": {"host": f"127.0.0.1:{port}", "from": "voltscope@example.org", "require_tls": False},
        "receivers": [
            {"kind": "mail", "to": "ops@example.org", "sites": ["north"]},
            {"kind": "webhook", "url": f"{hooks.url}/hook", "token_file": "hook-token", "sites": ["north"]},
            {"kind": "slack", "channel": "#alerts", "sites": ["north"]},
            {"kind": "pagerduty", "url": f"{hooks.url}/pagerduty", "severities": ["critical"], "sites": ["north"]},
        ],
    }
    try:
        alertmanager = AlertmanagerServer(folder, at_once(settings, folder))
    except PeerMissing as error:
        without(error)
    mails.start()
    alertmanager.start()
    try:
        with hooks:
            yield Running(alertmanager.url, mailbox, hooks)
    finally:
        alertmanager.stop()
        mails.stop()


def crashed(agent: str, annotations: dict[str, str], **times: str) -> dict[str, Any]:
    labels = {"alertname": "VolttronAgentCrashed", "severity": "critical", "site": "north", "instance": "plant1"}
    return {
        "labels": labels | {"agent": agent},
        "annotations": annotations,
        "startsAt": "2026-11-21T10:00:00Z",
        **times,
    }


def part(mail: EmailMessage, kind: str) -> str:
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content())


def test_a_mail_says_what_where_since_how_bad_and_what_to_do(running: Running) -> None:
    says = {
        "summary": "listener on plant1 crashed",
        "description": "The process of listener on plant1 ended with an error or by a signal.",
        "runbook": "docs/runbooks/VolttronAgentCrashed.md",
    }
    post(running.url, crashed("listener", says))
    to, mail, _ = running.mailbox.next()
    assert to == ["ops@example.org"]
    assert mail["Subject"] == "[CRITICAL] listener on plant1 crashed (north)"
    dashboard = (
        "https://grafana.example.org/d/voltscope-agent?var-site=north&var-instance=plant1&var-agent=listener"
        "&from=1795253400000&to=now"
    )
    text = part(mail, "plain")
    for line in (
        "CRITICAL  listener on plant1 crashed",
        "north / plant1 / listener",
        "2026-11-21 10:00:00 UTC",
        says["description"],
        says["runbook"],
        "https://wiki.example.org/runbooks/VolttronAgentCrashed.md",
        dashboard,
        f"https://north.example.org:10935/alerts?alert={fingerprint(crashed('listener', says)['labels'])}",
        "https://north.example.org:10935/flamegraphs?agent=listener",
        "https://north.example.org:10935/logs?agent=listener&level=warning&since=1795254900&until=1795255500",
    ):
        assert line in text
    assert dashboard in html.unescape(part(mail, "html"))
    authorization, hook = running.hooks.next("/hook")
    assert authorization == "Bearer a token" and hook["alerts"][0]["annotations"] == says
    _, slack = running.hooks.next("/slack")
    (shown,) = slack["attachments"]
    assert shown["title"] == "[CRITICAL] listener on plant1 crashed" and shown["color"] == "danger"
    assert f"<{dashboard}|Dashboard>" in shown["text"]
    _, page = running.hooks.next("/pagerduty")
    assert page["event_action"] == "trigger" and page["payload"]["severity"] == "critical"
    assert (
        page["payload"]["component"] == "listener" and "north / plant1" in page["payload"]["custom_details"]["alerts"]
    )
    post(running.url, crashed("listener", says, endsAt="2026-11-21T10:20:00Z"))
    _, mail, _ = running.mailbox.next()
    assert mail["Subject"] == "[RESOLVED] listener on plant1 crashed (north)"
    assert "until 2026-11-21 10:20:00 UTC" in part(mail, "plain") and "&to=1795258200000" in part(mail, "plain")
    assert running.hooks.next("/hook")[1]["status"] == "resolved"
    assert running.hooks.next("/slack")[1]["attachments"][0]["color"] == "good"
    assert running.hooks.next("/pagerduty")[1]["event_action"] == "resolve"


def test_hostile_text_is_delivered_and_does_no_harm(running: Running) -> None:
    post(running.url, crashed(HOSTILE_AGENT, HOSTILE))
    to, mail, raw = running.mailbox.next()
    assert to == ["ops@example.org"]
    assert mail["Bcc"] is None and mail["X-Injected"] is None
    assert not mail.defects
    assert len(raw) < 60_000
    subject = mail["Subject"]
    assert "\n" not in subject and "\r" not in subject and "{{ .ExternalURL }}" in subject
    text, markup = part(mail, "plain"), part(mail, "html")
    assert "{{ .ExternalURL }}<script>alert(1)</script> Bcc: victim@example.org" in text, (
        "as it was written, on one line"
    )
    assert '{{ template "voltscope.title" . }}' in text, "and never carried out"
    assert "<script" not in markup and "<img" not in markup and "&lt;img src=x onerror=alert(2)&gt;" in markup
    assert 'href="javascript' not in markup and "agent=a%2F..%2Fb%3Fc%3Dd%26e%3D%22%3E%3Cimg" in markup
    _, hook = running.hooks.next("/hook")
    assert hook["alerts"][0]["annotations"] == HOSTILE, "a program gets all of it"
    _, slack = running.hooks.next("/slack")
    (shown,) = slack["attachments"]
    for field_ in ("title", "text", "fallback"):
        assert "<!" not in shown[field_] and "<https://evil" not in shown[field_]
    assert "&lt;!here&gt;" in shown["text"] and len(shown["text"]) < 10_000
    _, page = running.hooks.next("/pagerduty")
    assert len(page["payload"]["summary"]) <= 1024 and "{{ .ExternalURL }}" in page["payload"]["summary"]


def test_the_heartbeat_goes_to_who_waits_for_it(running: Running) -> None:
    labels = {"alertname": "Watchdog", "severity": "info"}
    post(running.url, {"labels": labels, "annotations": {"summary": "Alerting works"}})
    _, beat = running.hooks.next("/beat")
    assert [one["labels"]["alertname"] for one in beat["alerts"]] == ["Watchdog"]
