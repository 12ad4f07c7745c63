"""One scrape: all collectors at once, each in a thread of its own with a time limit, each judged."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from prometheus_client.core import Metric

from voltscope.engine.service import FactsAnswer
from voltscope.metrics.collectors import Collector, collectors
from voltscope.metrics.families import Family, Samples, counter, gauge, info
from voltscope.metrics.snapshot import Snapshot, take_snapshot
from voltscope.platform.processes import ProcessTable
from voltscope.version import __version__

_log = logging.getLogger(__name__)

DURATION = gauge("voltscope_collector_duration_seconds", "How long a collector took in this scrape.", "collector")
SUCCESS = gauge(
    "voltscope_collector_success",
    "Whether a collector delivered; when 0, its series are missing, or of an earlier scrape.",
    "collector",
)
AGE = gauge(
    "voltscope_collector_age_seconds",
    "Age of a collector's series: 0 unless it was too slow and its last answer stands in. Absent without series.",
    "collector",
)
FACTS_AGE = gauge(
    "voltscope_facts_age_seconds", "Age of what the platform last told; absent when no bridge ever answered."
)
FACTS_FRESH = gauge("voltscope_facts_fresh", "Whether the platform's facts are fresh; when 0, only /proc is.")
BUILD_INFO = info("voltscope_build_info", "The version of voltscope.", "version")
SCRAPES = counter("voltscope_scrapes_total", "Scrapes answered since the engine started, this one included.")
ENGINE_RESTARTS = counter(
    "voltscope_engine_restarts_total", "How often the exporter's engine was started again in its data directory."
)
WEB_CONFIG_VALID = gauge(
    "voltscope_web_config_valid",
    "Whether the web configuration file as it is now is in force; when 0, what it said before is. Absent without one.",
)
OWN_FAMILIES = (DURATION, SUCCESS, AGE, FACTS_AGE, FACTS_FRESH, BUILD_INFO, SCRAPES, ENGINE_RESTARTS, WEB_CONFIG_VALID)


@dataclass(frozen=True)
class Result:
    """How a collector did in one scrape. `error` is None when it delivered; `late`: its time was up."""

    seconds: float
    error: str | None
    late: bool = False


class _Run:
    """One collector at work in a thread; abandoned, not stopped, when its time is up, for threads cannot be."""

    def __init__(self, collector: Collector, snapshot: Snapshot, timer: Callable[[], float]) -> None:
        self.metrics: list[Metric] = []
        self.error: str | None = None
        self.failure: Exception | None = None
        self.now = snapshot.now
        self.started = timer()
        self.seconds: float | None = None
        self._collector, self._snapshot, self._timer = collector, snapshot, timer
        self.thread = threading.Thread(target=self._run, name=f"collect-{collector.name}", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        samples = Samples(self._collector.families)
        try:
            self._collector.collect(self._snapshot, samples)
            self.metrics = samples.metrics()
        except Exception as error:
            # whatever a collector dies of costs its own series only; success 0 and the log tell
            self.failure = error
            self.error = f"{type(error).__name__}: {error}"
        self.seconds = self._timer() - self.started


class Exposition:
    """Makes the families of each scrape anew; scrapes may run at the same time."""

    def __init__(
        self,
        facts: Callable[[float], FactsAnswer],
        volttron_home: Path,
        data_dir: Path,
        *,
        registered: Iterable[type[Collector]] | None = None,
        processes: ProcessTable | None = None,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """`registered`: the collectors, by default all there are. `clock`: seconds since the epoch."""
        kinds = collectors().values() if registered is None else registered
        self._collectors = [kind(data_dir) for kind in kinds]
        self._facts, self._home = facts, volttron_home
        self._processes = processes or ProcessTable()
        self._clock, self._timer = clock, timer
        self._lock = threading.Lock()
        self._hanging: dict[str, _Run] = {}
        self._results: dict[str, Result] = {}
        self._last: dict[str, _Run] = {}
        self._keepers = {collector.name for collector in self._collectors if collector.keeps_s}
        self._scrapes = 0
        self.engine_restarts = 0
        self.web_config_valid: bool | None = None

    @property
    def results(self) -> dict[str, Result]:
        """How each collector did last, by name."""
        with self._lock:
            return dict(self._results)

    @property
    def scrapes(self) -> int:
        """Scrapes begun since the engine started."""
        return self._scrapes

    def help_of(self) -> dict[str, str]:
        """What each collector is for, by name."""
        return {collector.name: collector.help for collector in self._collectors}

    def collect(
        self,
        *,
        facts_timeout_s: float,
        collector_timeout_s: float,
        fresh_for_s: float,
        disabled: Collection[str] = (),
        only: Collection[str] | None = None,
    ) -> list[Metric]:
        """All families of one scrape; never takes much longer than the two time limits together.

        `only`: the collectors asked for, by name; None asks for all. One that still hangs from an earlier scrape is
        not started again; its last answer stands in where the collector lets it.
        """
        answer = self._facts(facts_timeout_s)
        snapshot = take_snapshot(
            answer, now=self._clock(), volttron_home=self._home, processes=self._processes, fresh_for_s=fresh_for_s
        )
        wanted = [
            collector
            for collector in self._collectors
            if collector.name not in disabled and (only is None or collector.name in only)
        ]
        runs = self._start(wanted, snapshot)
        deadline = time.monotonic() + collector_timeout_s
        own = Samples(OWN_FAMILIES)
        metrics: list[Metric] = []
        for collector in wanted:
            run, is_ours = runs[collector.name]
            if is_ours:
                run.thread.join(max(0.0, deadline - time.monotonic()))
            result = self._judge(collector.name, run, is_ours, collector_timeout_s)
            own.set(DURATION, result.seconds, collector=collector.name)
            own.set(SUCCESS, float(result.error is None), collector=collector.name)
            answer_of = run if result.error is None else self._stand_in(collector, result, snapshot.now)
            if answer_of is not None:
                age = 0.0 if answer_of is run else snapshot.now - answer_of.now
                own.set(AGE, age, collector=collector.name)
                metrics += older(answer_of.metrics, age)
        own.set(FACTS_AGE, snapshot.facts_age_s)
        own.set(FACTS_FRESH, float(snapshot.fresh))
        own.set(BUILD_INFO, 1.0, version=__version__)
        own.set(SCRAPES, self._scrapes)
        own.set(ENGINE_RESTARTS, self.engine_restarts)
        own.set(WEB_CONFIG_VALID, self.web_config_valid)
        return metrics + own.metrics()

    def _start(self, wanted: Iterable[Collector], snapshot: Snapshot) -> dict[str, tuple[_Run, bool]]:
        """The run of each collector, and whether this scrape started it (or found it hanging)."""
        with self._lock:
            self._scrapes += 1
            for name in [name for name, run in self._hanging.items() if not run.thread.is_alive()]:
                self._delivered(name, self._hanging.pop(name))
            return {
                collector.name: (self._hanging[collector.name], False)
                if collector.name in self._hanging
                else (_Run(collector, snapshot, self._timer), True)
                for collector in wanted
            }

    def _stand_in(self, collector: Collector, result: Result, now: float) -> _Run | None:
        """The last answer of a collector that is late, while it may stand in. One that failed has none."""
        with self._lock:
            last = self._last.get(collector.name)
        return last if result.late and last is not None and 0 <= now - last.now <= collector.keeps_s else None

    def _judge(self, name: str, run: _Run, is_ours: bool, limit: float) -> Result:
        with self._lock:
            if is_ours and run.seconds is not None:
                result = Result(run.seconds, run.error)
                before = self._results.get(name)
                if run.failure is not None and (before is None or before.error != run.error):
                    # once, not with every scrape: a traceback each five seconds fills a log
                    _log.warning("collector %s failed", name, exc_info=run.failure)
                self._delivered(name, run)
            else:
                if run.thread.is_alive() and name not in self._hanging:
                    self._hanging[name] = run
                    _log.warning("collector %s did not answer within %g s", name, limit)
                result = Result(self._timer() - run.started, f"no answer within {limit:g} s", late=True)
            self._results[name] = result
            return result

    def _delivered(self, name: str, run: _Run) -> None:
        """Keep a good answer for collectors that are slow one day; late ones are answers, too."""
        if run.error is None and name in self._keepers:
            self._last[name] = run


def older(metrics: list[Metric], age: float) -> list[Metric]:
    """Families as they are `age` seconds later when nothing happened since: whatever is an age has grown."""
    if not age:
        return metrics
    aged = []
    for metric in metrics:
        if metric.name.endswith("_age_seconds"):
            grown = Metric(metric.name, metric.documentation, metric.type)
            for sample in metric.samples:
                grown.add_sample(sample.name, sample.labels, sample.value + age)
            metric = grown
        aged.append(metric)
    return aged


def declared() -> dict[str, tuple[Family, ...]]:
    """Every family there is, by the collector that fills it; the exporter's own under `exporter`."""
    return {name: kind.families for name, kind in collectors().items()} | {"exporter": OWN_FAMILIES}


class _Starts(msgspec.Struct):
    version: int = 1
    starts: int = 0


def count_start(path: Path) -> int:
    """How often an engine was started in this data directory before, counted in `path`."""
    try:
        before = msgspec.json.decode(path.read_bytes(), type=_Starts).starts
    except FileNotFoundError:
        before = 0
    except (OSError, msgspec.DecodeError) as error:
        _log.warning("engine restarts start at 0: cannot read %s: %s", path, error)
        before = 0
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(_Starts(starts=before + 1)))
        new.replace(path)
    except OSError as error:
        _log.warning("this start of the engine is not counted: cannot write %s: %s", path, error)
    return before
