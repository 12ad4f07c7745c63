"""Every error voltscope raises, as one tree.

VoltscopeError
├── ConfigError             a configuration key is unknown, missing or has a value that is not allowed
├── CredentialsError        the credential file cannot be used
├── SiteError               the site file cannot be read
├── PeerError               a part of the site, seen from a client of it
│   ├── PeerUnreachable     nothing answers there
│   └── PeerUnexpected      something answers that is not the part we look for
├── PlatformError
│   ├── PlatformDown        no VOLTTRON platform answers
│   └── UnknownAgent        no agent of that identity
├── LinkError               between bridge and engine
│   ├── LinkClosed          the other side is gone
│   ├── LinkTimeout         no answer in time
│   ├── FrameTooLarge       a frame over the limit of 4 MiB
│   ├── VersionMismatch     bridge and engine are of different versions
│   ├── UnknownMethod       the other side has no such method
│   └── RemoteError         an error of the other side, carried over with its code
├── EngineLocked            another engine owns the data directory
├── UnknownCollector        a scrape asks for a collector there is not
├── UpstreamDown            a server we ask (Prometheus, the profiler) does not answer as it should
├── AlertError
│   ├── AlertmanagerDown    Alertmanager does not answer
│   ├── AlertmanagerRefused it answers, and does not do what it was asked
│   ├── AlertNotFound       no alert of that id fires, or none was ever known
│   ├── StandingNotFound    no acknowledgement, silence or maintenance of that id is in force
│   ├── AlertConflict       the alert is acknowledged already, or cannot be
│   └── AlertStoreError     what alertd keeps cannot be opened, read or written
├── LogError
│   ├── QueryError          a log query cannot be read, with the character's position
│   ├── StoreError          the embedded log store cannot be opened or written
│   ├── SpoolError          the spool of logs cannot be opened, read or written
│   │   └── SpoolFull       it may not grow, and a receiver still needs what is oldest
│   ├── ReceiverError       a receiver of logs, or of what else is sent somewhere, does not take it
│   ├── UnknownReceiver     no receiver of that name, or none that can be read back
│   ├── RecordGone          the record asked for is not there any more
│   └── SavedSearchError    a search cannot be saved, or those saved not be read
├── ProbeError              the probe inside an agent, docs/probe.md
│   ├── ProbeAbsent         the process has no probe that answers
│   ├── ProbeFailed         it answered, and not as it should, or not in time
│   └── ProbeEnvironment    an environment cannot be given the probe, or none is found
├── HelperError             between us and `voltscope probed`, the root helper
│   ├── HelperAbsent        it is not installed here, or we may not reach it
│   ├── HelperBusy          it does as much at once as it may
│   └── HelperUnfit         it cannot work here: no root, no bpftrace, no tracefs
├── LiveError
│   ├── SourceUnavailable   nothing here can watch that process in that view
│   ├── SessionNotFound     no live session of that id
│   ├── TooManySessions     as many live sessions, or readers of them, as may be
│   ├── CodeNotShown        the session has shown nothing of that file
│   └── CodeUnreadable      a file that the session has shown cannot be read here
└── ProfileError
    ├── TargetGone          the process to profile is not there
    ├── ProfilingRefused    the kernel or the profiler refused, with the remedy
    ├── CaptureTooLong      over the longest duration allowed
    ├── TooManyCaptures     over the number of captures allowed at once
    ├── CaptureCancelled    somebody ended the capture early
    ├── CaptureNotFound     no capture of that id
    ├── BackendFailed       the profiler ran and failed, with its own last words
    ├── ProgramRefused      a bpftrace program is none, with its line
    └── BadRequest          a parameter is missing or has a value that is not allowed
"""

from __future__ import annotations

from typing import Any


