"""The web configuration file of Prometheus's exporter-toolkit: its schema, read and checked."""

from __future__ import annotations

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import msgspec

from voltscope.configuration import Config, load
from voltscope.errors import ConfigError

MAX_FILE = 1 << 20
CLIENT_AUTH_TYPES = ("NoClientCert", "VerifyClientCertIfGiven", "RequireAndVerifyClientCert")
TLS_VERSIONS = ("TLS10", "TLS11", "TLS12", "TLS13")
# Those exporter-toolkit allows, with the only values some of them take.
HEADERS: dict[str, tuple[str, ...]] = {
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
# What Go calls the suites, which is what the file holds, and what OpenSSL calls them.
CIPHERS = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA": "ECDHE-ECDSA-AES128-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA": "ECDHE-ECDSA-AES256-SHA",
    "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA": "ECDHE-RSA-AES128-SHA",
    "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA": "ECDHE-RSA-AES256-SHA",
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256": "ECDHE-ECDSA-AES128-GCM-SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384": "ECDHE-ECDSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256": "ECDHE-RSA-AES128-GCM-SHA256",
    "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384": "ECDHE-RSA-AES256-GCM-SHA384",
    "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-RSA-CHACHA20-POLY1305",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256": "ECDHE-ECDSA-CHACHA20-POLY1305",
}
# TLS 1.3 has these three always: naming them is allowed and changes nothing, as in Go.
TLS13_CIPHERS = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
CURVES = {"CurveP256": "prime256v1", "CurveP384": "secp384r1", "CurveP521": "secp521r1", "X25519": "X25519"}

_BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-9]|2[0-9]|3[01])\$[./A-Za-z0-9]{53}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNIT_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class TlsServerConfig(Config, frozen=True, kw_only=True):
    """`tls_server_config`. Certificates and keys are PEM, inline or in files, whose paths are relative to the file."""

    cert: str = ""
    key: str = ""
    client_ca: str = ""
    cert_file: str = ""
    key_file: str = ""
    client_auth_type: str = ""
    client_ca_file: str = ""
    client_allowed_sans: tuple[str, ...] = ()
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[str, ...]:
        """The files it names."""
        return tuple(filter(None, (self.cert_file, self.key_file, self.client_ca_file)))

    @property
    def requires_client(self) -> bool:
        """Whether nobody gets in without a certificate we have verified."""
        return self.client_auth_type == "RequireAndVerifyClientCert"


class HttpServerConfig(Config, frozen=True, kw_only=True):
    """`http_server_config`. `http2` is understood and has no effect: we speak HTTP/1.1."""

    http2: bool = True
    headers: dict[str, str] = msgspec.field(default_factory=dict)


class RateLimit(Config, frozen=True, kw_only=True):
    """`rate_limit`: a token bucket of `burst`, filled by one every `interval` (a duration as Go writes them)."""

    interval: str | int = 0
    burst: int = 0

    @property
    def interval_s(self) -> float:
        """The interval in seconds; 0 sets no limit."""
        return duration_s(self.interval)


class WebConfig(Config, frozen=True, kw_only=True):
    """The whole file. `basic_auth_users` maps names to bcrypt hashes."""

    tls_server_config: TlsServerConfig | None = None
    http_server_config: HttpServerConfig = HttpServerConfig()
    basic_auth_users: dict[str, str] = msgspec.field(default_factory=dict)
    rate_limit: RateLimit = RateLimit()

    @property
    def authenticates(self) -> bool:
        """Whether everybody who gets in has shown who they are."""
        return bool(self.basic_auth_users) or (
            self.tls_server_config is not None and self.tls_server_config.requires_client
        )


def read(path: Path) -> WebConfig:
    """The file, checked. Raises ConfigError naming the key; no secret is ever part of the message."""
    try:
        with path.open("rb") as file:
            content = _parsed(file.read(MAX_FILE))
    except OSError as error:
        raise ConfigError("web_config_file", f"{path}: {error.strerror}", "a file we can read") from error
    if not isinstance(content, dict):
        raise ConfigError("web_config_file", f"{path}: a {type(content).__name__}", "a YAML mapping")
    config = load(WebConfig, content)
    if config.tls_server_config is not None:
        tls = _at_home(config.tls_server_config, path.parent)
        _check_tls(tls)
        config = msgspec.structs.replace(config, tls_server_config=tls)
    _check_rest(config)
    return config


def duration_s(given: str | int) -> float:
    """Seconds of a duration as Go writes them (`1m30s`, `500ms`); ValueError for anything else but 0."""
    text = str(given)
    if text == "0":
        return 0.0
    if not text or _DURATION.sub("", text):
        raise ValueError(given)
    return sum(float(number) * _UNIT_S[unit] for number, unit in _DURATION.findall(text))


