"""TLS by a web configuration: contexts made anew for new connections, and client names checked in the handshake."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from voltscope.errors import ConfigError
from voltscope.web.web_config import CIPHERS, CURVES, TlsServerConfig

_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}
_VERIFY = {"RequireAndVerifyClientCert": ssl.CERT_REQUIRED, "VerifyClientCertIfGiven": ssl.CERT_OPTIONAL}


def server_context(tls: TlsServerConfig) -> ssl.SSLContext:
    """A context of these settings, its files read now. Raises ConfigError naming the key that is no good."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version, context.maximum_version = _VERSIONS[tls.min_version], _VERSIONS[tls.max_version]
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if tls.prefer_server_cipher_suites:
        context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    else:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    suites = [CIPHERS[suite] for suite in tls.cipher_suites if suite in CIPHERS]
    if suites:
        context.set_ciphers(":".join(suites))
    for curve in tls.curve_preferences:
        context.set_ecdh_curve(CURVES[curve])
    with (
        _named("cert_file", tls.cert_file or "cert"),
        _path(tls.cert_file, tls.cert) as certificate,
        _path(tls.key_file, tls.key) as key,
    ):
        context.load_cert_chain(certificate, key, password=_no_password)
    context.verify_mode = _VERIFY.get(tls.client_auth_type, ssl.CERT_NONE)
    if context.verify_mode != ssl.CERT_NONE:
        with _named("client_ca_file", tls.client_ca_file or "client_ca"):
            context.load_verify_locations(cafile=tls.client_ca_file or None, cadata=tls.client_ca or None)
    if tls.client_allowed_sans:
        context.sslobject_class = _checking(frozenset(tls.client_allowed_sans), tls.requires_client)
    return context


def listener_context(certificate: Path, key: Path | None) -> ssl.SSLContext:
    """A context of this certificate alone, TLS 1.2 or newer; `key` None: it is in the same file.

    Raises OSError and ValueError for what cannot be used, an encrypted key too.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key, password=_no_password)
    return context


class CurrentContext(ssl.SSLContext):
    """Hands every new connection to the context that is in force by then; those that are open keep their own."""

    current: Callable[[], ssl.SSLContext]

    @classmethod
    def of(cls, current: Callable[[], ssl.SSLContext]) -> CurrentContext:
        """`current` is asked at each connection."""
        made = cls(ssl.PROTOCOL_TLS_SERVER)
        made.current = current
        return made

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """See SSLContext: what asyncio begins a connection with."""
        return self.current().wrap_bio(*args, **kwargs)


def names_of(certificate: dict[str, Any]) -> set[str]:
    """The subject alternative names of a certificate as `getpeercert` gives it, addresses in their shortest form."""
    found = set()
    for kind, value in certificate.get("subjectAltName", ()):
        if kind == "IP Address":
            with contextlib.suppress(ValueError):
                found.add(str(ipaddress.ip_address(value.strip())))
        elif kind in ("DNS", "email", "URI"):
            found.add(value)
    return found


def _checking(allowed: frozenset[str], required: bool) -> type[ssl.SSLObject]:
    class Checking(ssl.SSLObject):
        """A handshake that fails for a verified client of another name; nothing of its request is ever read."""

        def do_handshake(self) -> None:
            super().do_handshake()
            certificate = self.getpeercert()
            if not certificate and not required:  # it was optional, and none was given
                return
            if not allowed & names_of(certificate or {}):
                raise ssl.SSLCertVerificationError("the client's certificate has none of the names allowed")

    return Checking


@contextlib.contextmanager
def _named(key: str, file: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ConfigError(f"tls_server_config.{key}", f"{file}: {error}", "PEM, with a key that fits") from error


@contextlib.contextmanager
def _path(file: str, inline: str) -> Iterator[str]:
    """A path to what is in `file`, or to `inline`: OpenSSL loads keys from files only, so one in memory."""
    if file:
        yield file
        return
    descriptor = os.memfd_create("voltscope-pem", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, inline.encode())
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _no_password() -> str:
    """Without it OpenSSL asks at the terminal an engine was started from, and waits for an answer."""
    raise ValueError("the key is encrypted, and there is nobody to ask for its password")
