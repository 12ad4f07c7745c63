"""TLS to a server elsewhere, which is always verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voltscope.errors import ConfigError
from voltscope.outbound.keys import TlsKeys

if TYPE_CHECKING:  # half a megabyte, which plain TCP does not need
    import ssl


def tls_context(keys: TlsKeys) -> ssl.SSLContext:
    """Verifies the server, TLS 1.2 or newer; with our certificate when the server wants one.

    Raises ConfigError naming the file that cannot be loaded.
    """
    import ssl

    try:
        context = ssl.create_default_context(cafile=keys.ca_file)
    except (OSError, ValueError) as error:
        raise ConfigError("ca_file", f"{keys.ca_file} ({error})", "a readable PEM file of certificates") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if keys.certificate_file is not None:
        try:
            context.load_cert_chain(keys.certificate_file, keys.key_file, password=_no_password)
        except (OSError, ValueError) as error:
            found = f"{keys.certificate_file} with key {keys.key_file or '(in the same file)'} ({error})"
            raise ConfigError(
                "certificate_file", found, "a readable PEM certificate and its unencrypted key"
            ) from error
    return context


def _no_password() -> str:
    """Without it OpenSSL would ask on the terminal, and an engine has none."""
    raise ValueError("the key is encrypted")
