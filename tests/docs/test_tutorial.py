"""The tutorial runs as it stands."""

from __future__ import annotations

import subprocess
import sys

import jupytext
import pytest

from docs.site import ROOT


@pytest.mark.slow
def test_tutorial_ends_on_the_first_model_again() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.tutorial"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [cell for cell in jupytext.read(ROOT / "build" / "tutorial.ipynb").cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    assert "rollback" in "".join(one.get("text", "") for cell in cells for one in cell.outputs)
