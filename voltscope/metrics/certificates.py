"""When certificates expire, read from their DER without a cryptography library: an engine has no room for one.

X.509, RFC 5280 4.1: Certificate ::= SEQUENCE { tbsCertificate SEQUENCE { [0] version OPTIONAL, serialNumber INTEGER,
signature SEQUENCE, issuer SEQUENCE, validity SEQUENCE { notBefore Time, notAfter Time }, ... } ... }
"""

from __future__ import annotations

import re
import ssl
from datetime import datetime, timezone
from pathlib import Path

MAX_BYTES = 1 << 18
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18


def earliest_expiry(path: Path) -> float | None:
    """When the first of a PEM file's certificates expires, in seconds since the epoch; None when it holds none.

    Raises OSError when it cannot be read and ValueError when what it holds is no certificate.
    """
    with path.open("rb") as file:
        text = file.read(MAX_BYTES).decode("ascii", "replace")
    return min((not_after(ssl.PEM_cert_to_DER_cert(block)) for block in _BLOCK.findall(text)), default=None)


def not_after(der: bytes) -> float:
    """`notAfter` of a certificate, in seconds since the epoch. Raises ValueError when `der` is none."""
    tbs = _inside(_inside(der, _SEQUENCE)[0], _SEQUENCE)[0]
    if tbs[:1] == bytes([_VERSION]):
        tbs = _element(tbs)[2]
    for _ in ("serialNumber", "signature", "issuer"):
        tbs = _element(tbs)[2]
    validity = _inside(tbs, _SEQUENCE)[0]
    kind, content, _ = _element(_element(validity)[2])
    text = content.decode("ascii")
    if kind == _UTC_TIME:  # two digits: 50 and above are of the last century (RFC 5280 4.1.2.5.1)
        text = ("19" if text[:2] >= "50" else "20") + text
    elif kind != _GENERALIZED_TIME:
        raise ValueError("no time where notAfter should be")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()


def _inside(der: bytes, wanted: int) -> tuple[bytes, bytes]:
    kind, content, rest = _element(der)
    if kind != wanted:
        raise ValueError(f"ASN.1 type {kind:#x} instead of {wanted:#x}")
    return content, rest


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """The first element: its type, its content, and what follows it. Raises ValueError when it is cut short."""
    if len(der) < 2:
        raise ValueError("cut short")
    length, start = der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if start + length > len(der):
        raise ValueError("cut short")
    return der[0], der[start : start + length], der[start + length :]
