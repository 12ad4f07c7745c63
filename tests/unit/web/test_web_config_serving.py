"""Users, headers and rate limits of a web configuration file, asked over real connections."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import bcrypt
import httpx
import pytest

from voltscope.errors import ConfigError
from voltscope.metrics.engine import ExporterEngine
from voltscope.web.basic_auth import BasicAuth
from voltscope.web.web_config import RateLimit
from voltscope.web.web_config_file import Bucket

Start = Callable[[str], ExporterEngine]
SECRET = "a-viewers-secret-of-length"


def users(cost: int = 4, **passwords: str) -> str:
    lines = [f"  {name}: {hashed(password, cost)}" for name, password in passwords.items()]
    return "\n".join(["basic_auth_users:", *lines, ""])


def hashed(password: str, cost: int = 4) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(cost)).decode()


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


def test_users_are_asked_for_everywhere_and_let_in(engine: Start) -> None:
    url = engine(users(alice="sesame", bob="s3cret")).url
    for path in ("/metrics", "/", "/-/healthy"):
        refused = httpx.get(f"{url}{path}", timeout=60)
        assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Basic")
        for pair in (("alice", "s3cret"), ("carol", "sesame"), ("", ""), ("alice", "")):
            assert httpx.get(f"{url}{path}", auth=pair, timeout=60).status_code == 401
        for pair in (("alice", "sesame"), ("bob", "s3cret")):
            assert httpx.get(f"{url}{path}", auth=pair, timeout=60).status_code == 200
    for header in ("Basic", "Basic !!!", "Basic YWxpY2U=", "Basic /////w==", f"Bearer {SECRET}"):
        assert httpx.get(f"{url}/metrics", headers={"Authorization": header}, timeout=60).status_code == 401


def test_a_user_of_the_credential_file_passes_too(engine: Callable[..., ExporterEngine], tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"version": 1, "users": [{"name": "v", "role": "viewer", "secret": SECRET}]}))
    path.chmod(0o600)
    url = engine(users(alice="sesame"), credentials=str(path)).url
    assert httpx.get(f"{url}/metrics", headers={"Authorization": f"Bearer {SECRET}"}, timeout=60).status_code == 200
    assert httpx.get(f"{url}/metrics", auth=("v", SECRET), timeout=60).status_code == 200
    path.chmod(0o644)
    path.write_text(path.read_text() + " ")
    assert httpx.get(f"{url}/metrics", auth=("v", SECRET), timeout=60).status_code == 401


def test_beyond_loopback_users_are_enough_and_nobody_is_not(engine: Callable[..., ExporterEngine]) -> None:
    beyond = {"host": "0.0.0.0"}  # noqa: S104
    running = engine(users(alice="sesame"), **beyond)
    url = (running.url or "").replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    assert httpx.get(f"{url}/metrics", timeout=60).status_code == 401
    assert httpx.get(f"{url}/metrics", auth=("alice", "sesame"), timeout=60).status_code == 200
    with pytest.raises(ConfigError, match="web_config_file"):
        engine("rate_limit: {interval: 0}", **beyond)


def test_headers_are_added_and_replace_ours(engine: Start) -> None:
    url = engine(
        "http_server_config: {headers: {Content-Security-Policy: default-src 'none', X-Frame-Options: deny, "
        "X-Content-Type-Options: ''}}"
    ).url
    for path in ("/metrics", "/", "/nosuch"):
        headers = httpx.get(f"{url}{path}", timeout=60).headers
        assert (headers["content-security-policy"], headers["x-frame-options"]) == ("default-src 'none'", "deny")
        assert headers["x-content-type-options"] == "nosniff"  # blank leaves ours


def test_more_than_the_rate_is_429_before_any_password_is_looked_at(engine: Start) -> None:
    url = engine(users(alice="sesame") + "rate_limit: {interval: 1h, burst: 3}").url
    answers = [httpx.get(f"{url}/metrics", auth=("alice", "sesame"), timeout=60) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 3000 < int(answers[-1].headers["retry-after"]) <= 3600
    assert httpx.get(f"{url}/metrics", timeout=60).status_code == 429


def test_a_bucket_fills_at_its_interval() -> None:
    now = [100.0]
    bucket = Bucket(RateLimit(interval="2s", burst=2), timer=lambda: now[0])
    assert [bucket.wait_s() for _ in range(3)] == [0, 0, 2.0]
    now[0] += 1.5
    assert bucket.wait_s() == pytest.approx(0.5)
    now[0] += 100
    assert [bucket.wait_s() == 0 for _ in range(3)] == [True, True, False]


def test_a_good_pair_costs_bcrypt_once() -> None:
    auth = BasicAuth({"alice": hashed("sesame", 10)})
    header = basic("alice", "sesame")
    assert auth.known(header) is None
    first = _seconds(lambda: auth.check(header))
    assert (auth.known(header), auth.check(header)) == ("alice", "alice")
    assert _seconds(lambda: auth.known(header)) < first / 20
    assert auth.known(basic("alice", "sesamE")) is None


def test_a_name_nobody_has_takes_as_long_as_a_wrong_password() -> None:
    auth = BasicAuth({"alice": hashed("sesame", 8), "bob": hashed("s3cret", 4)})
    wrong = min(_seconds(lambda: auth.check(basic("alice", "x"))) for _ in range(7))
    nobody = min(_seconds(lambda: auth.check(basic("nobody", "x"))) for _ in range(7))
    assert wrong / 4 < nobody < wrong * 4  # bob's hash would take a sixteenth, no hash at all a thousandth


def test_long_and_odd_passwords_are_no_error() -> None:
    auth = BasicAuth({"alice": bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()})
    assert auth.check(basic("alice", "x" * 200)) == "alice"  # bcrypt looks at 72 bytes, as htpasswd and Go have it
    assert auth.check(basic("alice", "x\0x")) is None


def test_a_flood_of_wrong_passwords_does_not_hold_up_the_good(engine: Start) -> None:
    url = engine(users(9, alice="sesame")).url
    many = 60  # more than the threads there are to answer
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(many) as pool:
        assert client.get(f"{url}/metrics", auth=("alice", "sesame")).status_code == 200
        began = time.monotonic()
        flood = [pool.submit(httpx.get, f"{url}/metrics", auth=("alice", str(n)), timeout=60) for n in range(many)]
        seconds = _seconds(lambda: client.get(f"{url}/metrics", auth=("alice", "sesame")))
        assert any(not one.done() for one in flood)
        assert {one.result().status_code for one in flood} == {401}
        assert seconds < (time.monotonic() - began) / 2


def test_a_new_file_is_in_force_at_once_and_open_connections_live_on(engine: Start, tmp_path: Path) -> None:
    running = engine(users(alice="sesame"))
    path = tmp_path / "engine" / "web.yml"
    connection = http.client.HTTPConnection((running.url or "").removeprefix("http://"))

    def ask(password: str) -> int:
        connection.request("GET", "/metrics", headers={"Authorization": basic("alice", password)})
        answer = connection.getresponse()
        answer.read()
        return answer.status

    assert ask("sesame") == 200
    before = connection.sock
    path.write_text(users(alice="changed"))
    assert (ask("sesame"), ask("changed")) == (401, 200)
    assert connection.sock is before


def test_a_broken_file_leaves_the_old_in_force_and_says_so(
    engine: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    url = engine(users(alice="sesame")).url
    path = tmp_path / "engine" / "web.yml"

    def valid() -> float:
        body = httpx.get(f"{url}/metrics", auth=("alice", "sesame"), timeout=60).text
        return next(
            float(line.split()[-1]) for line in body.splitlines() if line.startswith("voltscope_web_config_val")
        )

    assert valid() == 1
    for broken in ("basic_auth_user: {}", "basic_auth_users: {alice: open}", "tls_server_config: {cert_file: x}", "["):
        caplog.clear()
        path.write_text(broken)
        assert (valid(), valid()) == (0, 0)
        assert httpx.get(f"{url}/metrics", timeout=60).status_code == 401
        assert len([r for r in caplog.records if "stays in force" in r.message]) == 1
    path.unlink()
    assert valid() == 0
    path.write_text(users(alice="sesame"))
    assert valid() == 1


def _seconds(work: Callable[[], object]) -> float:
    """Of this thread's processor."""
    before = time.thread_time()
    work()
    return time.thread_time() - before
