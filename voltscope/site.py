"""Where the parts of one site are: URLs, paths and the credential file, read from `site.json`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import msgspec

from voltscope.configuration import Config, load
from voltscope.errors import SiteError
from voltscope.outbound.keys import IndexName, ServerKeys

EXPORTER_PORT = 10933
PROFILER_PORT = 10934
CONSOLE_PORT = 10935
ALERTD_PORT = 10936


def default_volttron_home() -> Path:
    """VOLTTRON_HOME as the platform itself finds it: the environment, else ~/.volttron."""
    return Path(os.environ.get("VOLTTRON_HOME") or "~/.volttron").expanduser()


class LogSearch(Config, frozen=True, kw_only=True):
    """OpenSearch or Elasticsearch with the records that logship sends there, to search in it instead of the spool.

    `url`: http(s)://host:port, without credentials. `index`: as the transport's. `username` with `password_file`, or
    `api_key_file` (the encoded form): files of ours alone, mode 0600. `ca_file`: PEM, who may sign its certificate.
    """

    url: str
    index: IndexName = "voltscope-logs"
    username: str | None = None
    password_file: str | None = None
    api_key_file: str | None = None
    ca_file: str | None = None

    def __post_init__(self) -> None:
        _ = self.keys  # raises ValueError for keys that do not go together

    @property
    def keys(self) -> ServerKeys:
        """How it is reached."""
        return ServerKeys(
            urls=(self.url,),
            username=self.username,
            password_file=self.password_file,
            api_key_file=self.api_key_file,
            ca_file=self.ca_file,
        )


class Site(Config, frozen=True, kw_only=True):
    """One site's parts. URLs are bases without a trailing slash; None where the site has no such part."""

    site: str = "site"
    instance: str | None = None
    exporter: str = f"http://127.0.0.1:{EXPORTER_PORT}"
    profiler: str = f"http://127.0.0.1:{PROFILER_PORT}"
    console: str = f"http://127.0.0.1:{CONSOLE_PORT}"
    prometheus: str | None = "http://127.0.0.1:9090"
    alertmanager: str | None = None
    alertd: str | None = None
    grafana: str | None = None
    kibana: str | None = None
    volttron_home: str = msgspec.field(default_factory=lambda: str(default_volttron_home()))
    log_store: str | None = None
    log_search: LogSearch | None = None
    log: str | None = None
    credentials: str | None = None

    @property
    def log_store_path(self) -> Path:
        """The spool, which is the log store: as configured, else where the logship engine keeps it."""
        if self.log_store:
            return Path(self.log_store)
        return Path(self.volttron_home) / "voltscope" / "logship" / "spool"


def find_site(path: str | os.PathLike[str] | None = None) -> Site:
    """The site named by `path`, else $VOLTSCOPE_SITE, else ~/.config/voltscope/site.json, else defaults.

    Raises SiteError when a named file cannot be read and ConfigError when its content is not allowed.
    """
    named = path or os.environ.get("VOLTSCOPE_SITE")
    file = Path(named) if named else Path("~/.config/voltscope/site.json").expanduser()
    if not named and not file.exists():
        return Site()
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise SiteError(
            f"cannot read the site file {file}: {error}.", "Name another with --site or VOLTSCOPE_SITE."
        ) from error
    if not isinstance(content, dict):
        raise SiteError(f"the site file {file} holds no JSON object.", "Name another with --site or VOLTSCOPE_SITE.")
    return load(Site, content)
