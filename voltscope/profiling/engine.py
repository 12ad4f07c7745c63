"""The profiler's engine: configuration, the HTTP listener, and the answers to its bridge."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from starlette.types import ASGIApp

from voltscope.configuration import load
from voltscope.engine.service import EngineContext
from voltscope.errors import BadRequest, ConfigError, FrameTooLarge, UnknownMethod, VoltscopeError
from voltscope.live.http import routes as live_routes
from voltscope.live.sessions import Sessions
from voltscope.live.sources import Sources
from voltscope.outbound.keys import ServerKeys
from voltscope.profiling.archive import Archive
from voltscope.profiling.audit import Audited, AuditFile, audit
from voltscope.profiling.backends.registry import Backends
from voltscope.profiling.companions import Companions
from voltscope.profiling.formats import check_format, render
from voltscope.profiling.gallery import Gallery
from voltscope.profiling.http import routes
from voltscope.profiling.metrics import families, sessions
from voltscope.profiling.profiles import Profiles
from voltscope.profiling.pyroscope.http import PREFIX as QUESTIONS
from voltscope.profiling.pyroscope.http import routes as pyroscope_routes
from voltscope.profiling.recorder import Recorder
from voltscope.profiling.settings import ProfilerConfig
from voltscope.profiling.targets import Targets
from voltscope.profiling.threads import MOST_GREENLETS, ThreadDumps
from voltscope.profiling.windows import Windows
from voltscope.web import Access, Server, WebConfigFile, WebConfigured, guarded, identified, is_loopback

# The content goes over the bus to whoever asked, where every megabyte holds up routers and agents alike.
MAX_CONTENT_BYTES = 900_000
# Of a thread dump: some 2 kB each.
_BUS_GREENLETS = 200


class ProfilerEngine:
    """An `EngineService`. `backends` None takes those voltscope knows."""

    def __init__(self, context: EngineContext, backends: Backends | None = None) -> None:
        self._context = context
        self._backends = backends or Backends.standard()
        self._config: ProfilerConfig | None = None
        self._access: Access | None = None
        self._archive: Archive | None = None
        self._windows: Windows | None = None
        self._recorder: Recorder | None = None
        self._server: Server | None = None
        self._web: WebConfigFile | None = None
        self._companions: Companions | None = None
        self._threads: ThreadDumps | None = None
        self._live: Sessions | None = None
        self._audit: AuditFile | None = None

    @property
    def url(self) -> str | None:
        """Where HTTP listens; None while it does not."""
        return self._server.url if self._server else None

    def configure(self, config: Mapping[str, Any]) -> None:
        """Check and apply. Raises ConfigError, and keeps what it had."""
        new = load(ProfilerConfig, config)
        try:
            access = Access(Path(new.credentials) if new.credentials else None)
        except VoltscopeError as error:
            raise ConfigError("credentials", repr(new.credentials), str(error)) from error
        new.check_listening()
        self._web_config(new)
        for server in (new.index, new.grafana, new.pyroscope):
            if server is not None:
                _check_files(server)
        if self._recorder is not None and self._archive is not None:
            if self._config is None or self._config.listening() != new.listening():
                self._listen_anew(new, access)
            self._recorder.apply(new.limits, new.site)
            self._archive.retain(new.retention)
            if self._companions is not None:
                self._companions.apply(new)
        self._config, self._access = new, access

    def start(self) -> None:
        """Open the archive and listen. Raises VoltscopeError when either cannot be done."""
        config = self._config or ProfilerConfig()
        access = self._access or Access(None)
        self._archive = Archive(self._context.data_dir, config.retention)
        self._windows = Windows(self._context.data_dir, config.continuous_retention)
        targets = Targets(self._context.facts, self._context.volttron_home)
        self._recorder = Recorder(targets, self._backends, self._archive, config.limits, config.site, self._kept)
        self._threads = ThreadDumps(targets)
        self._live = Sessions(targets, Sources.standard(self._context.volttron_home))
        self._audit = _audit_file(self._context.data_dir / "audit.log")
        self._server = self._listening(config, access)
        self._companions = Companions(
            self._archive, self._windows, targets, self._recorder, self._context.facts, lambda: self.url
        )
        self._companions.apply(config)

    def handle(self, method: str, params: dict[str, Any]) -> Any:
        """Answer `profile` (blocks until done), `captures`, `capture`, `threads`, `targets`, `metrics` or `status`."""
        recorder = self._running()
        if method == "profile":
            asked = {name: value for name, value in params.items() if value is not None and name != "requested_by"}
            return recorder.profile(asked, str(params.get("requested_by") or "rpc")).as_dict()
        if method == "captures":
            return [capture.as_dict() for capture in recorder.captures()]
        if method == "capture":
            return self._content(params)
        if method == "threads":
            return self._dumped(params, str(params.get("requested_by") or "rpc"), "rpc")
        if method == "targets":
            return recorder.targets()
        if method == "metrics":
            return families(recorder, self._web, self._companions, self._context.volttron_home) + sessions(
                self._sessions()
            )
        if method == "status":
            return self._status(recorder)
        raise UnknownMethod(
            f"the profiler has no method {method!r}.",
            "It has: profile, captures, capture, threads, targets, metrics, status.",
        )

    def stop(self) -> None:
        """Cancel what records, stop listening, close the archive."""
        if self._live is not None:
            self._live.close()
        if self._recorder is not None:
            self._recorder.close()
        if self._companions is not None:
            self._companions.stop()
        if self._server is not None:
            self._server.stop()
        for store in (self._archive, self._windows, self._audit):
            if store is not None:
                store.close()
        self._server = self._recorder = self._archive = self._windows = self._companions = self._audit = None

    def _kept(self) -> None:
        companions = self._companions
        if companions is not None:
            companions.kept()

    def _running(self) -> Recorder:
        if self._recorder is None:
            raise VoltscopeError("the profiler is not started.", "Ask again in a moment.")
        return self._recorder

    def _sessions(self) -> Sessions:
        if self._live is None:
            raise VoltscopeError("the profiler is not started.", "Ask again in a moment.")
        return self._live

    def _profiles(self) -> Profiles:
        if self._archive is None or self._windows is None:
            raise VoltscopeError("the profiler is not started.", "Ask again in a moment.")
        return Profiles(self._archive, self._windows)

    def _listen_anew(self, config: ProfilerConfig, access: Access) -> None:
        """Listen as `config` says, and as before where that cannot be had."""
        before = self._config or ProfilerConfig()
        old, self._server = self._server, None
        beside = old is None or old.port != config.port  # the same port must be free first
        if old is not None and not beside:
            old.stop()
        web = self._web
        try:
            self._server = self._listening(config, access)
        except VoltscopeError as error:
            self._web = web
            if old is not None and not beside:
                old = self._listening(msgspec.structs.replace(before, port=old.port), self._access or Access(None))
            self._server = old
            raise ConfigError(
                "host, port", f"{config.host}:{config.port}: {error}", "what can be listened on"
            ) from error
        if old is not None and beside:
            old.stop()

    def _listening(self, config: ProfilerConfig, access: Access) -> Server:
        app: ASGIApp = guarded(
            [
                *routes(self._running, self._gallery, self._alerted, self._dumped, self._sampled),
                *pyroscope_routes(self._profiles),
                *live_routes(self._sessions),
            ],
            access,
            open_reads=is_loopback(config.host),
            names=config.names,
            identify=identified,
            questions=(QUESTIONS,),
        )
        web = self._web = self._web_config(config)
        server = Server(
            Audited(app if web is None else WebConfigured(app, web, access)),
            config.host,
            config.port,
            certificate=Path(config.certificate) if config.certificate else None,
            key=Path(config.key) if config.key else None,
            tls=web.context() if web is not None and web.has_tls else None,
        )
        server.start()
        return server

    def _web_config(self, config: ProfilerConfig) -> WebConfigFile | None:
        """Raises ConfigError for a file that is no good."""
        path = config.web_config_file
        return WebConfigFile(self._context.data_dir / Path(path).expanduser()) if path else None

    def _alerted(self, notification: dict[str, Any]) -> dict[str, Any]:
        companions, config = self._companions, self._config or ProfilerConfig()
        if companions is None:
            raise VoltscopeError("the profiler is not started.", "Ask again in a moment.")
        return companions.triggers.alerted(notification, config.alert_seconds)

    def _dumped(self, params: dict[str, Any], who: str, via: str) -> dict[str, Any]:
        """A thread dump of the agent that `params` name, with its line in the audit."""
        recorder, threads = self._running(), self._threads
        if threads is None:
            raise VoltscopeError("the profiler is not started.", "Ask again in a moment.")
        try:
            recorder.admit(who, time.time())
            found = threads.dump(params.get("agent"), MOST_GREENLETS if via == "http" else _BUS_GREENLETS)
            if via == "rpc" and (size := len(msgspec.json.encode(found))) > MAX_CONTENT_BYTES:
                raise FrameTooLarge(
                    f"the thread dump has {size} bytes; {MAX_CONTENT_BYTES} fit the bus.",
                    f"Ask over HTTP: POST {self.url}/api/threads",
                )
        except VoltscopeError as error:
            audit("threads", who, via, params, error)
            raise
        audit("threads", who, via, params)
        return found

    def _sampled(self) -> list[dict[str, Any]]:
        return self._companions.continuous.status() if self._companions else []

    def _gallery(self) -> Gallery:
        return Gallery(self._running(), self._profiles())

    def _content(self, params: dict[str, Any]) -> dict[str, str]:
        capture_id, form = params.get("id"), params.get("format") or "svg"
        if not isinstance(capture_id, str) or not isinstance(form, str):
            raise BadRequest("parameter id is missing.", "List captures, and take an id from there.")
        check_format(form)
        content = render(self._gallery().capture(capture_id), form)
        if form == "pb.gz":  # JSON holds text alone
            content = base64.b64encode(content)
        if len(content) > MAX_CONTENT_BYTES:
            raise FrameTooLarge(
                f"capture {capture_id} as {form} has {len(content)} bytes; {MAX_CONTENT_BYTES} fit the bus.",
                f"Fetch it over HTTP: {self.url}/captures/{capture_id}.{form}",
            )
        return {"content": content.decode()}

    def _status(self, recorder: Recorder) -> dict[str, Any]:
        return {
            "url": self.url,
            "running": recorder.running,
            **(self._companions.status() if self._companions else {}),
            "backends": [
                {"name": backend.name, "version": backend.version(), "available": backend.available()}
                for backend in self._backends.all
            ],
        }


def _audit_file(path: Path) -> AuditFile:
    try:
        file = AuditFile(path)
    except OSError as error:
        raise VoltscopeError(f"cannot write the audit {path}: {error}.", "Check its owner and its disk.") from error
    file.begin()
    return file


def _check_files(settings: ServerKeys) -> None:
    """Raises ConfigError naming the file that cannot be used."""
    from voltscope.outbound.http_client import HttpClient

    HttpClient(settings)
