"""No secret survives, in whatever way it is written; what is no secret stays readable."""

from __future__ import annotations

import time

import pytest

from voltscope.errors import ConfigError
from voltscope.logs.redact import MASK, Redactor

S = "s3cr3t-VALUE_x"


@pytest.mark.parametrize(
    "text",
    [
        f"ipc://@/run/vip.socket?publickey=PUB&secretkey={S}&serverkey=SRV",
        f"VolttronCredentials(identity='a', secretkey='{S}', domain='')",
        f'{{"secretkey": "{S}"}}',
        f"{{'secretkey': b'{S}'}}",
        f'"{{\\"secretkey\\": \\"{S}\\"}}"',
        f'"{{\\\\\\"secretkey\\\\\\": \\\\\\"{S}\\\\\\"}}"',
        f"('secretkey', '{S}')",
        f"SECRETKEY:{S}",
        f"secretkey=\n '{S}'",
        f"secretkey='{S}",
        f"tcp%3A//h?secretkey%3D{S}",
        f'AGENT_CREDENTIALS={{"identity": "a", "x": "{S}"}}',
        f'{{\'AGENT_CREDENTIALS\': \'{{"identity": "a", "x": "{S}"}}\', \'B\': 1}}',
        f"postgresql://user:{S}@host/db",
        f"amqp://u:p@{S}@h/x",
        f"Authorization: Bearer {S}",
        f"headers {{'Authorization': 'Basic {S}'}}",
        f"password: {S}",
        f'passwd="a {S} b"',
        f"password='pa\\'{S}'",
        f"<password>{S}</password>",
        f"--password {S} --user u",
        f"web-secret-key = {S}",
        f"client_secret={S}",
        f"api_key={S}",
        f"access_token={S}",
        f"got bearer {S}",
        f"eyJabcdefghij.{S}.signature",
        f"-----BEGIN EC PRIVATE KEY-----\n{S}\n-----END EC PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{S}",
    ],
)
def test_no_secret_survives(text: str) -> None:
    redactor = Redactor()
    clean = redactor.redact(text)
    assert S not in clean
    assert MASK in clean
    assert sum(redactor.counts.values()) >= 1
    assert S not in Redactor().redact(f"before {text} after") and S not in Redactor().redact(clean)


@pytest.mark.parametrize(
    "text",
    [
        "'secretkey': None, publickey='PUB', serverkey=SRV",
        "the token expired; unhandled exception in JSON-RPC method 'check_rpc_authorization': Traceback",
        "http://host:8080/path and user@host",
        "private keystore created, keys: 3",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().redact(text) == text


def test_patterns_of_ones_own_are_added_and_counted() -> None:
    redactor = Redactor([r"badge-\d+"])
    assert redactor.redact("badge-17 entered") == f"{MASK} entered"
    assert redactor.counts == {"configured": 1}


@pytest.mark.parametrize("pattern", ["(", "x*"])
def test_a_pattern_that_cannot_work_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError):
        Redactor([pattern])


@pytest.mark.parametrize(
    "unit", ["secret", "password='\\'", "://", "eyJ", "bearer ", "AGENT_CREDENTIALS={", "\\secret\\"]
)
def test_text_made_to_be_slow_is_not(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    began = time.process_time()
    Redactor().redact(text)
    assert time.process_time() - began < 3
