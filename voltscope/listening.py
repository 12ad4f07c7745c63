"""Where and for whom HTTP listens, as the configurations of exporter, profiler and alertd say it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from voltscope.configuration import Config
from voltscope.errors import ConfigError

ListenPort = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class Listening(Config, frozen=True, kw_only=True):
    """`host`, `port`: where HTTP listens (0: any free port); `names`: host names allowed besides loopback's.

    `credentials`: the credential file. `certificate`, `key`: PEM files that turn TLS on; `web_config_file`: an
    exporter-toolkit web configuration file, which says that and more.
    """

    host: str = "127.0.0.1"
    port: ListenPort = 0
    names: tuple[str, ...] = ()
    credentials: str | None = None
    certificate: str | None = None
    key: str | None = None
    web_config_file: str | None = None

    def check_listening(self) -> None:
        """Raises ConfigError for keys that do not go together."""
        if (self.certificate is None) != (self.key is None):
            raise ConfigError("certificate", "one of certificate and key", "both, or neither")
        if self.certificate is not None and self.web_config_file is not None:
            raise ConfigError("certificate", "with web_config_file", "one of them: the file's tls_server_config")

    def listening(self) -> tuple[object, ...]:
        """All of it: what has changed when the listener has to be made anew."""
        return tuple(getattr(self, name) for name in Listening.__struct_fields__)
