"""Standard output for tables, as wide as the terminal and in a pipe wide enough that nothing is cut; and who sits before it."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

PIPE_WIDTH = 120
T = TypeVar("T")


def open_console(*, most: int | None = None) -> Console:
    """Gives the console.

    Args:
        most: Width in columns that a wide terminal is not used beyond; None uses all of it.
    """
    console = Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    elif most is not None:
        console.width = min(console.width, most)
    return console


def collect(found: Iterable[T], *, saying: str) -> list[T]:
    """Gives all that is found, with a bar on standard error while it comes."""
    taken: list[T] = []
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(saying, total=None)
        for one in found:
            taken.append(one)
            bar.update(task, advance=1)
    return taken


def account_name() -> str:
    """Gives the name of the account of this machine that runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run under a number that has no name
        return "unknown"
