"""The logship engine: follows the platform's log into the spool, and from there on to receivers and the search."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from voltscope.configuration import load
from voltscope.engine.service import EngineContext
from voltscope.errors import ConfigError, UnknownMethod, VoltscopeError
from voltscope.logs.discover import platform_log
from voltscope.logs.identity import Identities
from voltscope.logs.metrics import families
from voltscope.logs.moments import timezone_of
from voltscope.logs.parse import format_of
from voltscope.logs.pipeline import Pipeline, host_id
from voltscope.logs.receiving import Receiving
from voltscope.logs.record import Origin
from voltscope.logs.redact import Redactor
from voltscope.logs.settings import LogshipConfig
from voltscope.logs.spool import Limits, Spool
from voltscope.platform.home import instance_name
from voltscope.search.segment_index import index_sealed

POLL_S = 0.25
SPOOL = "spool"  # in the data directory
_DISCOVER_EVERY_S = 10.0
_FACTS_EVERY_S, _FACTS_SOON_S = 60.0, 3.0
_KEEP_HOUSE_EVERY_S, _KEEP_HOUSE_SOON_S = 10.0, 0.5
_COMPLAIN_EVERY_S = 60.0
_PAUSE_S = 2.0  # after a failure
_STOP_S = 3.0  # with what receivers get less than an engine has
_MB = 1024 * 1024


class LogshipEngine:
    """One engine. Threads: one reads into the spool, one asks for facts, one keeps house, one verifies what receivers
    took, and one for each receiver.
    """

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self.counts: Counter[tuple[str, str]] = Counter()
        self.dropped: Counter[tuple[str, str]] = Counter()
        self.redactions: Counter[str] = Counter()
        self.scrape_errors: Counter[str] = Counter()
        self._take(LogshipConfig())
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._ask = threading.Event()
        self._threads: list[threading.Thread] = []
        self._spool: Spool | None = None
        self._identities: Identities | None = None
        self._pipelines: dict[Path, Pipeline] = {}
        self._receiving: Receiving | None = None
        self._found: Path | None = None
        self._found_at = -_DISCOVER_EVERY_S
        self._bytes = self._cut = self._missed = 0
        self._failures = 0
        self._complained_at = -_COMPLAIN_EVERY_S

    # EngineService

    def configure(self, config: Mapping[str, Any]) -> None:
        """Check all of it, then apply all of it. Raises ConfigError and changes nothing."""
        wanted = load(LogshipConfig, config)
        _check_paths(wanted.log_files)
        receiving = self._receiving
        prepared = receiving.prepare(wanted.receivers) if receiving is not None else None
        with self._lock:
            self._take(wanted)
            self._found_at = -_DISCOVER_EVERY_S
            for pipeline in self._pipelines.values():
                pipeline.configure(self._redactor, self._format, self._zone, self._config.policing)
                pipeline.origin = self._origin()
            if self._spool is not None:
                self._spool.limits = self._limits()
        if receiving is not None and prepared is not None:
            receiving.apply(prepared)

    def _take(self, wanted: LogshipConfig) -> None:
        """Make what the configuration says. Raises ConfigError, and then nothing changed."""
        zone, form = timezone_of(wanted.timezone), format_of(wanted.format, wanted.datefmt)
        redactor = Redactor(wanted.redaction_patterns, self.redactions, wanted.redaction_off)
        self._config, self._zone, self._format, self._redactor = wanted, zone, form, redactor

    def start(self) -> None:
        """Open the spool and begin. Raises SpoolError, ConfigError."""
        folder = self._context.data_dir
        self._spool = Spool.open(folder / SPOOL, self._limits())
        self._identities = Identities(self._context.volttron_home, known=self._spool.pids())
        self._receiving = Receiving(folder, self._spool)
        try:
            self._receiving.apply(self._receiving.prepare(self._config.receivers))
        except VoltscopeError:
            self._spool.close()
            raise
        for target in (self._follow, self._learn, self._keep_house, self._verify):
            thread = threading.Thread(target=target, name=f"logship {target.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def handle(self, method: str, params: dict[str, Any]) -> Any:
        """`status`: what it reads, keeps and ships. `metrics`: families, in the form of RPC voltscope.metrics."""
        if method == "status":
            return self._status()
        if method == "metrics":
            return families(self.counts, self.dropped, self.redactions, self.scrape_errors, self._status())
        raise UnknownMethod(f"logship has no method {method!r}.", "It has status and metrics.")

    def stop(self) -> None:
        """Commit what is complete and end; what is not is read again next time."""
        self._stop.set()
        self._ask.set()
        for thread in self._threads:
            # Who reads back waits for a receiver, which may say nothing; it writes nothing that a stop would spoil.
            thread.join(_STOP_S if thread.name.endswith("_verify") else None)
        if self._receiving is not None:
            self._receiving.stop()
        if self._spool is not None:
            self._spool.close()

    def _limits(self) -> Limits:
        config = self._config
        return Limits(
            total_bytes=int(config.retention_mb * _MB),
            max_age_s=config.retention_days * 86400,
            when_full=config.when_full,
        )

    def _origin(self) -> Origin:
        host = socket.gethostname()
        return Origin(self._config.site or host, instance_name(self._context.volttron_home), host)

    # Reading

    def _follow(self) -> None:
        assert self._spool is not None and self._identities is not None  # noqa: S101  (start made them)
        while not self._stop.is_set():
            busy = False
            try:
                with self._lock:
                    self._choose(self._spool, self._identities)
                    busy = True in [pipeline.step() for pipeline in self._pipelines.values()]
                    if self._identities.wants_facts:
                        self._ask.set()
            except Exception as error:
                # Anything may stand in a log, and a disk may refuse. What was taken and is not in the spool is read
                # again; a thread that died here would end all shipping, and nobody would hear of it.
                self._complain(error)
                if not isinstance(error, (VoltscopeError, OSError)):
                    with self._lock:
                        self._abandon()
                self._stop.wait(_PAUSE_S)
            if not busy:
                self._stop.wait(POLL_S)
        with self._lock:
            for pipeline in self._pipelines.values():
                pipeline.close()

    def _choose(self, spool: Spool, identities: Identities) -> None:
        """Follow the configured logs, or the running platform's; the last one found stays until another is."""
        if time.monotonic() - self._found_at < _DISCOVER_EVERY_S:
            return
        self._found_at = time.monotonic()
        paths = {Path(name).expanduser() for name in self._config.log_files} or {self._platform_log()}
        for path in [path for path in self._pipelines if path not in paths]:
            pipeline = self._pipelines.pop(path)
            pipeline.close()
            self._add_up(pipeline)
        for path in paths - set(self._pipelines):
            self._pipelines[path] = Pipeline(
                path,
                spool,
                identities,
                self._redactor,
                self._zone,
                host_id(),
                self._origin(),
                int(self._config.first_mb * _MB) if self._config.from_start else 0,
                self._format,
                self._config.policing,
                counts=self.counts,
                dropped=self.dropped,
                scrape_errors=self.scrape_errors,
            )

    def _platform_log(self) -> Path:
        """The running platform's log; of one that is down, the log it had."""
        remembered = self._context.data_dir / "last-log"
        found = platform_log(self._context.volttron_home)
        if found is not None and found != self._found:
            remembered.write_text(str(found), "utf-8")
        elif found is None and self._found is None and remembered.exists():
            found = Path(remembered.read_text("utf-8"))
        self._found = found or self._found
        return self._found or self._context.volttron_home / "volttron.log"

    def _abandon(self) -> None:
        """Leave all pipelines as they are; the next look makes them anew from their last positions."""
        while self._pipelines:
            _, pipeline = self._pipelines.popitem()
            pipeline.abandon()
            self._add_up(pipeline)
        self._found_at = -_DISCOVER_EVERY_S

    def _add_up(self, pipeline: Pipeline) -> None:
        self._bytes, self._cut = self._bytes + pipeline.bytes, self._cut + pipeline.cut
        self._missed += pipeline.missed

    def _learn(self) -> None:
        """Ask the bridge who is who: seldom, and soon when lines of an unknown process come."""
        while not self._stop.is_set():
            facts = self._context.facts(5.0).facts
            if facts is not None and self._identities is not None:
                with self._lock:
                    self._identities.learn_facts(facts)
                    for pipeline in self._pipelines.values():
                        pipeline.origin = self._origin()
            if self._stop.wait(_FACTS_SOON_S):
                return
            self._ask.wait(_FACTS_EVERY_S)
            self._ask.clear()

    # Keeping house

    def _keep_house(self) -> None:
        """Retention and the search's indexes, beside everything else."""
        assert self._spool is not None  # noqa: S101  (start made it)
        verified: set[Path] = set()
        pause = _KEEP_HOUSE_EVERY_S
        while not self._stop.wait(pause):
            made: int | None = 0
            self._guarded(lambda spool=self._spool: spool.maintain(time.time()))  # type: ignore[misc]
            if self._config.search:
                made = self._guarded(lambda: index_sealed(self._context.data_dir / SPOOL, self._stop.is_set, verified))
            # While a log is caught up with, a segment is full within a second, and a search reads those without index.
            pause = _KEEP_HOUSE_SOON_S if made else _KEEP_HOUSE_EVERY_S

    def _verify(self) -> None:
        """Read back, in a thread of its own: a receiver may take its time to answer."""
        assert self._receiving is not None  # noqa: S101  (start made it)
        while not self._stop.wait(_KEEP_HOUSE_EVERY_S):
            self._guarded(lambda receiving=self._receiving: receiving.verify(time.time()))  # type: ignore[misc]

    def _guarded(self, work: Callable[[], int]) -> int | None:
        """What `work` gives. A disk that refuses is told of and tried again: this thread must outlive it."""
        try:
            return work()
        except Exception as error:
            self._complain(error)
            return None

    # Telling

    def _status(self) -> dict[str, Any]:
        spool, pipelines = self._spool, list(self._pipelines.items())
        stat = spool.stat() if spool is not None else None
        receiving = self._receiving
        return {
            "logs": [
                {"path": str(path), "lag_bytes": pipeline.lag_bytes(), "exists": path.exists()}
                for path, pipeline in pipelines
            ],
            "records": sum(self.counts.values()),
            "bytes": self._bytes + sum(pipeline.bytes for _, pipeline in pipelines),
            "cut": self._cut + sum(pipeline.cut for _, pipeline in pipelines),
            "missed_generations": self._missed + sum(pipeline.missed for _, pipeline in pipelines),
            "spool": {
                "path": str(self._context.data_dir / SPOOL),
                "id": stat.id if stat else None,
                "first": stat.first if stat else 1,
                "last": stat.last if stat else 0,
                "bytes": stat.bytes if stat else 0,
                "limit_bytes": self._limits().total_bytes,
                "oldest": stat.oldest if stat else None,
                "dropped": stat.dropped if stat else 0,
                "lost": stat.lost if stat else 0,
                "failures": self._failures,
            },
            "receivers": receiving.status() if receiving is not None else [],
            "verified": receiving.verified() if receiving is not None else [],
        }

    def _complain(self, error: Exception) -> None:
        """One line a minute at most: the platform logs what we say, and we read what it logs."""
        self._failures += 1
        if time.monotonic() - self._complained_at >= _COMPLAIN_EVERY_S:
            self._complained_at = time.monotonic()
            print(f"logship: {error or type(error).__name__}", file=sys.stderr, flush=True)


def _check_paths(names: tuple[str, ...]) -> None:
    for index, name in enumerate(names):
        try:
            Path(name).expanduser().stat()
        except (RuntimeError, ValueError) as error:  # ~ of nobody, a NUL in the name
            raise ConfigError(f"log_files[{index}]", repr(name), f"a path ({error})") from error
        except OSError:
            continue  # it may come later