class VoltscopeError(Exception):
    """Base of all. `str()` says what failed, on what, and what to do.

    Class attributes: `code`, stable and in kebab case, names the error across the link, RPC and HTTP; `status`
    is its HTTP status; `permanent` tells one place whether trying again can help.
    """

    code = "internal"
    status = 500
    permanent = False

    def __init__(self, message: str, remedy: str | None = None) -> None:
        """`message`: what failed, on what. `remedy`: what the reader can do, when there is something."""
        # one argument that holds all: VOLTTRON's RPC hands a remote caller the exception's repr and nothing else
        super().__init__(f"{message} {remedy}" if remedy else message)
        self.message = message
        self.remedy = remedy

    def as_dict(self) -> dict[str, Any]:
        """The form an error takes on the link and in HTTP bodies: code, message, remedy."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


class ConfigError(VoltscopeError):
    """A configuration key that is unknown, missing or has a value that is not allowed."""

    code, status, permanent = "bad-config", 400, True

    def __init__(self, key: str, found: str, allowed: str) -> None:
        super().__init__(f"configuration key {key}: found {found}; allowed: {allowed}.")
        self.key, self.found, self.allowed = key, found, allowed


class CredentialsError(VoltscopeError):
    """The credential file is missing, readable by others, or not of the expected form."""

    code, permanent = "bad-credentials-file", True


class SiteError(VoltscopeError):
    """The site file cannot be read."""

    code, status, permanent = "bad-site-file", 400, True


class PeerError(VoltscopeError):
    """A part of the site did not do what a client of it asked."""

    code, status = "peer", 502


class PeerUnreachable(PeerError):
    """Nothing answers at the address the site file gives."""

    code, status = "peer-unreachable", 503


class PeerUnexpected(PeerError):
    """Something answers, but not as the part we look for does."""

    code = "peer-unexpected"


class PlatformError(VoltscopeError):
    """Something is wrong between us and the platform."""

    code = "platform"


class PlatformDown(PlatformError):
    """No VOLTTRON platform answers."""

    code, status = "platform-down", 503


class UnknownAgent(PlatformError):
    """No agent of that identity is known."""

    code, status, permanent = "unknown-agent", 404, True

    def __init__(self, agent: str, known: list[str]) -> None:
        super().__init__(f"no agent {agent!r} runs here.", f"Known: {', '.join(sorted(known)) or 'none'}.")


class LinkError(VoltscopeError):
    """Between bridge and engine."""

    code, status = "link", 502


class LinkClosed(LinkError):
    """The other side closed the link or died."""

    code = "link-closed"


class LinkTimeout(LinkError):
    """The other side did not answer in time."""

    code, status = "link-timeout", 504


class FrameTooLarge(LinkError):
    """A frame would be, or says it is, over the limit."""

    code, status, permanent = "frame-too-large", 413, True


class VersionMismatch(LinkError):
    """Bridge and engine are of different versions."""

    code, permanent = "version-mismatch", True


class UnknownMethod(LinkError):
    """The other side has no such method."""

    code, status, permanent = "unknown-method", 404, True


class RemoteError(LinkError):
    """An error the other side raised: `code`, `message` and `remedy` are the other side's."""

    def __init__(self, code: str, message: str, remedy: str | None = None, status: int = 502) -> None:
        super().__init__(message, remedy)
        self.code, self.status = code, status


class EngineLocked(VoltscopeError):
    """Another engine owns the data directory."""

    code, status = "engine-locked", 409


class UnknownCollector(VoltscopeError):
    """A scrape asks, by `collect[]`, for a collector there is not."""

    code, status, permanent = "unknown-collector", 400, True


class UpstreamDown(VoltscopeError):
    """A server we ask on somebody's behalf (Prometheus, the profiler) does not answer as it should."""

    code, status = "upstream-down", 502


class AlertError(VoltscopeError):
    """Something is wrong with alerting."""

    code = "alerting"


class AlertmanagerDown(AlertError):
    """Alertmanager does not answer."""

    code, status = "alertmanager-down", 503


class AlertmanagerRefused(AlertError):
    """Alertmanager answers, and does not do what it was asked, or what answers is none.

    `answered`: the HTTP status it answered with; None where it was no answer of Alertmanager's. `permanent` when that
    status says that the fault is ours.
    """

    code, status = "alertmanager-refused", 502

    def __init__(self, message: str, remedy: str | None = None, answered: int | None = None) -> None:
        super().__init__(message, remedy)
        self.answered = answered
        self.permanent = answered is not None and answered < 500


class AlertNotFound(AlertError):
    """No alert, or occurrence of one, has that id."""

    code, status, permanent = "alert-not-found", 404, True


class StandingNotFound(AlertError):
    """No acknowledgement, silence, maintenance or decommissioning of that id is in force."""

    code, status, permanent = "standing-not-found", 404, True


class AlertConflict(AlertError):
    """The alert is acknowledged already, or is none that can be."""

    code, status, permanent = "alert-conflict", 409, True


class AlertStoreError(AlertError):
    """The database of alertd cannot be opened, read or written."""

    code = "alert-store"


class LogError(VoltscopeError):
    """Something is wrong with logs."""

    code = "log"


class QueryError(LogError):
    """A log query that cannot be read. `position`: 0-based index of the character, when known."""

    code, status, permanent = "bad-query", 400, True

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class StoreError(LogError):
    """The embedded log store cannot be opened, read or written."""

    code = "log-store"


