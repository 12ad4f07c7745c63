"""What people and our programs need to find this site: credentials, site.json and the two wrapper scripts."""

from __future__ import annotations

import json
import secrets
import shlex
from pathlib import Path
from typing import Any

from .account import Account, home_environment
from .state import Home

SITE = "quickstart"


def write_owned(path: Path, text: str, mode: int, account: Account) -> None:
    """Writes `text` to `path` with `mode` from its first byte on, owned by `account`, replaced at once."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode=mode)
    new.write_text(text)
    new.chmod(mode)
    account.own(new)
    new.replace(path)


def write_credentials(home: Home, account: Account) -> None:
    """Two users with random secrets; an existing file is kept."""
    if home.credentials.exists():
        return
    users = [{"name": role, "role": role, "secret": secrets.token_urlsafe(24)} for role in ("operator", "viewer")]
    write_owned(home.credentials, json.dumps({"version": 1, "users": users}, indent=2) + "\n", 0o600, account)


def operator_secret(home: Home) -> str:
    """The operator's secret. Raises OSError when the caller may not read the credential file."""
    return next(str(user["secret"]) for user in _users(home) if user["role"] == "operator")


def secret_of_user(home: Home, account: Account, name: str, role: str) -> str:
    """The secret of the user of that name, who is added with `role` where the credential file has none."""
    users = _users(home)
    known = [user for user in users if user["name"] == name]
    if not known:
        known = [{"name": name, "role": role, "secret": secrets.token_urlsafe(24)}]
        text = json.dumps({"version": 1, "users": [*users, *known]}, indent=2) + "\n"
        write_owned(home.credentials, text, 0o600, account)
    return str(known[0]["secret"])


def site_document(home: Home, *, prometheus: bool, grafana: bool, alerting: bool) -> dict[str, Any]:
    """The content of site.json, which the console and the command line read."""
    url = "http://127.0.0.1:{}".format
    document = {
        "site": SITE,
        "instance": SITE,
        "exporter": url(home.ports.exporter),
        "profiler": url(home.ports.profiler),
        "console": url(home.ports.console),
        "volttron_home": str(home.volttron),
        "log_store": str(home.volttron / "voltscope" / "logship" / "spool"),
        "log": str(home.platform_log),
        "credentials": str(home.credentials),
    }
    if prometheus:
        document["prometheus"] = url(home.ports.prometheus)
    if grafana:
        document["grafana"] = url(home.ports.grafana)
    if alerting:
        document["alertmanager"] = url(home.ports.alertmanager)
        document["alertd"] = url(home.ports.alertd)
    if home.searches_opensearch:
        document["log_search"] = {"url": url(home.ports.opensearch)}
    return document


def write_site(home: Home, account: Account, *, prometheus: bool, grafana: bool, alerting: bool) -> bool:
    """Writes site.json; `prometheus` null says that this site has none. Returns whether it says anything new."""
    document = {"prometheus": None, **site_document(home, prometheus=prometheus, grafana=grafana, alerting=alerting)}
    text = json.dumps(document, indent=2) + "\n"
    if home.site_file.exists() and home.site_file.read_text() == text:
        return False
    write_owned(home.site_file, text, 0o640, account)
    return True


def _users(home: Home) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(home.credentials.read_text())["users"]
    return found


def write_wrappers(home: Home, account: Account) -> None:
    """`bin/voltscope` for the caller, `bin/vctl` as the platform's user and from where vctl can write its log."""
    exports = {
        name: value
        for name, value in home_environment(home).items()
        if name in ("HOME", "PATH", "VIRTUAL_ENV", "POETRY_CACHE_DIR", "VOLTTRON_HOME")
    }
    settings = " ".join(f"{name}={shlex.quote(value)}" for name, value in exports.items())
    drop = f"setpriv --reuid {account.name} --regid {account.gid} --init-groups" if account.drop else ""
    scripts = {
        "voltscope": f"VOLTSCOPE_SITE={shlex.quote(str(home.site_file))}\nexport VOLTSCOPE_SITE\n"
        # root does not run what the platform's user could have written
        f'exec {shlex.quote(str((home.command if account.drop else home.venv) / "bin/voltscope"))} "$@"\n',
        # vctl writes myapp.log into the folder it is started in and dies where it cannot.
        "vctl": f"cd {shlex.quote(str(home.volttron))} || exit 1\n"
        f'exec {drop} env {settings} {shlex.quote(str(home.venv / "bin/vctl"))} "$@"\n',
    }
    for name, body in scripts.items():
        script = home.bin / name
        script.write_text(f"#!/bin/sh\n{body}")
        script.chmod(0o755)
