"""The exporter's engine: serves what the collectors find, and can be configured anew while it serves."""

from __future__ import annotations

import gzip
import math
import os
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import msgspec
from prometheus_client.core import Metric
from prometheus_client.exposition import choose_encoder, gzip_accepted
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from voltscope.configuration import load
from voltscope.engine.service import EngineContext
from voltscope.errors import ConfigError, UnknownCollector, UnknownMethod, VoltscopeError
from voltscope.listening import Listening, ListenPort
from voltscope.metrics import landing
from voltscope.metrics.collectors import collectors
from voltscope.metrics.exposition import Exposition, count_start
from voltscope.site import EXPORTER_PORT
from voltscope.web import Access, Server, WebConfigFile, WebConfigured, guarded, identified, is_loopback
from voltscope.web.landing import CSP
from voltscope.web.tls import listener_context

# What is left of Prometheus's own scrape time limit for rendering and the way back.
_SCRAPE_MARGIN_S = 0.5
_SHORTEST_S = 0.1


class ExporterConfig(Listening, frozen=True, kw_only=True):
    """The exporter's configuration. Times in seconds; paths absolute or relative to the engine's data directory.

    `credentials` or `web_config_file` is needed when `host` is not loopback. `disabled_collectors`: names of collectors
    not to run. `facts_fresh_s`: facts older than this count as stale even when nothing went wrong.
    """

    port: ListenPort = EXPORTER_PORT
    disabled_collectors: tuple[str, ...] = ()
    facts_timeout_s: float = 2.0
    facts_fresh_s: float = 30.0
    collector_timeout_s: float = 5.0

    def check(self) -> None:
        """Raises ConfigError for values the schema's types allow and we do not."""
        for key in ("facts_timeout_s", "facts_fresh_s", "collector_timeout_s"):
            if not 0 < getattr(self, key) <= 300:
                raise ConfigError(key, str(getattr(self, key)), "more than 0, at most 300 seconds")
        known = collectors()
        for name in self.disabled_collectors:
            if name not in known:
                raise ConfigError("disabled_collectors", repr(name), ", ".join(known))
        self.check_listening()
        if not is_loopback(self.host) and self.credentials is None and self.web_config_file is None:
            raise ConfigError(
                "credentials", "nothing", f"a credential file or a web_config_file, as {self.host} is not loopback"
            )


