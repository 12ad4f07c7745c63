"""The direct way to people, past Alertmanager: a mail to an SMTP server, a POST of JSON to a web hook."""

from __future__ import annotations

import logging
from typing import Any, Protocol

import msgspec

from voltscope.alerting.settings import DeadMansSwitch, HookSettings, MailSettings
from voltscope.errors import ConfigError, ReceiverError, VoltscopeError
from voltscope.outbound.http_client import HttpClient, secret_of
from voltscope.outbound.tls import tls_context

_log = logging.getLogger(__name__)

_TIMEOUT_S = 20.0
_JSON = {"Content-Type": "application/json"}


class Way(Protocol):
    """One way to people."""

    name: str

    def tell(self, subject: str, text: str, document: dict[str, Any]) -> None:
        """Raises VoltscopeError when they may not have got it."""


class Mail:
    """Mail by SMTP."""

    name = "mail"

    def __init__(self, settings: MailSettings) -> None:
        """Raises ConfigError for files that cannot be read."""
        self._settings = settings
        self._context = tls_context(settings) if settings.starttls else None
        if settings.password_file is not None:
            secret_of("password_file", settings.password_file)

    def tell(self, subject: str, text: str, document: dict[str, Any]) -> None:
        """See Way."""
        import smtplib  # here, and mail's parts below: most of the time nobody is told anything
        from email.message import EmailMessage
        from email.utils import formatdate, make_msgid

        settings = self._settings
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = settings.sender, ", ".join(settings.to), subject
        message["Date"], message["Message-ID"] = formatdate(localtime=True), make_msgid()
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(text)
        try:
            with smtplib.SMTP(settings.host, settings.port, timeout=_TIMEOUT_S) as server:
                if self._context is not None:
                    server.starttls(context=self._context)
                if settings.username is not None and settings.password_file is not None:
                    server.login(settings.username, secret_of("password_file", settings.password_file))
                server.send_message(message)
        except (OSError, smtplib.SMTPException, ConfigError) as error:
            raise ReceiverError(f"mail to {settings.host}:{settings.port} is not taken: {error}.") from error


class Hook:
    """A POST of JSON."""

    name = "webhook"

    def __init__(self, settings: HookSettings) -> None:
        """Raises ConfigError for files that cannot be read."""
        self._http = HttpClient(settings, _TIMEOUT_S, "what is told directly")

    def tell(self, subject: str, text: str, document: dict[str, Any]) -> None:
        """See Way."""
        body = msgspec.json.encode({"subject": subject, "text": text, **document})
        try:
            answer = self._http.request("POST", "", body, _JSON)
        finally:
            self._http.close()
        if answer.status >= 300:
            raise ReceiverError(f"the web hook does not take it: {answer}.")


def ways(settings: DeadMansSwitch) -> list[Way]:
    """Those that are configured. Raises ConfigError."""
    found: list[Way] = []
    if settings.mail is not None:
        found.append(Mail(settings.mail))
    if settings.webhook is not None:
        found.append(Hook(settings.webhook))
    return found


def tell_all(among: list[Way], subject: str, text: str, document: dict[str, Any]) -> list[str]:
    """Tell by each; the names of the ways by which it went."""
    went = []
    for way in among:
        try:
            way.tell(subject, text, document)
        except VoltscopeError as error:
            _log.error("nobody is told by %s that %s: %s", way.name, subject, error)
        else:
            went.append(way.name)
    return went
