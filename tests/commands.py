"""All commands of `pixelrnn`, for tests that hold every one of them to a rule."""

import typer

from pixelrnn.cli.main import app


def commands(with_groups=False):
    """Yield the words of each command and the command; groups of commands too if asked for."""
    yield from _below(typer.main.get_command(app), (), with_groups)


def _below(command, words, with_groups):
    is_group = hasattr(command, "commands")
    if is_group:
        command.make_context(
            "", [], resilient_parsing=True
        )  # `bench` finds its commands when asked
    if with_groups or not is_group:
        yield words, command
    for name, below in command.commands.items() if is_group else ():
        yield from _below(below, (*words, name), with_groups)
