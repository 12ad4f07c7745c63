"""No secret survives, in whatever way it is written; what is no secret stays readable."""

from __future__ import annotations

import time

import pytest

from voltscope.errors import ConfigError
from voltscope.logs.record import Record
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
        f"https://{S}@github.com/x/y.git",
        f"https://{S}{S}:x-oauth-basic@github.com/x",
        f"ssh://{S}{S}@host",
        f"postgresql://user:pa/{S}@host/db",
        f"postgresql://user:{S}/more@host/db",
        f"amqp://user:1?{S}#x@host",
        f"amqp://user:1/{S}@host/x and more",
        f"pwd={S}",
        f"db_pwd: {S}",
        f"'pwd': '{S}'",
        f"PWD={S}",
        f"pwd=/{S}",
        f"password=ab,{S}",
        f"password={S},user=x",
        f"password=(a){S}",
        f"password=a]{S}",
        f"password=a&{S}",
        f"password=a\\{S}",
        f"password=a<{S}</password>",
        f"password=None-{S}",
        f"Cookie: a=b; session={S}; c=d",
        f"Set-Cookie: sid={S}; Path=/; HttpOnly",
        f"{{'Cookie': 'sid={S}; x=y'}}",
        f'{{"set-cookie": "sid={S}"}}',
        f"cookies={{'sid': '{S}'}}",
        f'Authorization: Digest username="u", realm="r", response="{S}"',
        f"Proxy-Authorization: Basic {S}",
        f"X-Api-Key: {S}",
        f"X-Auth-Token: {S}",
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
        "{'PWD': '/home/volttron', 'OLDPWD': '/root'} PWD=/home/volttron PWD=~/x",
        "git clone ssh://git@github.com/x and amqp://guest@host, mail to someone@example.com",
        "http://127.0.0.1:8080/users/someone@example.com",
        "[tcp://10.0.0.1:22916,someone@example.com]",
        "cookies are off, password: None, token=null, secret: True",
        "ipc://@/home/volttron/.volttron/run/vip.socket",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor().redact(text) == text


SECRETS = (
    S,
    "pass,word1",
    "sl/ash/ed",
    "br(ack)et1",
    "100%sure",
    "qu?est#ion",
    "a=b=c",
    "pässwörd",
    "semi;colon",
    "s3cr3t!$*",
)
PLACES = (
    "password={}",
    "PASSWORD = {} (given)",
    "connecting with password={}, as user",
    "config {{'password': '{}', 'user': 'x'}}",
    '{{"db": {{"passwd":"{}"}}}}',
    '"{{\\"secretkey\\": \\"{}\\"}}"',
    "<password>{}</password>",
    "--api-key {} --verbose",
    "mysql://root:{}@db.example.com:3306/volttron",
    "export client_secret={}",
    "Credentials(secretkey='{}', domain='')",
    "token: {}",
    "?a=1&access_key={}&b=2",
    "Cookie: session={}; theme=dark",
    "('private_key', '{}')",
)


def test_a_corpus_of_hostile_lines_leaks_nothing() -> None:
    redactor = Redactor()
    for place in PLACES:
        for secret in SECRETS:
            clean = redactor.redact("before " + place.format(secret) + " after")
            for piece in (secret, secret[:5], secret[-5:]):
                assert piece not in clean, (place, secret, clean)
            assert clean.startswith("before ") and (clean.endswith(" after") or "Cookie" in place), clean
    assert sum(redactor.counts.values()) >= len(PLACES) * len(SECRETS)


def test_secrets_of_a_block_are_those_of_its_records() -> None:
    lines = [place.format(secret) for place in PLACES for secret in SECRETS] + ["no secret", "", "key"] * 5
    data = "".join(line + "\n" for line in lines).encode()
    records, at = [], 0
    for line in lines:
        records.append(Record(0, 20, "a", "b", line, at, len(line.encode()) + 1))
        at += records[-1].size
    block, single = Redactor(), Redactor()
    block.redact_block(b"x" * 10 + data, -10, records)
    assert [one.text for one in records] == [single.redact(line) for line in lines]
    assert block.counts == single.counts


def test_a_rule_may_be_off() -> None:
    redactor = Redactor(off=("named", "option"))
    assert redactor.redact(f"password={S}") == f"password={S}"
    assert S not in redactor.redact(f"https://{S}@host")
    with pytest.raises(ConfigError, match="named"):
        Redactor(off=("nonsense",))


def test_patterns_of_ones_own_are_added_and_counted() -> None:
    redactor = Redactor([r"badge-\d+"])
    assert redactor.redact("badge-17 entered") == f"{MASK} entered"
    assert redactor.counts == {"configured": 1}


@pytest.mark.parametrize("pattern", ["(", "x*"])
def test_a_pattern_that_cannot_work_is_refused(pattern: str) -> None:
    with pytest.raises(ConfigError):
        Redactor([pattern])


@pytest.mark.parametrize(
    "unit",
    [
        "secret",
        "password='\\'",
        "://",
        "eyJ",
        "bearer ",
        "AGENT_CREDENTIALS={",
        "\\secret\\",
        "cookie: ",
        "@://",
        "x://a:",
        "pwd",
        "_pwd=,",
        "token=a,",
        "password=<",
    ],
)
def test_text_made_to_be_slow_is_not(unit: str) -> None:
    text = unit * (1_000_000 // len(unit))
    began = time.process_time()
    Redactor().redact(text)
    assert time.process_time() - began < 3
