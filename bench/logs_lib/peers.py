"""The peers on the same corpus: Debian's rsyslog, python-logstash-async, and the yardstick."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from logs_lib.sink import Sink

_TICKS = os.sysconf("SC_CLK_TCK")
_RSYSLOG = """
global(workDirectory="{work}")
module(load="imfile" mode="inotify")
input(type="imfile" file="{log}" tag="volttron" startmsg.regex="^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}} " ruleset="send"
      readTimeout="1")
template(name="whole" type="string" string="<%PRI%>1 %TIMESTAMP:::date-rfc3339% %HOSTNAME% %syslogtag% - - - %msg%\\n")
ruleset(name="send") {{
    action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="whole" {queue})
}}
main_queue(queue.type="FixedArray")
"""
# What its documentation recommends against loss: https://www.rsyslog.com/doc/concepts/queues.html
DISK_QUEUE = (
    'queue.type="Disk" queue.filename="spool" queue.maxDiskSpace="2g" queue.checkpointInterval="1000" '
    'queue.syncqueuefiles="on" action.resumeRetryCount="-1"'
)


@dataclass(frozen=True)
class Run:
    """What sending `records` took: seconds by the clock, and of processor time, start included."""

    records: int
    seconds: float
    cpu: float

    @property
    def per_second(self) -> float:
        return self.records / self.seconds

    @property
    def per_cpu_second(self) -> float:
        return self.records / self.cpu


def rsyslog(log: Path, records: int, folder: Path, queue: str = "") -> Run:
    """imfile with a start expression, omfwd over TCP; `queue`: of the action. It escapes newlines by itself."""
    work = folder / "rsyslog"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    with Sink() as sink:
        config = work / "rsyslog.conf"
        config.write_text(_RSYSLOG.format(work=work, log=log, port=sink.port, queue=queue))
        began = time.perf_counter()
        process = subprocess.Popen(["rsyslogd", "-n", "-f", config, "-i", work / "pid"], stderr=subprocess.DEVNULL)
        try:
            # the last record stays open until its read timeout: it is not waited for
            seconds = sink.wait(records - 1, 900) - began
            cpu = used(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
    return Run(records, seconds, cpu)


def logstash_async(log: Path, records: int, folder: Path) -> Run:
    """A program that logs the corpus' messages by Python's logging through AsynchronousLogstashHandler."""
    database = folder / "async.sqlite"
    database.unlink(missing_ok=True)
    with Sink() as sink:
        before, began = _children(), time.perf_counter()
        program = Path(__file__).with_name("logging_program.py")
        with subprocess.Popen([sys.executable, program, str(sink.port), log, database], text=True) as process:
            seconds = sink.wait(records, 900, process) - began
            process.wait(timeout=120)
        return Run(records, seconds, _children() - before)


def yardstick(log: Path, records: int) -> Run:
    """The plain program of yardstick.py; it is done when the sink has as many bytes as it sent."""
    with Sink() as sink:
        before, began = _children(), time.perf_counter()
        program = Path(__file__).with_name("yardstick.py")
        subprocess.run([sys.executable, program, str(sink.port), log], check=True)
        size = -1
        while size != (now := sink.bytes()):  # what the kernel still held
            size = now
            time.sleep(0.005)
        return Run(records, time.perf_counter() - began, _children() - before)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def used(pid: int) -> float:
    """Processor seconds of a running process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
