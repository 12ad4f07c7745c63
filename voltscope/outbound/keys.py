"""How a server elsewhere is reached, as configurations say it: addresses, TLS, credentials."""

from __future__ import annotations

import urllib.parse
from typing import Annotated

import msgspec

from voltscope.configuration import Config

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]

IndexName = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9][a-z0-9_.-]{0,99}$")]


class TlsKeys(Config, frozen=True):
    """PEM files of a TLS connection; the server's certificate is always verified.

    `ca_file`: who may sign it, the system's authorities when None. `certificate_file`, `key_file`: ours, for a
    server that wants one; `key_file` None: the key is in the same file. `server_name`: the name the server's
    certificate must have, `host` when None.
    """

    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    def check_tls(self, used: bool) -> None:
        """Raises ValueError for keys without use or without their counterpart."""
        for key in TlsKeys.__struct_fields__:
            if getattr(self, key) is not None and not used:
                raise ValueError(f"{key} is for TLS, which this receiver is not reached by")
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file needs certificate_file")


class ServerKeys(TlsKeys, frozen=True, kw_only=True):
    """How one server, or a cluster that answers as one, is reached by HTTP, at one or several `urls`.

    `username` with `password_file`, or `api_key_file` (the encoded form), or `token_file` (a bearer token): secrets are
    in files of ours alone, mode 0600.
    """

    urls: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    username: str | None = None
    password_file: str | None = None
    api_key_file: str | None = None
    token_file: str | None = None

    def __post_init__(self) -> None:
        whole = [urllib.parse.urlsplit(url) for url in self.urls]
        for url in whole:
            if not _is_address(url):
                raise ValueError("urls are http(s)://host:port, and a path where there is one")
            if url.username is not None or url.password is not None:
                raise ValueError("no credentials in urls: they are for username and password_file, or api_key_file")
        self.check_tls(any(url.scheme == "https" for url in whole))
        if (self.username is None) != (self.password_file is None):
            raise ValueError("username and password_file go together")
        if sum(name is not None for name in (self.username, self.api_key_file, self.token_file)) > 1:
            raise ValueError("only one of username, api_key_file and token_file")


def _is_address(url: urllib.parse.SplitResult) -> bool:
    try:
        port = url.port
    except ValueError:  # no number, or too large a one
        return False
    asked = url.query or url.fragment
    return url.scheme in ("http", "https") and bool(url.hostname) and port != 0 and not asked
