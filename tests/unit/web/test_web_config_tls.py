"""TLS by a web configuration file: real certificates, real clients, and a real Prometheus."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import time
import urllib.parse
from collections.abc import Callable, Iterator
from pathlib import Path

import bcrypt
import httpx
import pytest
from certificates import Authority
from servers.missing import without
from servers.ports import free_port

from voltscope.errors import ConfigError
from voltscope.metrics.engine import ExporterEngine
from voltscope.web.tls import names_of

Start = Callable[[str], ExporterEngine]


def tls(authority: Authority, name: str = "server", *lines: str) -> str:
    given = [f"cert_file: {authority.folder}/{name}.pem", f"key_file: {authority.folder}/{name}.key", *lines]
    return "tls_server_config:\n" + "".join(f"  {line}\n" for line in given)


def mutual(authority: Authority, *lines: str) -> str:
    verified = ("client_auth_type: RequireAndVerifyClientCert", f"client_ca_file: {authority.certificate}")
    return tls(authority, "server", *verified, *lines)


def client(authority: Authority, name: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(authority.certificate))
    if name is not None:
        context.load_cert_chain(authority.folder / f"{name}.pem", authority.folder / f"{name}.key")
    return context


def status(url: str | None, context: ssl.SSLContext) -> int:
    return httpx.get(f"{url}/metrics", verify=context, timeout=60).status_code


def server_name(url: str | None, authority: Authority) -> str:
    parts = urllib.parse.urlsplit(url or "")
    with (
        socket.create_connection((parts.hostname or "", parts.port or 0)) as plain,
        client(authority).wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        certificate = wrapped.getpeercert()
        assert certificate is not None
        return str(certificate["subject"][0][0][1])


def test_curl_gets_metrics_and_plain_http_does_not(engine: Start, authority: Authority) -> None:
    url = engine(tls(authority)).url
    assert (url or "").startswith("https://127.0.0.1:")
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is missing")
    done = subprocess.run(
        [curl, "-sS", "--cacert", authority.certificate, f"{url}/metrics"], capture_output=True, text=True, timeout=30
    )
    assert "voltscope_web_config_valid 1.0" in done.stdout, done.stderr
    with pytest.raises(httpx.HTTPError):
        httpx.get((url or "").replace("https", "http"), timeout=60)


def test_a_client_needs_a_certificate_of_the_authority(engine: Start, authority: Authority, tmp_path: Path) -> None:
    url = engine(mutual(authority)).url
    assert status(url, client(authority, "prometheus")) == 200
    with pytest.raises(httpx.HTTPError):
        status(url, client(authority))
    other = Authority(tmp_path / "other")
    other.sign("prometheus", "DNS:prometheus.example")
    foreign = client(authority)
    foreign.load_cert_chain(other.folder / "prometheus.pem", other.folder / "prometheus.key")
    with pytest.raises(httpx.HTTPError):
        status(url, foreign)


@pytest.mark.parametrize("san", ["prometheus.example", "::1"])
def test_only_names_that_are_allowed_get_in(engine: Start, authority: Authority, san: str) -> None:
    url = engine(mutual(authority, f"client_allowed_sans: ['other.example', '{san}']")).url
    assert status(url, client(authority, "prometheus")) == 200
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = client(authority, "stranger")
        context.minimum_version = context.maximum_version = version
        with pytest.raises(httpx.HTTPError):
            status(url, context)


def test_a_resumed_session_is_still_somebodys(engine: Start, authority: Authority) -> None:
    url = urllib.parse.urlsplit(engine(mutual(authority, "client_allowed_sans: [prometheus.example]")).url or "")

    def ask(
        context: ssl.SSLContext, session: ssl.SSLSession | None
    ) -> tuple[bytes, ssl.SSLSession | None, bool | None]:
        with (
            socket.create_connection((url.hostname or "", url.port or 0), timeout=60) as plain,
            context.wrap_socket(plain, server_hostname="127.0.0.1", session=session) as wrapped,
        ):
            wrapped.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            try:
                answer = wrapped.recv(100)
            except OSError:
                answer = b""
            return answer, wrapped.session, wrapped.session_reused

    known, stranger = client(authority, "prometheus"), client(authority, "stranger")
    answer, session, _ = ask(known, None)
    assert answer.startswith(b"HTTP/1.1 200")
    answer, _, reused = ask(known, session)
    assert (answer[:12], reused) == (b"HTTP/1.1 200", True)
    answer, session, _ = ask(stranger, None)
    assert answer == b""
    assert ask(stranger, session)[0] == b""


def test_an_optional_certificate_is_verified_when_given(engine: Start, authority: Authority) -> None:
    lines = ["client_auth_type: VerifyClientCertIfGiven", f"client_ca_file: {authority.certificate}"]
    url = engine(tls(authority, "server", *lines, "client_allowed_sans: [prometheus.example]")).url
    assert status(url, client(authority)) == 200
    assert status(url, client(authority, "prometheus")) == 200
    with pytest.raises(httpx.HTTPError):
        status(url, client(authority, "stranger"))


def test_beyond_loopback_a_verified_client_is_somebody(
    engine: Callable[..., ExporterEngine], authority: Authority
) -> None:
    url = engine(mutual(authority), host="0.0.0.0").url or ""  # noqa: S104
    assert status(url.replace("0.0.0.0", "127.0.0.1"), client(authority, "prometheus")) == 200  # noqa: S104


def test_versions_and_suites_are_kept_to(engine: Start, authority: Authority) -> None:
    url = engine(
        tls(authority, "server", "max_version: TLS12", "cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]")
    ).url
    parts = urllib.parse.urlsplit(url or "")
    with (
        socket.create_connection((parts.hostname or "", parts.port or 0)) as plain,
        client(authority).wrap_socket(plain, server_hostname="127.0.0.1") as wrapped,
    ):
        assert (wrapped.version(), (wrapped.cipher() or [""])[0]) == ("TLSv1.2", "ECDHE-ECDSA-AES256-GCM-SHA384")
    newest = client(authority)
    newest.minimum_version = ssl.TLSVersion.TLSv1_3
    with pytest.raises(httpx.HTTPError):
        status(url, newest)


def test_certificates_may_stand_in_the_file_itself(engine: Start, authority: Authority) -> None:
    def block(key: str, name: str) -> str:
        lines = (authority.folder / name).read_text().splitlines()
        return "".join([f"{key}: |\n", *(f"    {line}\n" for line in lines)])

    inline = [block("cert", "server.pem"), block("key", "server.key"), block("client_ca", "ca.pem")]
    text = "tls_server_config:\n  client_auth_type: RequireAndVerifyClientCert\n" + "".join(f"  {i}" for i in inline)
    url = engine(text).url
    assert status(url, client(authority, "prometheus")) == 200
    with pytest.raises(httpx.HTTPError):
        status(url, client(authority))


def test_a_renewed_certificate_is_shown_to_new_connections_and_old_ones_live_on(
    engine: Start, authority: Authority, tmp_path: Path
) -> None:
    for kind in ("pem", "key"):
        shutil.copy(authority.folder / f"server.{kind}", tmp_path / f"mine.{kind}")
    url = engine(f"tls_server_config: {{cert_file: {tmp_path}/mine.pem, key_file: {tmp_path}/mine.key}}").url
    old = http.client.HTTPSConnection((url or "").removeprefix("https://"), context=client(authority))

    def ask() -> str:
        old.request("GET", "/metrics")
        return old.getresponse().read().decode()

    assert "voltscope_web_config_valid 1.0" in ask()
    before = old.sock
    assert server_name(url, authority) == "server"
    shutil.copy(authority.folder / "renewed.pem", tmp_path / "mine.pem")
    # between the two copies certificate and key do not fit: the old pair stays
    assert server_name(url, authority) == "server"
    assert "voltscope_web_config_valid 0.0" in ask()
    shutil.copy(authority.folder / "renewed.key", tmp_path / "mine.key")
    assert server_name(url, authority) == "renewed"
    assert "voltscope_web_config_valid 1.0" in ask()
    assert old.sock is before


def test_tls_is_turned_on_with_the_configuration_applied_again_only(
    engine: Callable[..., ExporterEngine], authority: Authority, tmp_path: Path
) -> None:
    port = free_port()
    running = engine("", port=port)
    (tmp_path / "engine" / "web.yml").write_text(tls(authority))
    assert "voltscope_web_config_valid 0.0" in httpx.get(f"{running.url}/metrics", timeout=60).text
    running.configure({"port": port, "web_config_file": "web.yml"})
    assert (running.url or "").startswith("https:")
    assert status(running.url, client(authority)) == 200
    (tmp_path / "engine" / "web.yml").write_text("")
    assert status(running.url, client(authority)) == 200


@pytest.mark.parametrize(
    ("lines", "key"),
    [
        ({"cert_file": "nosuch.pem", "key_file": "server.key"}, "cert_file"),
        ({"cert_file": "server.pem", "key_file": "renewed.key"}, "cert_file"),
        (
            {
                "cert_file": "server.pem",
                "key_file": "server.key",
                "client_auth_type": "RequireAndVerifyClientCert",
                "client_ca_file": "server.key",
            },
            "client_ca_file",
        ),
    ],
)
def test_files_that_do_not_fit_are_named(engine: Start, authority: Authority, lines: dict[str, str], key: str) -> None:
    given = {k: f"{authority.folder}/{value}" if k.endswith("file") else value for k, value in lines.items()}
    with pytest.raises(ConfigError) as raised:
        engine("tls_server_config: " + json.dumps(given))
    assert raised.value.key == f"tls_server_config.{key}"


def test_a_key_with_a_password_is_refused_and_not_asked_for(
    engine: Start, authority: Authority, tmp_path: Path
) -> None:
    openssl = shutil.which("openssl") or ""
    locked = ["-in", authority.folder / "server.key", "-out", tmp_path / "locked.key", "-aes256", "-passout", "pass:x"]
    subprocess.run([openssl, "ec", *locked], check=True, capture_output=True)
    with pytest.raises(ConfigError, match="encrypted"):
        engine(f"tls_server_config: {{cert_file: {authority.folder}/server.pem, key_file: {tmp_path}/locked.key}}")


def test_addresses_are_compared_in_their_shortest_form() -> None:
    names = (("DNS", "a.example"), ("IP Address", "0:0:0:0:0:0:0:1\n"), ("URI", "spiffe://x"), ("DirName", "x"))
    assert names_of({"subjectAltName": names}) == {"a.example", "::1", "spiffe://x"}


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """Starts a real Prometheus on a configuration; its base URL."""
    binary = shutil.which("prometheus")
    if binary is None:
        without("prometheus is missing")
    started: list[subprocess.Popen[bytes]] = []

    def start(text: str) -> str:
        (tmp_path / "prometheus.yml").write_text(text)
        address = f"127.0.0.1:{free_port()}"
        flags = [f"--storage.tsdb.path={tmp_path}/tsdb", f"--web.listen-address={address}"]
        with (tmp_path / "prometheus.log").open("wb") as log:
            command = [str(binary), f"--config.file={tmp_path}/prometheus.yml", *flags]
            started.append(subprocess.Popen(command, stdout=log, stderr=log))
        return f"http://{address}"

    yield start
    for process in started:
        process.terminate()
        process.wait(60)


def test_prometheus_scrapes_with_a_certificate_and_a_password(
    engine: Start, authority: Authority, prometheus: Callable[[str], str]
) -> None:
    hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    users = f"basic_auth_users:\n  prometheus: {hashed}\n"
    url = engine(mutual(authority, "client_allowed_sans: [prometheus.example]") + users).url
    address = (url or "").removeprefix("https://")
    folder = authority.folder

    def job(name: str, certificate: str, password: str) -> str:
        files = f"ca_file: {folder}/ca.pem, cert_file: {folder}/{certificate}.pem, key_file: {folder}/{certificate}.key"
        return (
            f"- job_name: {name}\n  scheme: https\n  tls_config: {{{files}}}\n"
            f"  basic_auth: {{username: prometheus, password: {password}}}\n"
            f"  static_configs: [{{targets: ['{address}']}}]\n"
        )

    jobs = [job("good", "prometheus", "sesame"), job("stranger", "stranger", "sesame"), job("guess", "prometheus", "x")]
    base = prometheus("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n" + "".join(jobs))

    def health() -> dict[str, tuple[str, str]]:
        try:
            answer = httpx.get(f"{base}/api/v1/targets", timeout=60).raise_for_status()  # 503 while it opens its store
        except httpx.HTTPError:
            return {}
        targets = answer.json()["data"]["activeTargets"]
        return {target["labels"]["job"]: (target["health"], target["lastError"]) for target in targets}

    deadline = time.monotonic() + 60
    while True:  # a first scrape may take longer than it may
        found = health()
        states = {job: state for job, (state, _) in found.items()}
        if states == {"good": "up", "stranger": "down", "guess": "down"} and "401" in found["guess"][1]:
            break
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert found["good"] == ("up", "")
