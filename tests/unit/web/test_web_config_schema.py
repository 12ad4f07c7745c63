"""What a web configuration file may say, and how it is told what it may not."""

from __future__ import annotations

from pathlib import Path

import pytest

from voltscope.errors import ConfigError
from voltscope.web.web_config import duration_s, read

HASH = "$2y$10$X0h1gDsPszWURQaxFh.zoubFi6DXncSjhoQNJgRrnGs7EsimhC7zG"
TLS = "tls_server_config: {cert_file: a.pem, key_file: a.key"


def test_the_sample_of_exporter_toolkit_is_read(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text(
        f"""
tls_server_config:
  cert_file: server.crt
  key_file: /etc/keys/server.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  client_allowed_sans: [a.example]
  min_version: TLS12
  max_version: TLS13
  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
  curve_preferences: [X25519]
http_server_config:
  http2: true
  headers:
    Strict-Transport-Security: max-age=31536000
    X-Frame-Options: deny
basic_auth_users:
  alice: {HASH}
rate_limit:
  interval: 1m30s
  burst: 20
"""
    )
    config = read(tmp_path / "web.yml")
    tls = config.tls_server_config
    assert tls is not None
    assert tls.files == (f"{tmp_path}/server.crt", "/etc/keys/server.key", f"{tmp_path}/ca.crt")
    assert (config.basic_auth_users, config.rate_limit.interval_s, config.authenticates) == ({"alice": HASH}, 90, True)


@pytest.mark.parametrize("text", ["", "tls_server_config:\n", "http_server_config:\n  headers:\n", "# nothing\n"])
def test_nothing_said_is_nothing_asked(tmp_path: Path, text: str) -> None:
    (tmp_path / "web.yml").write_text(text)
    config = read(tmp_path / "web.yml")
    assert (config.tls_server_config, config.authenticates, config.rate_limit.interval_s) == (None, False, 0)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("tls_server_cfg: {}", "tls_server_cfg"),
        (f"{TLS}, cypher_suites: []}}", "tls_server_config.cypher_suites"),
        ("tls_server_config: {key_file: a.key}", "tls_server_config.cert_file"),
        ("tls_server_config: {cert_file: a.pem}", "tls_server_config.key_file"),
        (f"{TLS}, cert: x}}", "tls_server_config.cert"),
        (f"{TLS}, client_auth_type: RequireAnyClientCert}}", "tls_server_config.client_auth_type"),
        (f"{TLS}, client_auth_type: RequireAndVerifyClientCert}}", "tls_server_config.client_ca_file"),
        (f"{TLS}, client_ca_file: ca.pem}}", "tls_server_config.client_ca_file"),
        (f"{TLS}, client_allowed_sans: [a]}}", "tls_server_config.client_allowed_sans"),
        (f"{TLS}, min_version: SSL30}}", "tls_server_config.min_version"),
        (f"{TLS}, min_version: TLS13, max_version: TLS12}}", "tls_server_config.min_version"),
        (f"{TLS}, cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]}}", "tls_server_config.cipher_suites"),
        (f"{TLS}, curve_preferences: [X25519, CurveP256]}}", "tls_server_config.curve_preferences"),
        (f"{TLS}}}", "tls_server_config.cert_file"),
        ("http_server_config: {headers: {Server: x}}", "http_server_config.headers.Server"),
        ("http_server_config: {headers: {X-Frame-Options: no}}", "http_server_config.headers"),
        ('http_server_config: {headers: {X-Frame-Options: "no"}}', "http_server_config.headers.X-Frame-Options"),
        (
            'http_server_config: {headers: {X-XSS-Protection: "1\\r\\nSet-Cookie: a"}}',
            "http_server_config.headers.X-XSS-Protection",
        ),
        ("basic_auth_users: {alice: plaintextpassword}", "basic_auth_users.alice"),
        ("rate_limit: {interval: soon}", "rate_limit.interval"),
        ("rate_limit: {interval: 5}", "rate_limit.interval"),
        ("rate_limit: {interval: 1s}", "rate_limit.burst"),
        (f"basic_auth_users: {{a: {HASH}, a: {HASH}}}", "a"),
        ("basic_auth_users: [", "web_config_file"),
        ("- 1", "web_config_file"),
        ("!!python/object/apply:os.system [id]", "web_config_file"),
    ],
)
def test_what_is_not_allowed_names_its_key_and_shows_no_secret(tmp_path: Path, text: str, key: str) -> None:
    (tmp_path / "web.yml").write_text(text)
    with pytest.raises(ConfigError) as raised:
        from voltscope.web import WebConfigFile

        WebConfigFile(tmp_path / "web.yml")
    assert raised.value.key.startswith(key)
    assert "plaintextpassword" not in str(raised.value)
    assert HASH not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nosuch\.yml"):
        read(tmp_path / "nosuch.yml")


@pytest.mark.parametrize(("text", "seconds"), [("1s", 1), ("250ms", 0.25), ("1h1m1.5s", 3661.5), (0, 0), ("0s", 0)])
def test_durations_as_go_writes_them(text: str | int, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)
