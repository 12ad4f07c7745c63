"""The alerts engine's configuration: its schema and defaults."""

from __future__ import annotations

from typing import Annotated

import msgspec

from voltscope.alerting.settings import AlertmanagerSettings
from voltscope.configuration import Config
from voltscope.outbound.keys import ServerKeys


class AlertdSettings(ServerKeys, frozen=True, kw_only=True):
    """Where alertd answers, and who we are there; secrets are in files of mode 0600."""


class AlertsConfig(Config, frozen=True, kw_only=True):
    """Everything there is to set; times in seconds.

    `site`: label, the host's name when empty; it must be the one that Prometheus gives this site. `alertmanager`: who
    is told. `alertd`: who is asked what fires, with acknowledgements, where there is one (Alertmanager itself
    otherwise); with a `token_file` of an acknowledger, agents may acknowledge. `resend_s`: how often Alertmanager is
    told that an alert goes on; four times that long one lasts there that nobody repeats. `poll_s`: how often is asked
    what fires. `quiet_s`: how long at least an alert must not have been repeated to be over for that reason alone.
    """

    site: str = ""
    alertmanager: AlertmanagerSettings = AlertmanagerSettings()
    alertd: AlertdSettings | None = None
    resend_s: Annotated[float, msgspec.Meta(ge=5, le=600)] = 60.0
    poll_s: Annotated[float, msgspec.Meta(ge=1, le=600)] = 10.0
    quiet_s: Annotated[float, msgspec.Meta(ge=10, le=86400)] = 600.0
