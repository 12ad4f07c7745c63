"""alertd: what runs beside Alertmanager, put together, started and stopped."""

from __future__ import annotations

import json
import logging
import signal
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from voltscope.alerting.settings import AlertdConfig
from voltscope.configuration import load
from voltscope.engine.lock import DirectoryLock
from voltscope.errors import ConfigError, VoltscopeError
from voltscope.web import Access, Server, WebConfigFile, WebConfigured, guarded, identified, is_loopback

_log = logging.getLogger(__name__)

DATA_DIR = Path("~/.local/share/voltscope/alertd")


class Alertd:
    """The whole of it. `url` is where it listens."""

    def __init__(self, config: AlertdConfig, data_dir: Path | None = None) -> None:
        """Raises ConfigError for what cannot be used."""
        self._config = config
        self._data_dir = (data_dir or Path(config.data_dir or DATA_DIR)).expanduser().absolute()
        self._lock = DirectoryLock(self._data_dir)
        self._server = _server(config, self._data_dir)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return self._server.url

    def start(self) -> None:
        """Begin. Raises EngineLocked when another has the data directory, VoltscopeError when it cannot listen."""
        try:
            self._data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError("data_dir", f"{self._data_dir} ({error})", "a directory of ours alone") from error
        self._lock.acquire()
        self._server.start()

    def stop(self) -> None:
        """End everything; nothing accepted is lost."""
        self._server.stop()
        self._lock.release()


def read_config(path: Path | None) -> AlertdConfig:
    """The configuration in a JSON file, the defaults without one. Raises ConfigError."""
    if path is None:
        return AlertdConfig()
    try:
        given = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError("(whole)", f"{path} ({error})", "a readable JSON file") from error
    if not isinstance(given, dict):
        raise ConfigError("(whole)", f"{path}, which holds no JSON object", "a JSON object")
    return load(AlertdConfig, given)


def run(config: AlertdConfig, data_dir: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT; call it from the main thread. Raises as Alertd does."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    ends = {signal.SIGTERM, signal.SIGINT}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends)  # before any thread starts: none of them may take one
    try:
        alertd = Alertd(config, data_dir)
        alertd.start()
        _log.info("alertd at %s", alertd.url)
        signal.sigwait(ends)
        alertd.stop()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _server(config: AlertdConfig, data_dir: Path) -> Server:
    """Raises ConfigError."""
    try:
        access = Access(Path(config.credentials).expanduser() if config.credentials else None)
    except VoltscopeError as error:
        raise ConfigError("credentials", repr(config.credentials), str(error)) from error
    if (config.certificate is None) != (config.key is None):
        raise ConfigError("certificate", "one of certificate and key", "both, or neither")
    if config.certificate is not None and config.web_config_file is not None:
        raise ConfigError("certificate", "with web_config_file", "one of them: the file's tls_server_config")
    web = WebConfigFile(data_dir / Path(config.web_config_file).expanduser()) if config.web_config_file else None
    app = guarded(
        [Route("/-/healthy", _healthy)],
        access,
        open_reads=is_loopback(config.host),
        names=config.names,
        identify=identified,
    )
    return Server(
        app if web is None else WebConfigured(app, web, access),
        config.host,
        config.port,
        certificate=Path(config.certificate) if config.certificate else None,
        key=Path(config.key) if config.key else None,
        tls=web.context() if web is not None and web.has_tls else None,
    )


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("voltscope alertd is healthy.\n")
