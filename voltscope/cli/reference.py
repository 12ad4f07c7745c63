"""Makes docs/cli.md out of the commands themselves: `python -m voltscope.cli.reference > docs/cli.md`."""

from __future__ import annotations

import click

from voltscope.cli import exits
from voltscope.cli.logs import Logs
from voltscope.cli.program import COMMANDS, program

_WIDTH = 100

_HEAD = """# The command line

<!-- made by: python -m voltscope.cli.reference > docs/cli.md -->

`voltscope` answers from a terminal what the console answers in a browser. It finds the parts of a site in the
[site file](console.md#the-site-file): the option `--site FILE`, else `$VOLTSCOPE_SITE`, else
`~/.config/voltscope/site.json`, else the default ports of this machine.

## What to rely on in scripts

- **stdout** carries the answer and nothing else; progress, notes and errors go to **stderr**.
- With `--json` stdout carries JSON, also on failure: `{"error": {"code", "message", "remedy"}}`, for a query that
  cannot be read with `position` too. `voltscope logs --json` prints one document a line.
- Error codes are stable; sentences may be improved.
- Colour is used on terminals only, and never when `NO_COLOR` is set. Control characters in logs and names are shown
  as escapes: no record can command a terminal.
- Files are written whole or not at all.

| exit code | meaning |
|---|---|
"""

_TAIL = """
`voltscope engine` ends with the engine's own exit status: see `docs/engine-link.md`.

## Completion

`voltscope completion bash|zsh|fish` prints the script (see below). Commands, options and their values complete, and
so do names of agents, asked of the exporter within two seconds.
"""


def reference() -> str:
    """The whole page."""
    rows = "".join(f"| {code} | {meaning} |\n" for code, meaning in exits.MEANING.items())
    sections = [_section("voltscope", program)]
    with click.Context(program, info_name="voltscope") as context:
        for name in COMMANDS:
            command = program.get_command(context, name)
            assert command is not None, name  # noqa: S101  COMMANDS is what get_command looks into
            sections.append(_section(f"voltscope {name}", command))
            if isinstance(command, click.Group):
                sections += [_section(f"voltscope {name} {below}", each) for below, each in command.commands.items()]
            if isinstance(command, Logs):
                sections += [_section(f"voltscope {name} {below}", command.command(below)) for below in command.below]
    return _HEAD + rows + _TAIL + "".join(sections)


def _section(title: str, command: click.Command) -> str:
    parent_name, _, name = title.rpartition(" ")
    parent = click.Context(program, info_name=parent_name) if parent_name else None
    # the terminal that makes the page must not shape it
    context = click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH, max_content_width=_WIDTH)
    context.help_option_names = list(command.context_settings.get("help_option_names", ["-h", "--help"]))
    return f"\n## {title}\n\n```text\n{command.get_help(context)}\n```\n"


if __name__ == "__main__":
    print(reference(), end="")
