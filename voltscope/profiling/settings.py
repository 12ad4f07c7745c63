"""The profiler's configuration: its schema, defaults and limits."""

from __future__ import annotations

from typing import Annotated

import msgspec

from voltscope.configuration import Config
from voltscope.logs.settings import IndexName, StoreKeys
from voltscope.profiling.archive import Retention
from voltscope.profiling.request import Limits
from voltscope.profiling.windows import WindowRetention
from voltscope.site import PROFILER_PORT

_Positive = Annotated[int, msgspec.Meta(ge=1)]


class IndexSettings(StoreKeys, frozen=True, kw_only=True):
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


class ProfilerConfig(Config, frozen=True, kw_only=True):
    """Everything there is to set.

    `site`: label of captures. `host`, `port`: where HTTP listens (0: any free port); `names`: host names allowed
    besides loopback's. `credentials`: the credential file, without which nobody may start a capture over HTTP.
    `certificate`, `key`: PEM files that turn TLS on; `web_config_file`: an exporter-toolkit web configuration file,
    which says that and more. `max_seconds`, `max_rate` (Hz), `max_concurrent`,
    `max_waiting`, `max_per_requester`, `max_per_minute` (of one requester): limits of captures. `keep_captures`,
    `keep_megabytes`, `keep_days`: how much is kept; `keep_continuous_days`, `keep_continuous_megabytes`: of continuous
    profiles. `index`: a store of documents that finished captures are indexed in as well.
    """

    site: str | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, msgspec.Meta(ge=0, le=65535)] = PROFILER_PORT
    names: tuple[str, ...] = ()
    credentials: str | None = None
    certificate: str | None = None
    key: str | None = None
    web_config_file: str | None = None
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
