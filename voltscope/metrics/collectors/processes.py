"""What each agent's process and the platform's own cost, from /proc."""

from __future__ import annotations

from collections.abc import Iterable

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, counter, gauge
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.processes import Process, ProcessTable

CPU = counter("volttron_process_cpu_seconds_total", "Processor time used.", "agent", mode=("user", "system"))
RESIDENT = gauge("volttron_process_resident_memory_bytes", "Resident set size.", "agent")
PROPORTIONAL = gauge(
    "volttron_process_proportional_memory_bytes",
    "Proportional set size: private memory and a fair share of what is shared. Agents' values add up.",
    "agent",
)
OPEN_FDS = gauge("volttron_process_open_fds", "Open file descriptors.", "agent")
MAX_FDS = gauge("volttron_process_max_fds", "The soft limit of open file descriptors.", "agent")
WORST_FD_RATIO = gauge(
    "volttron_process_worst_fd_ratio",
    "Open file descriptors to their limit, the worst of the process and its children (other agents excepted).",
    "agent",
)
THREADS = gauge("volttron_process_threads", "Threads.", "agent")
SWITCHES = counter(
    "volttron_process_context_switches_total",
    "Context switches of the process's main thread.",
    "agent",
    type=("voluntary", "involuntary"),
)
READ = counter("volttron_process_read_bytes_total", "Bytes read from storage.", "agent")
WRITTEN = counter("volttron_process_write_bytes_total", "Bytes written to storage.", "agent")
START_TIME = gauge("volttron_process_start_time_seconds", "When the process started, since the epoch.", "agent")
CHILDREN = gauge("volttron_process_children", "Direct child processes.", "agent")

PLATFORM = "platform"  # the label of the platform's own process


@register
class ProcessesCollector(Collector):
    """A process that ends while we look is left out; an agent that is called `platform` gives way to the platform."""

    name = "processes"
    help = "Processor, memory, descriptors, threads and storage traffic of each agent's process."
    keeps_s = 300.0  # as long as Prometheus itself shows what it saw last
    families = (
        CPU,
        RESIDENT,
        PROPORTIONAL,
        OPEN_FDS,
        MAX_FDS,
        WORST_FD_RATIO,
        THREADS,
        SWITCHES,
        READ,
        WRITTEN,
        START_TIME,
        CHILDREN,
    )

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        pids = {agent.identity: agent.pid for agent in snapshot.agents if agent.pid is not None}
        if snapshot.platform_pid is not None and snapshot.platform_runs:
            pids[PLATFORM] = snapshot.platform_pid
        known = set(pids.values())
        boot_time = snapshot.processes.boot_time()
        for identity, pid in pids.items():
            process = snapshot.processes.read(pid, boot_time=boot_time)
            if process is not None:
                _put(samples, identity, process)
                found = snapshot.processes.children(pid) if process.children else []
                children = (child for child in found if child not in known)
                samples.set(WORST_FD_RATIO, _worst_ratio(snapshot.processes, process, children), agent=identity)


def _put(samples: Samples, agent: str, process: Process) -> None:
    samples.set(CPU, process.user_seconds, agent=agent, mode="user")
    samples.set(CPU, process.system_seconds, agent=agent, mode="system")
    samples.set(RESIDENT, process.resident_bytes, agent=agent)
    samples.set(PROPORTIONAL, process.proportional_bytes, agent=agent)
    samples.set(OPEN_FDS, process.open_fds, agent=agent)
    samples.set(MAX_FDS, process.max_fds, agent=agent)
    samples.set(THREADS, process.threads, agent=agent)
    samples.set(SWITCHES, process.voluntary_switches, agent=agent, type="voluntary")
    samples.set(SWITCHES, process.involuntary_switches, agent=agent, type="involuntary")
    samples.set(READ, process.read_bytes, agent=agent)
    samples.set(WRITTEN, process.write_bytes, agent=agent)
    samples.set(START_TIME, process.start_time, agent=agent)
    samples.set(CHILDREN, process.children, agent=agent)


def _worst_ratio(table: ProcessTable, process: Process, children: Iterable[int]) -> float | None:
    family = [process, *(table.read(child, memory=False) for child in children)]
    ratios = [
        member.open_fds / member.max_fds
        for member in family
        if member is not None and member.open_fds is not None and member.max_fds
    ]
    return max(ratios, default=None)
