"""`voltscope completion`: the script that teaches a shell our commands, options and agent names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_VOLTSCOPE_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    \b
    bash:  voltscope completion bash > ~/.local/share/bash-completion/completions/voltscope
    zsh:   voltscope completion zsh > ~/.zfunc/_voltscope   (with ~/.zfunc in fpath)
    fish:  voltscope completion fish > ~/.config/fish/completions/voltscope.fish

    Names of agents complete from the exporter of the site; when it does not answer, nothing is offered.
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"this click knows no completion for {shell}")
    click.echo(found(ctx.find_root().command, {}, "voltscope", VARIABLE).source())
