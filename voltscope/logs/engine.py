"""The logship engine: follows the platform's log into the store and on to the receivers, and counts."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from voltscope.configuration import load
from voltscope.engine.service import EngineContext
from voltscope.errors import ConfigError, StoreError, UnknownMethod
from voltscope.logs.discover import platform_log
from voltscope.logs.identity import Identities
from voltscope.logs.metrics import families
from voltscope.logs.parse import timezone_of
from voltscope.logs.pipeline import Pipeline, host_id
from voltscope.logs.redact import Redactor
from voltscope.logs.settings import LogshipConfig, Receiver
from voltscope.logs.shipper import Shipper
from voltscope.logs.store import Store
from voltscope.logs.transports.syslog import SyslogTransport
from voltscope.platform.home import instance_name

POLL_S = 0.25
_DISCOVER_EVERY_S = 10.0
_FACTS_EVERY_S, _FACTS_SOON_S = 60.0, 3.0
_MAINTAIN_EVERY_S = 10.0
_COMPLAIN_EVERY_S = 60.0
_PAUSE_S = 2.0  # after a failure
_MB = 1024 * 1024


class LogshipEngine:
    """One engine. Threads: one that reads and stores, one that asks for facts, one for each receiver."""

    def __init__(self, context: EngineContext) -> None:
        self._context = context
        self._config = LogshipConfig()
        self._zone = timezone_of(None)
        self.counts: Counter[tuple[str, str]] = Counter()
        self.redactions: Counter[str] = Counter()
        self.scrape_errors: Counter[str] = Counter()
        self._redactor = Redactor(counts=self.redactions)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._ask = threading.Event()
        self._threads: list[threading.Thread] = []
        self._store: Store | None = None
        self._identities: Identities | None = None
        self._pipelines: dict[Path, Pipeline] = {}
        self._shippers: dict[Receiver, Shipper] = {}
        self._found: Path | None = None
        self._found_at = -_DISCOVER_EVERY_S
        self._bytes = self._cut = self._missed = 0
        self._deleted = self._store_failures = 0
        self._complained_at = -_COMPLAIN_EVERY_S

    # EngineService

    def configure(self, config: Mapping[str, Any]) -> None:
        """Check all of it, then apply all of it. Raises ConfigError and changes nothing."""
        wanted = load(LogshipConfig, config)
        zone = timezone_of(wanted.timezone)
        _check_paths(wanted.log_files)
        redactor = Redactor(wanted.redaction_patterns, self.redactions)
        with self._lock:
            self._config, self._zone, self._redactor = wanted, zone, redactor
            self._found_at = -_DISCOVER_EVERY_S
            for pipeline in self._pipelines.values():
                pipeline.redactor = redactor
                pipeline.set_zone(zone)
            if self._store is not None:
                self._label()
        if self._store is not None:
            self._ship()

    def start(self) -> None:
        """Open the store and begin. Raises StoreError."""
        self._store = Store.open(self._context.data_dir / "logs.sqlite")
        self._identities = Identities(self._context.volttron_home, known=self._store.pids())
        self._label()
        self._ship()
        for target in (self._follow, self._learn):
            thread = threading.Thread(target=target, name=f"logship {target.__name__}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def handle(self, method: str, params: dict[str, Any]) -> Any:
        """`status`: what it reads, stores and ships. `metrics`: families, in the form of RPC voltscope.metrics."""
        if method == "status":
            return self._status()
        if method == "metrics":
            return families(self.counts, self.redactions, self.scrape_errors, self._status())
        raise UnknownMethod(f"logship has no method {method!r}.", "It has status and metrics.")

    def stop(self) -> None:
        """Commit what is complete and end; what is not is read again next time."""
        self._stop.set()
        self._ask.set()
        for thread in self._threads:
            thread.join()
        for shipper in self._shippers.values():
            shipper.stop()
        if self._store is not None:
            self._store.close()

    # Reading

    def _follow(self) -> None:
        assert self._store is not None and self._identities is not None  # noqa: S101  (start made them)
        maintained = time.monotonic()
        while not self._stop.is_set():
            busy = False
            try:
                with self._lock:
                    self._choose(self._store, self._identities)
                    busy = True in [pipeline.step() for pipeline in self._pipelines.values()]
                    if self._identities.wants_facts:
                        self._ask.set()
                if time.monotonic() - maintained >= _MAINTAIN_EVERY_S:
                    limit = int(self._config.retention_mb * _MB)
                    deleted = self._store.maintain(self._config.retention_days, limit, time.time())
                    self._deleted += deleted
                    maintained = time.monotonic() - (_MAINTAIN_EVERY_S - POLL_S if deleted else 0)
            except (StoreError, OSError) as error:
                self._store_failures += 1
                self._complain(error)
                self._stop.wait(_PAUSE_S)  # nothing is lost: reading goes on where the store is
            except Exception as error:
                # Anything may stand in a log. What was taken of it and not stored is read again; a thread that
                # died here would end all shipping, and nobody would hear of it.
                self._store_failures += 1
                self._complain(error)
                with self._lock:
                    self._abandon()
                self._stop.wait(_PAUSE_S)
            if not busy:
                self._stop.wait(POLL_S)
        with self._lock:
            for pipeline in self._pipelines.values():
                pipeline.close()

    def _choose(self, store: Store, identities: Identities) -> None:
        """Follow the configured logs, or the running platform's; the last one found stays until another is."""
        if time.monotonic() - self._found_at < _DISCOVER_EVERY_S:
            return
        self._found_at = time.monotonic()
        if self._config.log_files:
            paths = {Path(name).expanduser() for name in self._config.log_files}
        else:
            remembered = self._context.data_dir / "last-log"
            found = platform_log(self._context.volttron_home)
            if found is not None and found != self._found:
                remembered.write_text(str(found), "utf-8")
            elif found is None and self._found is None and remembered.exists():
                found = Path(remembered.read_text("utf-8"))
            self._found = found or self._found
            paths = {self._found or self._context.volttron_home / "volttron.log"}
        for path in [path for path in self._pipelines if path not in paths]:
            pipeline = self._pipelines.pop(path)
            pipeline.close()
            self._add_up(pipeline)
        for path in paths - set(self._pipelines):
            self._pipelines[path] = Pipeline(
                path,
                store,
                identities,
                self._redactor,
                self._zone,
                host_id(),
                instance_name(self._context.volttron_home),
                int(self._config.first_mb * _MB) if self._config.from_start else 0,
                counts=self.counts,
                scrape_errors=self.scrape_errors,
            )

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
                try:
                    with self._lock:
                        self._identities.learn_facts(facts)
                        self._label()
                except StoreError as error:
                    self._store_failures += 1
                    self._complain(error)  # the next answer brings the labels again
            if self._stop.wait(_FACTS_SOON_S):
                return
            self._ask.wait(_FACTS_EVERY_S)
            self._ask.clear()

    def _label(self) -> None:
        assert self._store is not None  # noqa: S101  (the callers' condition)
        host = socket.gethostname()
        instance = instance_name(self._context.volttron_home)
        self._store.set_labels({"site": self._config.site or host, "instance": instance, "host": host})

    def _ship(self) -> None:
        """Start and stop shippers so that they are those of the configuration."""
        assert self._store is not None  # noqa: S101  (the callers' condition)
        for receiver in [receiver for receiver in self._shippers if receiver not in self._config.receivers]:
            self._shippers.pop(receiver).stop()
        for receiver in self._config.receivers:
            if receiver not in self._shippers:
                transport = SyslogTransport(
                    receiver.host, receiver.port, receiver.protocol, receiver.framing, receiver.ca_file
                )
                self._shippers[receiver] = Shipper(self._store, transport)
                self._shippers[receiver].start()

    # Telling

    def _status(self) -> dict[str, Any]:
        store = self._store
        pipelines = list(self._pipelines.items())
        return {
            "logs": [
                {"path": str(path), "lag_bytes": pipeline.lag_bytes(), "exists": path.exists()}
                for path, pipeline in pipelines
            ],
            "records": sum(self.counts.values()),
            "bytes": self._bytes + sum(pipeline.bytes for _, pipeline in pipelines),
            "cut": self._cut + sum(pipeline.cut for _, pipeline in pipelines),
            "missed_generations": self._missed + sum(pipeline.missed for _, pipeline in pipelines),
            "store": {
                "path": str(store.path) if store else None,
                "first_id": store.first_id() if store else 0,
                "last_id": store.last_id() if store else 0,
                "bytes": store.size_bytes() if store else 0,
                "deleted": self._deleted,
                "failures": self._store_failures,
            },
            "receivers": [
                {"name": shipper.transport.name, **vars(shipper.delivery)} for shipper in list(self._shippers.values())
            ],
        }

    def _complain(self, error: Exception) -> None:
        """One line a minute at most: the platform logs what we say, and we read what it logs."""
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
