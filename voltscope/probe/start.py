"""What an agent runs at its start: a thread that waits to be asked, before gevent has changed anything.

Only modules that the interpreter has loaded by itself or carries inside: agents wait for this.
"""

import _thread
import os
import posix
import sys
import time

# gevent replaces these within their modules; where it did so before us, it has kept them.
_monkey = sys.modules.get("gevent.monkey")
if _monkey is None:
    start_new_thread, allocate_lock, get_ident = _thread.start_new_thread, _thread.allocate_lock, _thread.get_ident
    sleep = time.sleep
else:
    start_new_thread, allocate_lock, get_ident = (
        _monkey.get_original("_thread", name) for name in ("start_new_thread", "allocate_lock", "get_ident")
    )
    sleep = _monkey.get_original("time", "sleep")

# How long the platform may take to write down its pid, and how often we look: less and less.
PATIENCE_S = 60.0
FIRST_LOOK_S, LONGEST_PAUSE_S = 0.05, 5.0
# How long we wait for gevent to patch the process before we import anything, and how long nothing more is patched
# where threads are left as they are: the modular platform patches sockets alone.
SETTLE_S, SETTLE_LOOK_S, CALM_S = 10.0, 0.1, 1.5

# The main thread, unless `begin` is told otherwise; threading's own word for it is changed by gevent.
main_thread = get_ident()
# When the process began, as far as we know: seconds since the epoch.
started = time.time()
_begun = False


def begin(main: int | None = None, at: float | None = None) -> None:
    """Wait in the background to be asked, if this process may be an agent; never raises, never waits itself.

    Called by `voltscope_probe.pth` before gevent is imported, in every Python of an environment where the probe is
    enabled. `main`: the main thread, by default the one that loads this module. `at`: when the process began.
    """
    global _begun, main_thread, started
    try:
        main_thread, started = main or main_thread, at or started
        home, identity = os.environ.get("VOLTTRON_HOME"), os.environ.get("AGENT_VIP_IDENTITY")
        if home and identity and not _begun:
            _begun = True
            start_new_thread(_serve, (home, identity, os.getppid()))
    except Exception:
        return


def _serve(home: str, identity: str, parent: int) -> None:
    try:
        import _signal  # type: ignore[import-not-found]  # loaded by the interpreter at its start

        # Signals are the agent's: were one delivered here, its main thread would not wake from a wait.
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        if is_agent(home, parent):
            _settle()
            from voltscope.probe.quiet import SLICE

            with SLICE:
                from voltscope.probe.listener import Listener

                Listener(home, identity).run()
    except BaseException:  # nobody could catch it, and the interpreter would print it into the agent's log
        return


def _settle() -> None:
    """Wait until gevent has patched `_thread`: it changes the owner of locks, those of modules being imported too.

    An import of ours in that moment would keep its module's lock for ever.
    """
    waited, calm, before = 0.0, 0.0, 0
    while _thread.start_new_thread is start_new_thread and waited < SETTLE_S and calm < CALM_S:
        sleep(SETTLE_LOOK_S)
        waited += SETTLE_LOOK_S
        patched = len(getattr(sys.modules.get("gevent.monkey"), "saved", ()))
        calm = calm + SETTLE_LOOK_S if patched and patched == before else 0.0
        before = patched
    sleep(SETTLE_LOOK_S)


def is_agent(home: str, parent: int, patience_s: float = PATIENCE_S) -> bool:
    """Whether `parent`, the process that started this one, is the platform of `home`.

    What an agent starts inherits its environment, and is none: our own engines, for one. The platform may write its
    pid later than it starts agents, and a file of an earlier one may lie there.
    """
    waited, pause = 0.0, FIRST_LOOK_S
    while os.getppid() == parent:
        if _platform_pid(home) == parent:
            return True
        if waited >= patience_s:
            break
        sleep(pause)
        waited, pause = waited + pause, min(2 * pause, LONGEST_PAUSE_S)
    return False


def _platform_pid(home: str) -> int | None:
    try:
        file = os.open(home + "/VOLTTRON_PID", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            return int(os.read(file, 32))
        finally:
            posix.close(file)  # os.close is gevent's when we come here later, and would make a hub in this thread
    except (OSError, ValueError):
        return None
