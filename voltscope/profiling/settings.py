"""The profiler's configuration: its schema, defaults and limits."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from voltscope.configuration import Config
from voltscope.listening import Listening, ListenPort
from voltscope.outbound.keys import IndexName, ServerKeys
from voltscope.profiling.archive import Retention
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.request import Limits
from voltscope.profiling.windows import WindowRetention
from voltscope.site import PROFILER_PORT

_Positive = Annotated[int, msgspec.Meta(ge=1)]


class ServerSettings(ServerKeys, frozen=True, kw_only=True):
    """A server that something kept here is sent to as well."""

    @property
    def destination(self) -> str:
        """Names the server: what one has goes to another all the same."""
        return self.urls[0].rstrip("/")


class IndexSettings(ServerSettings, frozen=True, kw_only=True):
    """Where captures are indexed: Elasticsearch or OpenSearch.

    `index`: monthly indices are named `<index>-YYYY.MM`. `template`: make an index template of that name when there
    is none. `console`: base URL of the console that links lead to, the profiler's own when None.
    """

    index: IndexName = "voltscope-profiles"
    template: bool = True
    console: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s?#]+$")] | None = None

    @property
    def destination(self) -> str:
        """Names the store: captures that one has go to another all the same."""
        return f"{self.urls[0].rstrip('/')}/{self.index}"


class ContinuousSettings(Config, frozen=True, kw_only=True):
    """What is sampled all the time: `agents` (identities, * stands for anything), `rate` in hertz, `kind`.

    Memory is no kind of it: windows count samples, and what reads memory is not for an agent at work.
    `window_s`: seconds merged into one window. `most_agents`: sampled at once.
    """

    agents: tuple[str, ...] = ()
    rate: Annotated[int, msgspec.Meta(ge=1, le=100)] = 19
    kind: Literal["cpu", "wall", "gil"] = "cpu"
    window_s: Annotated[int, msgspec.Meta(ge=1, le=600)] = 60
    most_agents: Annotated[int, msgspec.Meta(ge=1, le=64)] = 16

    @property
    def sampled(self) -> Kind:
        """`kind`, as backends know it."""
        return Kind(self.kind)


class PyroscopeSettings(ServerSettings, frozen=True, kw_only=True):
    """A Pyroscope server that continuous windows are sent to as well. `tenant`: its X-Scope-OrgID."""

    tenant: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9!_.*'()-]{1,150}$")] | None = None


class GrafanaSettings(ServerSettings, frozen=True, kw_only=True):
    """A Grafana whose dashboards are annotated with captures.

    `token_file`: a service account's token that may write annotations. `dashboard`: the UID of the one dashboard to
    annotate; all that show annotations of our tags when None. `tags`: besides `voltscope` and the agent. `console`:
    base URL of the console that links lead to, the profiler's own when None.
    """

    dashboard: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None
    tags: tuple[str, ...] = ()
    console: Annotated[str, msgspec.Meta(pattern=r"^https?://[^\s?#]+$")] | None = None

    @property
    def destination(self) -> str:
        """Names the server."""
        return f"grafana {self.urls[0].rstrip('/')}"


class TriggerSettings(Config, frozen=True, kw_only=True):
    """A capture that is taken by itself.

    `when` `cpu`: the agent took more than `over_percent` of a processor for `for_s` seconds; `hub-blocked`: it did not
    answer on the bus within `over_s`. `agent`: * stands for anything. The capture lasts `seconds` at `rate` hertz, of
    `kind`; for the same agent the next comes after `pause_s` at the earliest.
    """

    when: Literal["cpu", "hub-blocked"]
    agent: str = "*"
    over_percent: Annotated[float, msgspec.Meta(gt=0, le=6400)] = 80.0
    for_s: Annotated[float, msgspec.Meta(ge=1, le=3600)] = 30.0
    over_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 2.0
    seconds: Annotated[int, msgspec.Meta(ge=1, le=300)] = 10
    rate: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 100
    kind: Kind | None = None
    pause_s: Annotated[float, msgspec.Meta(ge=10, le=86400)] = 900.0

    @property
    def sampled(self) -> Kind:
        """`cpu` of an agent that computes, `wall` of one that waits, unless told."""
        return self.kind or (Kind.CPU if self.when == "cpu" else Kind.WALL)


class ProfilerConfig(Listening, frozen=True, kw_only=True):
    """Everything there is to set.

    `site`: label of captures. Without `credentials` nobody may start one over HTTP. `max_seconds`, `max_rate` (Hz),
    `max_concurrent`, `max_waiting`, `max_per_requester`, `max_per_minute` (of one requester): limits of captures.
    `keep_captures`, `keep_megabytes`, `keep_days`: how much is kept; `keep_continuous_days`,
    `keep_continuous_megabytes`: of continuous profiles. `index`: a store of documents that finished captures are
    indexed in as well. `continuous`: what is sampled all the time, `pyroscope`: where that is sent to as well.
    `grafana`: whose dashboards are annotated. `triggers`: captures taken by themselves; `alert_seconds`: how long those
    last that an alert asks for.
    """

    site: str | None = None
    port: ListenPort = PROFILER_PORT
    max_seconds: Annotated[int, msgspec.Meta(ge=1, le=3600)] = 300
    max_rate: Annotated[int, msgspec.Meta(ge=1, le=10000)] = 1000
    max_concurrent: Annotated[int, msgspec.Meta(ge=1, le=8)] = 2
    max_waiting: Annotated[int, msgspec.Meta(ge=0, le=16)] = 8
    max_per_requester: Annotated[int, msgspec.Meta(ge=1, le=24)] = 4
    max_per_minute: Annotated[int, msgspec.Meta(ge=1, le=600)] = 30
    keep_captures: _Positive = 500
    keep_megabytes: Annotated[float, msgspec.Meta(gt=0)] = 200.0
    keep_days: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    keep_continuous_days: Annotated[float, msgspec.Meta(gt=0)] = 14.0
    keep_continuous_megabytes: Annotated[float, msgspec.Meta(gt=0)] = 200.0
    index: IndexSettings | None = None
    continuous: ContinuousSettings = ContinuousSettings()
    pyroscope: PyroscopeSettings | None = None
    grafana: GrafanaSettings | None = None
    triggers: tuple[TriggerSettings, ...] = ()
    alert_seconds: Annotated[int, msgspec.Meta(ge=1, le=300)] = 10

    @property
    def limits(self) -> Limits:
        """What captures may cost."""
        return Limits(
            self.max_seconds,
            self.max_rate,
            self.max_concurrent,
            self.max_waiting,
            self.max_per_requester,
            self.max_per_minute,
        )

    @property
    def retention(self) -> Retention:
        """What is kept."""
        return Retention(self.keep_captures, self.keep_megabytes, self.keep_days)

    @property
    def continuous_retention(self) -> WindowRetention:
        """What is kept of continuous profiles."""
        return WindowRetention(self.keep_continuous_days, self.keep_continuous_megabytes)
