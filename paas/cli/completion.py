"""Shell completion: the line for the shell's start-up file."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

SHELLS = ("bash", "zsh", "fish")


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script for a shell.

    It completes commands, options, and names of apps, projects and releases.


    \b
    paasctl completion bash > ~/.local/share/bash-completion/completions/paasctl
    paasctl completion zsh > "${fpath[1]}/_paasctl"
    paasctl completion fish > ~/.config/fish/completions/paasctl.fish
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root()
    click.echo(kind(root.command, {}, "paasctl", "_PAASCTL_COMPLETE").source())
