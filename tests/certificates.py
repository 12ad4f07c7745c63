"""Certificates made by openssl(1) as an operator makes them: an authority, servers, clients."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from servers.missing import without

EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


class Authority:
    """Signs certificates into a folder: `NAME.pem` and `NAME.key`; its own is `ca.pem`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.certificate = folder / "ca.pem"
        self._openssl("req", "-x509", *EC, "-days", "2", "-subj", "/CN=ca", "-keyout", "ca.key", "-out", "ca.pem")

    def sign(self, name: str, sans: str) -> tuple[Path, Path]:
        """The certificate and key of `name`; `sans` as in `DNS:localhost,IP:127.0.0.1`."""
        self._openssl("req", *EC, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (self.folder / "sans").write_text(f"subjectAltName={sans}\n")
        signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", "sans"]
        self._openssl("x509", "-req", "-in", f"{name}.csr", *signed, "-out", f"{name}.pem")
        return self.folder / f"{name}.pem", self.folder / f"{name}.key"

    def _openssl(self, *arguments: str) -> None:
        openssl = shutil.which("openssl")
        if openssl is None:
            without("openssl is missing")
        subprocess.run([openssl, *arguments], cwd=self.folder, check=True, capture_output=True)
