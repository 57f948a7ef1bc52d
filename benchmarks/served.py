"""Services that answer for notes, each in a process of its own: lossnlp's, MLflow's and LitServe's, all with the shipped bundle."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil

from benchmarks.material import as_request
from benchmarks.peer_process import ROOT
from lossnlp.bundle import find_default_bundle

KEY = "only-for-this-benchmark-and-long-enough"
_START_S = 180.0


@dataclass(frozen=True)
class Served:
    """A service that is ready.

    Args:
        url: Its base.
        path: Where notes are posted.
        pid: Its first process.
        ready_s: From its start until it answered, in seconds.
        is_table: Says whether it takes a note as a row of a table, as MLflow does.
    """

    url: str
    path: str
    pid: int
    ready_s: float
    is_table: bool = False

    def body(self, text: str, deal_id: str) -> str:
        """Gives the body of a request for one note."""
        row = as_request(text, deal_id)
        return json.dumps({"dataframe_records": [row]} if self.is_table else row)

    def ask_all(self, texts: Sequence[str]) -> None:
        """Asks for each note, one after the other.

        Raises:
            RuntimeError: One was not answered.
        """
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        with httpx2.Client(base_url=self.url, timeout=60.0, headers=headers) as client:
            for place, text in enumerate(texts):
                answer = client.post(self.path, content=self.body(text, f"asked-{place}"))
                if not answer.is_success:
                    raise RuntimeError(f"{self.path} answered {answer.status_code}")

    def cpu_s(self) -> float:
        """Gives the processor time of all its processes up to now, in seconds."""
        first = psutil.Process(self.pid)
        times = [one.cpu_times() for one in (first, *first.children(recursive=True))]
        return sum(one.user + one.system for one in times)


@contextmanager
def lossnlp_service() -> Iterator[Served]:
    """Gives lossnlp's service over an empty SQLite file, as `lossnlp-serve run` starts it."""
    with tempfile.TemporaryDirectory() as folder:
        told = {"LOSSNLP_VAR_DIR": folder, "LOSSNLP_API_KEY": KEY}
        serve = [sys.executable, "-m", "serving.cli"]
        subprocess.run([*serve, "migrate"], check=True, capture_output=True, cwd=ROOT, env=os.environ | told)
        port = _free_port()
        with _running([*serve, "run", "--port", str(port)], told, port, ready="/readyz") as (pid, ready_s):
            yield Served(f"http://127.0.0.1:{port}", "/v1/assessments", pid, ready_s)


@contextmanager
def mlflow_service() -> Iterator[Served]:
    """Gives `mlflow models serve` with the bundle as the pyfunc model that training logs."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        model, port = Path(folder) / "model", _free_port()
        code, artifacts = str(ROOT / "training" / "pyfunc.py"), {"bundle": str(find_default_bundle())}
        mlflow.pyfunc.save_model(model, python_model=code, artifacts=artifacts, pip_requirements=["lossnlp"])
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "models",
            "serve",
            "-m",
            str(model),
            "-p",
            str(port),
            "--env-manager",
            "local",
        ]
        with _running(command, {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}, port, ready="/ping") as (
            pid,
            ready_s,
        ):
            yield Served(f"http://127.0.0.1:{port}", "/invocations", pid, ready_s, is_table=True)


@contextmanager
def litserve_service(python: str) -> Iterator[Served]:
    """Gives a LitServe that puts up to 16 notes into one call of `assess_many`.

    Args:
        python: That has litserve and lossnlp.
    """
    port = _free_port()
    with _running([python, "-m", "benchmarks.peers.litserve_app", str(port)], {}, port, ready="/health") as (
        pid,
        ready_s,
    ):
        yield Served(f"http://127.0.0.1:{port}", "/predict", pid, ready_s)


@contextmanager
def _running(command: Sequence[str], told: Mapping[str, str], port: int, *, ready: str) -> Iterator[tuple[int, float]]:
    """Gives process and seconds to readiness of a service, and ends it with all its processes."""
    path = f"{Path(command[0]).parent}{os.pathsep}{os.environ['PATH']}"
    own = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, **told}
    started, nowhere = time.perf_counter(), subprocess.DEVNULL
    service = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, cwd=ROOT, env=own)
    try:
        _await_ready(service, f"http://127.0.0.1:{port}{ready}")
        yield service.pid, time.perf_counter() - started
    finally:
        family = [*psutil.Process(service.pid).children(recursive=True), service]
        for process in family:
            process.terminate()
        service.wait()
        for left in psutil.wait_procs([one for one in family if one is not service], timeout=20)[1]:
            left.kill()


def _await_ready(service: subprocess.Popen[bytes], url: str) -> None:
    until_s = time.perf_counter() + _START_S
    while time.perf_counter() < until_s and service.poll() is None:
        try:
            if httpx2.get(url, timeout=2.0).status_code == 200:
                return
        except httpx2.TransportError:
            pass
        time.sleep(0.05)
    raise RuntimeError(f"{service.args!r} did not start")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
