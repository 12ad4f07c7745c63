"""A real rsyslogd on free loopback ports, with its own configuration and folder, that writes what it receives."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

from certificates import Authority
from servers.missing import without
from servers.ports import free_port
from waiting import until

RSYSLOGD = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")

_START = """
global(workDirectory="{folder}" maxMessageSize="128k" parser.escapeControlCharactersOnReceive="off")
template(name="json" type="list" option.jsonf="on") {{
    property(outname="message" name="msg" format="jsonf")
    property(outname="raw" name="rawmsg" format="jsonf")
    property(outname="app" name="app-name" format="jsonf")
    property(outname="tag" name="syslogtag" format="jsonf")
    property(outname="pid" name="procid" format="jsonf")
    property(outname="severity" name="syslogseverity-text" format="jsonf")
    property(outname="at" name="timereported" dateFormat="rfc3339" format="jsonf")
    property(outname="host" name="hostname" format="jsonf")
    property(outname="data" name="structured-data" format="jsonf")
}}
ruleset(name="keep" queue.type="{queue}") {{ action(type="omfile" file="{folder}/received" template="json") }}
"""
_PLAIN = """
module(load="imtcp")
module(load="imudp")
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="keep")
input(type="imudp" address="127.0.0.1" port="{tcp}" ruleset="keep")
"""
_TLS = """
global(defaultNetstreamDriverCAFile="{ca}" defaultNetstreamDriverCertFile="{certificate}"
       defaultNetstreamDriverKeyFile="{key}")
module(load="imtcp" streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name"
       permittedPeer=["edge1"])
input(type="imtcp" address="127.0.0.1" port="{tcp}" ruleset="keep")
"""
_RELP = """
module(load="imrelp" tls.tlslib="openssl")
input(type="imrelp" address="127.0.0.1" port="{tcp}" ruleset="keep" maxDataSize="128k")
"""
_RELP_TLS = """
module(load="imrelp" tls.tlslib="openssl")
input(type="imrelp" address="127.0.0.1" port="{tcp}" ruleset="keep" maxDataSize="128k" tls="on" tls.caCert="{ca}"
      tls.myCert="{certificate}" tls.myPrivKey="{key}" tls.authMode="name" tls.permittedPeer=["edge1"])
"""
INPUTS = {"plain": _PLAIN, "tls": _TLS, "relp": _RELP, "relp-tls": _RELP_TLS}
_MODULES = {"tls": ("lmnsd_gtls", "rsyslog-gnutls"), "relp": ("imrelp", "rsyslog-relp")}


def keys(authority: Authority, name: str = "edge1") -> dict[str, str]:
    """What a sender called `name` is configured with for TLS."""
    certificate, key = authority.sign(name, f"DNS:{name}")
    return {"ca_file": str(authority.certificate), "certificate_file": str(certificate), "key_file": str(key)}


class Rsyslog:
    """`inputs`: a key of INPUTS. `queue`: Direct answers RELP after writing, LinkedList after remembering.

    TLS inputs have the certificate `localhost` (127.0.0.1), and want one in the name `edge1`, both of `authority`.
    """

    def __init__(self, folder: Path, inputs: str, authority: Authority | None = None, queue: str = "Direct") -> None:
        _require(inputs)
        self.folder, self.process = folder, None
        folder.mkdir()
        self.port = free_port()
        values = {"folder": folder, "tcp": self.port, "queue": queue}
        if authority is not None:
            certificate, key = authority.sign("localhost", "DNS:localhost,IP:127.0.0.1")
            values.update(ca=authority.certificate, certificate=certificate, key=key)
        self._configuration = folder / "rsyslog.conf"
        self._configuration.write_text((_START + INPUTS[inputs]).format(**values))

    def start(self) -> None:
        assert RSYSLOGD is not None
        (self.folder / "pid").unlink(missing_ok=True)
        command = [RSYSLOGD, "-n", "-f", str(self._configuration), "-i", str(self.folder / "pid")]
        with (self.folder / "stderr").open("ab") as errors:
            self.process: subprocess.Popen[bytes] | None = subprocess.Popen(command, stdout=errors, stderr=errors)
        until(self._listens)

    def _listens(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self.folder / "stderr").read_text()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """In order: what it has received it writes."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(60)
            self.process = None

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait(60)
        self.process = None
        with (self.folder / "received").open("ab+") as written:
            written.seek(0)
            if (lines := written.read()) and not lines.endswith(b"\n"):  # it would swallow the next life's first
                written.write(b"\n")

    def received(self) -> list[dict[str, str]]:
        """One dict a message; the half line a kill left behind counts for nothing."""
        try:
            lines = (self.folder / "received").read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        made = []
        for line in lines:
            try:
                made.append(json.loads(line))
            except ValueError:  # half a line
                made.append({"message": line.decode(errors="replace")})
        return made


def _require(inputs: str) -> None:
    missing = [] if RSYSLOGD else ["rsyslog"]
    module, package = _MODULES.get(inputs.split("-")[0], ("", ""))
    if module and not any(Path("/usr/lib").glob(f"**/rsyslog/{module}.so")):
        missing.append(package)
    if missing:
        without(f"missing: apt-get install {' '.join(missing)}")
