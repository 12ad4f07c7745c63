"""What holds for every test."""

import signal


def pytest_configure() -> None:
    """Undo an ignored SIGINT: a shell without job control gives it to what it starts in the background.

    Whatever the tests start would inherit it, and could be stopped neither by Ctrl-C nor by those who send SIGINT.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
