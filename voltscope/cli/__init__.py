"""The command line, `voltscope …`: one file a command, imported only when that command runs."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main(argv: list[str] | None = None) -> int:
    """Run `argv` (the process's own arguments by default) and return the exit code; see `voltscope.cli.exits`."""
    arguments = sys.argv[1:] if argv is None else argv
    if arguments[:1] == ["engine"]:
        # engines live as long as the platform: going round click spares each of them 3.5 MB
        from voltscope.engine.main import main as run_engine

        return run_engine(arguments[1:])
    from voltscope.cli.program import run

    return run(arguments)
