"""The profiler behind the same web configuration file: users and client certificates read, operators capture."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
from certificates import Authority

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.errors import ConfigError
from voltscope.profiling.engine import ProfilerEngine

SECRET = "an-operators-secret-of-length"


def test_users_read_and_operators_capture_over_tls(authority: Authority, tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.json"
    credentials.write_text(json.dumps({"version": 1, "users": [{"name": "o", "role": "operator", "secret": SECRET}]}))
    credentials.chmod(0o600)
    hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        f"tls_server_config: {{cert_file: {authority.folder}/server.pem, key_file: {authority.folder}/server.key}}\n"
        f"basic_auth_users: {{alice: {hashed}}}\n"
    )
    engine = ProfilerEngine(EngineContext("profiler", tmp_path, tmp_path, lambda _: FactsAnswer(None, None, "no")))
    engine.configure({"port": 0, "credentials": str(credentials), "web_config_file": "web.yml"})
    engine.start()
    try:
        trusted = ssl.create_default_context(cafile=str(authority.certificate))
        with httpx.Client(verify=trusted, base_url=engine.url or "", timeout=60) as client:
            assert client.get("/api/captures").status_code == 401
            assert client.get("/api/captures", auth=("alice", "sesame")).json() == {"captures": []}
            asked = {"agent": "no.such.agent"}
            assert client.post("/api/captures", json=asked, auth=("alice", "sesame")).status_code == 403
            operator = {"Authorization": f"Bearer {SECRET}"}
            refused = client.post("/api/captures", json=asked, headers=operator)
            assert refused.status_code not in (401, 403), refused.text

        def valid() -> Any:
            exported = {family["name"]: family["samples"] for family in engine.handle("metrics", {})}
            return exported["voltscope_profiler_web_config_valid"][0]["value"]

        assert valid() == 1
        good = (tmp_path / "web.yml").read_text()
        (tmp_path / "web.yml").write_text("basic_auth_users: {alice: sesame}\n")
        assert valid() == 0, "told although nobody asks for a page"
        (tmp_path / "web.yml").write_text(good)
        assert valid() == 1
        with pytest.raises(ConfigError, match="nosuch"):
            engine.configure({"port": 0, "web_config_file": "nosuch.yml"})
    finally:
        engine.stop()
