"""The tutorial runs as it stands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import jupytext
import pytest

from docs.site import ROOT


@pytest.mark.slow
def test_tutorial_ends_on_the_first_model_again(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "docs.tutorial"]
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    cells = [cell for cell in jupytext.read(ROOT / "build" / "tutorial.ipynb").cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in cells)
    assert "rollback" in "".join(one.get("text", "") for cell in cells for one in cell.outputs)
