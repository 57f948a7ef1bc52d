"""The tutorial as a notebook, and its execution.

Run: python -m docs.tutorial
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jupytext
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

_ROOT = Path(__file__).parents[1]
_PAGE = _ROOT / "docs" / "tutorial.md"
_CELL_TIMEOUT_S = 600


def read_notebook() -> Any:  # noqa: ANN401 (nbformat has no types)
    """Gives the tutorial as a notebook that has not run."""
    return jupytext.read(_PAGE)


def run_notebook() -> Any:  # noqa: ANN401
    """Gives the tutorial as a notebook with what its cells put out.

    Raises:
        CellExecutionError: A cell failed.
    """
    where = {"metadata": {"path": str(_ROOT)}}
    kernel = AsyncKernelManager(kernel_name="python3", transport="ipc")  # no port is opened
    return NotebookClient(read_notebook(), km=kernel, timeout=_CELL_TIMEOUT_S, resources=where).execute()


def main() -> None:
    """Runs the tutorial into `build/tutorial.ipynb`."""
    try:
        ran = run_notebook()
    except CellExecutionError as error:
        sys.exit(f"docs.tutorial: {error}")
    into = _ROOT / "build" / "tutorial.ipynb"
    into.parent.mkdir(exist_ok=True)
    jupytext.write(ran, into)
    sys.stdout.write(f"{into.relative_to(_ROOT)}\n")


if __name__ == "__main__":
    main()
