"""A program whose two functions take 30 and 70 % of its processor time, by its own clock. Run as a program."""

import time


def spend(seconds: float) -> None:
    """Take so much processor time."""
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass


def seventy() -> None:
    """Seven parts of ten."""
    spend(0.0014)


def thirty() -> None:
    """Three parts of ten."""
    spend(0.0006)


if __name__ == "__main__":
    print("ready", flush=True)
    while True:
        seventy()
        thirty()