class _Current:
    """The application that answers now: it may be exchanged without touching the listener."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


class _Families:
    """What prometheus_client's encoders ask for: something with `collect`."""

    def __init__(self, metrics: list[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Metric]:
        return self._metrics


class ExporterEngine:
    """See EngineService."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._exposition = Exposition(context.facts, context.volttron_home, context.data_dir)
        self._lock = threading.Lock()
        self._config = ExporterConfig()
        self._web: WebConfigFile | None = None
        self._app = _Current(self._application(self._config, None))
        self._server: Server | None = None

    @property
    def url(self) -> str | None:
        """Where it listens, without a trailing slash; None before `start`."""
        return self._server.url if self._server is not None else None

    def configure(self, config: Mapping[str, Any]) -> None:
        """Check and apply. A changed listener is opened before the old one closes, where both can be open at once.

        Raises ConfigError or CredentialsError, and goes on as before.
        """
        new = load(ExporterConfig, config)
        new.check()
        _check_certificate(self._path(new.certificate), self._path(new.key))
        web = self._web_config(new)
        with self._lock:
            app = self._application(new, web)
            before = self._app.app, self._web
            self._app.app, self._web = app, web
            if self._server is not None and _listener(new, web) != _listener(self._config, before[1]):
                try:
                    self._rebind(self._server, new, before[1])
                except VoltscopeError:
                    self._app.app, self._web = before
                    raise
            self._config = new

    def start(self) -> None:
        """Listen. Raises VoltscopeError when the address cannot be had."""
        # before anybody can ask: a first scrape that says 0 would be a reset, and the next one a restart
        self._exposition.engine_restarts = count_start(self._context.data_dir / "starts.json")
        with self._lock:
            server = self._listening(self._config, self._web)
            server.start()
            self._server = server

    def handle(self, method: str, params: dict[str, Any]) -> Any:
        """`metrics`: families of our own cost; `status`: where we listen and how the collectors do."""
        if method == "metrics":
            return self._own_cost()
        if method == "status":
            return self._status()
        raise UnknownMethod(f"the exporter's engine has no method {method!r}.", "There are: metrics, status.")

    def stop(self) -> None:
        """Stop listening. A collector that hangs is left to its daemon thread."""
        with self._lock:
            if self._server is not None:
                self._server.stop()
                self._server = None

    def _rebind(self, old: Server, config: ExporterConfig, old_web: WebConfigFile | None) -> None:
        # another port can open beside the old one; the same port, which 0 may have become, must be free first
        beside = config.port != old.port
        if not beside:
            old.stop()
        server = self._listening(config, self._web)
        try:
            server.start()
        except VoltscopeError as error:
            if not beside:
                self._server = self._listening(msgspec.structs.replace(self._config, port=old.port), old_web)
                self._server.start()
            raise ConfigError(
                "port", f"{config.host}:{config.port}: {error.message}", "an address we can have"
            ) from error
        self._server = server
        if beside:
            old.stop()

    def _listening(self, config: ExporterConfig, web: WebConfigFile | None) -> Server:
        return Server(
            self._app,
            config.host,
            config.port,
            certificate=self._path(config.certificate),
            key=self._path(config.key),
            tls=web.context() if web is not None and web.has_tls else None,
        )

    def _web_config(self, config: ExporterConfig) -> WebConfigFile | None:
        """Raises ConfigError for a file that is no good, or that would let anybody in from beyond loopback."""
        path = self._path(config.web_config_file)
        if path is None:
            return None
        web = WebConfigFile(path)
        if not (is_loopback(config.host) or config.credentials or web.authenticates):
            allowed = f"basic_auth_users or RequireAndVerifyClientCert, as {config.host} is not loopback"
            raise ConfigError("web_config_file", "nobody to let in", allowed)
        return web

    def _application(self, config: ExporterConfig, web: WebConfigFile | None) -> ASGIApp:
        access = Access(self._path(config.credentials))
        app = guarded(
            [
                Route("/", self._landing),
                Route("/metrics", self._metrics),
                Route("/-/healthy", _healthy),
            ],
            access,
            open_reads=is_loopback(config.host),
            names=config.names,
            identify=identified,
        )
        return app if web is None else WebConfigured(app, web, access)

    def _path(self, given: str | None) -> Path | None:
        return self._context.data_dir / Path(given).expanduser() if given is not None else None

    def _metrics(self, request: Request) -> Response:
        """A plain function: Starlette runs it in a thread, and scrapes do not wait for one another."""
        config = self._config
        only = _asked_for(request.query_params.getlist("collect[]"), config.disabled_collectors)
        self._exposition.web_config_valid = self._web.valid if self._web is not None else None
        facts_s, collectors_s = limits_s(config, request.headers.get("x-prometheus-scrape-timeout-seconds"))
        metrics = self._exposition.collect(
            facts_timeout_s=facts_s,
            collector_timeout_s=collectors_s,
            fresh_for_s=config.facts_fresh_s,
            disabled=config.disabled_collectors,
            only=only,
        )
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        body = encode(_Families(metrics))
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        if gzip_accepted(request.headers.get("accept-encoding", "")):
            # level 1: a page of 100 agents shrinks to a twentieth in 3 ms; higher levels gain little and cost more
            body = gzip.compress(body, compresslevel=1)
            headers["Content-Encoding"] = "gzip"
        return Response(body, headers=headers)

    def _landing(self, request: Request) -> Response:
        text = landing.page(
            str(self._context.volttron_home),
            self._exposition.help_of(),
            self._exposition.results,
            self._config.disabled_collectors,
        )
        return Response(text, media_type="text/html", headers={"Content-Security-Policy": CSP})

    def _status(self) -> dict[str, Any]:
        return {
            "url": self.url,
            "scrapes": self._exposition.scrapes,
            "collectors": {
                name: {"seconds": result.seconds, "error": result.error}
                for name, result in self._exposition.results.items()
            },
        }

    def _own_cost(self) -> list[dict[str, Any]]:
        with Path("/proc/self/statm").open() as file:
            resident = int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        return [
            _own(
                "voltscope_engine_cpu_seconds_total", "counter", "Processor time the engine used.", time.process_time()
            ),
            _own("voltscope_engine_resident_memory_bytes", "gauge", "Resident set size of the engine.", resident),
            _own("voltscope_engine_scrapes_total", "counter", "Scrapes answered.", self._exposition.scrapes),
        ]


def limits_s(config: ExporterConfig, scrape_timeout: str | None) -> tuple[float, float]:
    """How long the facts and then the collectors may take, in seconds: as configured, less when Prometheus would not
    wait that long; facts take half of it at the most.

    `scrape_timeout` is its header X-Prometheus-Scrape-Timeout-Seconds.
    """
    try:
        waits = float(scrape_timeout) if scrape_timeout else math.inf
    except ValueError:
        waits = math.inf
    left = waits - _SCRAPE_MARGIN_S if waits > 0 else math.inf
    facts = min(config.facts_timeout_s, max(_SHORTEST_S, left / 2))
    return facts, min(config.collector_timeout_s, max(_SHORTEST_S, left - facts))


def _asked_for(names: list[str], disabled: Collection[str]) -> set[str] | None:
    """The collectors of `collect[]`; None when all are wanted. Raises UnknownCollector for one there is not."""
    there_are = [name for name in collectors() if name not in disabled]
    for name in names:
        if name not in there_are:
            what = "is disabled" if name in disabled else "does not exist"
            raise UnknownCollector(f"the collector {name[:80]!r} {what}.", f"There are: {', '.join(there_are)}.")
    return set(names) or None


def _own(name: str, kind: str, help: str, value: float) -> dict[str, Any]:
    return {"name": name, "type": kind, "help": help, "samples": [{"labels": {}, "value": float(value)}]}


def _listener(config: ExporterConfig, web: WebConfigFile | None) -> tuple[object, ...]:
    return (
        config.host,
        config.port,
        config.certificate,
        config.key,
        config.web_config_file,
        web is not None and web.has_tls,
    )


def _check_certificate(certificate: Path | None, key: Path | None) -> None:
    if certificate is None or key is None:
        return
    try:
        listener_context(certificate, key)
    except (OSError, ValueError) as error:
        raise ConfigError(
            "certificate", f"{certificate} with {key}: {error}", "a PEM certificate and its key"
        ) from error


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("voltscope exporter is healthy.\n")
