"""The entry of `lossnlp-serve`: its commands, or one sentence where the service's own requirements are missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

import typer

from lossnlp.errors import LossNlpError
from serving.errors import ConfigurationError

_OWN_PACKAGES = ("lossnlp", "serving")
_PATIENT = {"worker", "backfill", "reassess"}
_NICENESS = 10


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the command; a fault that a person can mend ends in one sentence, not in a traceback."""
    give_way(sys.argv[1:] if arguments is None else arguments, lower_to=_lower_to)
    try:
        load_commands()(arguments)
    except LossNlpError as error:
        typer.echo(f"lossnlp-serve: {error.message}", err=True)
        sys.exit(1)


def give_way(words: Sequence[str], *, lower_to: Callable[[int], object]) -> None:
    """Makes a process that works through many deals let those of the same machine go first that answer requests.

    Args:
        words: The command and its options.
        lower_to: Sets the niceness of this process, -20 to 19; it is called where the command is one that can wait.
    """
    if words and words[0] in _PATIENT:
        lower_to(_NICENESS)


def _lower_to(niceness: int) -> None:
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(niceness, os.getpriority(os.PRIO_PROCESS, 0)))


def load_commands() -> typer.Typer:
    """Gives the commands.

    Raises:
        ConfigurationError: lossnlp is installed without its extra 'serve'.
    """
    try:
        from serving.commands import app  # noqa: PLC0415 (a base install has this entry too, but not what it imports)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _OWN_PACKAGES:
            raise
        message = f"The service needs '{missing}', which is not installed; run: pip install 'lossnlp[serve]'"
        raise ConfigurationError(message) from None
    return app


if __name__ == "__main__":
    main()
