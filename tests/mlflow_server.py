"""A real MLflow tracking server on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Gives the address of a server that keeps all it has in `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = ["--backend-store-uri", f"sqlite:///{folder / 'store.db'}", "--artifacts-destination", str(folder / "kept")]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1", *store]
    env, url, log = os.environ | QUIET, f"http://127.0.0.1:{port}", folder / "log"
    with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out, env=env, cwd=folder) as process:
        try:
            _await_answer(f"{url}/health", log)
            yield url
        finally:
            process.terminate()


def _await_answer(url: str, log: Path) -> None:
    for _ in range(240):
        try:
            with urllib.request.urlopen(url) as answer:  # noqa: S310 - the test's own server
                assert answer.status == 200
                return
        except OSError:
            time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])