class SpoolError(LogError):
    """The spool cannot be opened, read or written; nothing changed. `permanent`: trying again cannot help."""

    code = "log-spool"

    def __init__(self, message: str, remedy: str | None = None, permanent: bool = False) -> None:
        super().__init__(message, remedy)
        self.permanent = permanent


class SpoolFull(SpoolError):
    """The spool has its largest size, and is configured to keep what a receiver has not taken yet."""

    code, status = "spool-full", 507


class ReceiverError(LogError):
    """A receiver of logs, or another server that something is sent to or asked of, cannot be reached or does not take
    it. `permanent`: sending again cannot help.
    """

    code, status = "log-receiver", 502

    def __init__(self, message: str, remedy: str | None = None, permanent: bool = False) -> None:
        super().__init__(message, remedy)
        self.permanent = permanent


class UnknownReceiver(LogError):
    """No receiver of logs has that name, or none can be read back."""

    code, status, permanent = "unknown-receiver", 404, True


class RecordGone(LogError):
    """The record of that cursor is not there: retention took it, or it never was."""

    code, status, permanent = "record-gone", 404, True

    def __init__(self, cursor: str) -> None:
        super().__init__(f"record {cursor} is not there any more.", "Retention may have taken it: search again.")


class SavedSearchError(LogError):
    """A search cannot be saved as asked (status 400), is not there (404), or their file is no good (500)."""

    code, status = "saved-search", 400

    def __init__(self, message: str, remedy: str | None = None, status: int = 400) -> None:
        super().__init__(message, remedy)
        self.status = status


class ProbeError(VoltscopeError):
    """Something is wrong with the probe inside an agent."""

    code, status = "probe", 502


class ProbeAbsent(ProbeError):
    """The process has no probe that answers."""

    code, status = "probe-absent", 409


class ProbeFailed(ProbeError):
    """The probe refused, hung up, said what it should not, or nothing in time."""

    code = "probe-failed"


class ProbeEnvironment(ProbeError):
    """A Python environment cannot be given the probe, or none is found to give it to."""

    code, status, permanent = "probe-environment", 400, True


class HelperError(VoltscopeError):
    """Between us and `voltscope probed`, the root helper."""

    code, status = "helper", 502


class HelperAbsent(HelperError):
    """No root helper answers, or its socket is not for us."""

    code, status = "helper-absent", 503


class HelperBusy(HelperError):
    """The root helper does as much at once, or was asked as often, as it may."""

    code, status = "helper-busy", 429


class HelperUnfit(HelperError):
    """The root helper cannot work on this machine, or not as this user."""

    code, status, permanent = "helper-unfit", 403, True


class LiveError(VoltscopeError):
    """Something is wrong with a live session."""

    code = "live"


class SourceUnavailable(LiveError):
    """No source, or not the one asked for, can watch that process in that view."""

    code, status = "source-unavailable", 409


class SessionNotFound(LiveError):
    """No live session of that id; only the last that ended are remembered."""

    code, status, permanent = "session-not-found", 404, True


class TooManySessions(LiveError):
    """As many live sessions run, or as many read them, as may."""

    code, status = "too-many-sessions", 429


class CodeNotShown(LiveError):
    """Code is shown of files only that the session itself has named."""

    code, status, permanent = "code-not-shown", 403, True


class CodeUnreadable(LiveError):
    """A file that the session has named is not there, no Python source, or too large."""

    code, status, permanent = "code-unreadable", 404, True


class ProfileError(VoltscopeError):
    """Something is wrong with a capture."""

    code = "profile"


class TargetGone(ProfileError):
    """The process to profile is not there, or ended before a single sample."""

    code, status = "target-gone", 409


class ProfilingRefused(ProfileError):
    """The kernel or the profiler refused to attach."""

    code, status, permanent = "profiling-refused", 403, True


class CaptureTooLong(ProfileError):
    """Longer than the configuration allows."""

    code, status, permanent = "capture-too-long", 400, True


class TooManyCaptures(ProfileError):
    """As many captures run or wait as the configuration allows."""

    code, status = "too-many-captures", 429


class CaptureCancelled(ProfileError):
    """Somebody ended the capture before it was done."""

    code, status = "capture-cancelled", 409


class CaptureNotFound(ProfileError):
    """No capture of that id, or not in that format."""

    code, status, permanent = "capture-not-found", 404, True


class BackendFailed(ProfileError):
    """The profiler ran and failed."""

    code = "backend-failed"


class ProgramRefused(ProfileError):
    """bpftrace does not take a program. `line`: the first it complains of, from 1, when it says."""

    code, status, permanent = "program-refused", 400, True

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class BadRequest(ProfileError):
    """A parameter is missing or has a value that is not allowed."""

    code, status, permanent = "bad-request", 400, True