def _parsed(raw: bytes) -> Any:
    import yaml  # here: engines without a web configuration do without its 2 MB

    class Strict(yaml.SafeLoader):  # type: ignore[misc]  # PyYAML ships no types
        """A key given twice is an error: of two passwords for one user, who knows which was meant."""

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            for key in keys:
                if keys.count(key) > 1:
                    raise ConfigError(str(key), "the key twice", "each key once")
            made: dict[Hashable, Any] = super().construct_mapping(node, deep)
            return made

    try:
        content = yaml.load(raw, Strict)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}: " if mark is not None else ""
        raise ConfigError(
            "web_config_file", f"{where}{getattr(error, 'problem', None) or 'no YAML'}", "a YAML mapping"
        ) from None  # the error's own text quotes the line, and it may hold a key
    return {} if content is None else _without_nothing(content)


def _without_nothing(content: Any) -> Any:
    """A key with nothing behind it is as good as none, as Go reads it."""
    if not isinstance(content, dict):
        return content
    return {key: _without_nothing(value) for key, value in content.items() if value is not None}


def _at_home(tls: TlsServerConfig, folder: Path) -> TlsServerConfig:
    paths = {key: getattr(tls, key) for key in ("cert_file", "key_file", "client_ca_file")}
    return msgspec.structs.replace(tls, **{key: str(folder / path) for key, path in paths.items() if path})


def _check_tls(tls: TlsServerConfig) -> None:
    for key, has in (("cert", tls.cert or tls.cert_file), ("key", tls.key or tls.key_file)):
        if not has:
            raise ConfigError(f"tls_server_config.{key}_file", "nothing", f"a {key}_file, or {key} inline")
    for key in ("cert", "key", "client_ca"):
        if getattr(tls, key) and getattr(tls, f"{key}_file"):
            raise ConfigError(f"tls_server_config.{key}", "inline and in a file", "one of them")
    kind = tls.client_auth_type or "NoClientCert"
    if kind not in CLIENT_AUTH_TYPES:
        # RequestClientCert and RequireAnyClientCert take any certificate unverified: they look safe and are not
        raise ConfigError("tls_server_config.client_auth_type", repr(kind), ", ".join(CLIENT_AUTH_TYPES))
    has_ca = bool(tls.client_ca or tls.client_ca_file)
    if has_ca != (kind != "NoClientCert"):
        found, allowed = ("NoClientCert and a client CA", "to verify with it") if has_ca else (kind, "a client CA")
        raise ConfigError("tls_server_config.client_ca_file", found, allowed)
    if tls.client_allowed_sans and kind == "NoClientCert":
        raise ConfigError("tls_server_config.client_allowed_sans", "no client_auth_type", "a verifying one")
    for key in ("min_version", "max_version"):
        if getattr(tls, key) not in TLS_VERSIONS:
            raise ConfigError(f"tls_server_config.{key}", repr(getattr(tls, key)), ", ".join(TLS_VERSIONS))
    if TLS_VERSIONS.index(tls.min_version) > TLS_VERSIONS.index(tls.max_version):
        raise ConfigError("tls_server_config.min_version", tls.min_version, f"at most {tls.max_version}")
    for suite in tls.cipher_suites:
        if suite not in CIPHERS and suite not in TLS13_CIPHERS:
            raise ConfigError("tls_server_config.cipher_suites", repr(suite), ", ".join((*CIPHERS, *TLS13_CIPHERS)))
    for curve in tls.curve_preferences:
        if curve not in CURVES:
            raise ConfigError("tls_server_config.curve_preferences", repr(curve), ", ".join(CURVES))
    if len(tls.curve_preferences) > 1:
        raise ConfigError("tls_server_config.curve_preferences", "several", "one: Python sets no more")


def _check_rest(config: WebConfig) -> None:
    for name, value in config.http_server_config.headers.items():
        if name not in HEADERS:
            raise ConfigError(f"http_server_config.headers.{name}", "a header of that name", ", ".join(HEADERS))
        if HEADERS[name] and value not in ("", *HEADERS[name]):
            raise ConfigError(f"http_server_config.headers.{name}", repr(value), " or ".join(HEADERS[name]))
        if not (value.isascii() and value.isprintable()) and value:
            raise ConfigError(f"http_server_config.headers.{name}", repr(value), "printable ASCII")
    for user, hashed in config.basic_auth_users.items():
        if not _BCRYPT.fullmatch(hashed):  # somebody's password, perhaps: not shown
            raise ConfigError(f"basic_auth_users.{user}", "something else", "a bcrypt hash ($2y$…)")
    limit = config.rate_limit
    try:
        interval = limit.interval_s
    except ValueError:
        raise ConfigError("rate_limit.interval", repr(limit.interval), "a duration such as 1s or 250ms, or 0") from None
    if interval and limit.burst < 1:
        raise ConfigError("rate_limit.burst", str(limit.burst), "1 or more, or nobody would ever be answered")
