"""The other end of `benchmarks.speed_peers`: starts peers in processes of their own and gives them their turns.

All are loaded before the first turn, and only one works at a time. Those whose packages lie in the environment of peers
(`LOSSNLP_PEERS_PYTHON`, else `.venv/peers`) run there: see benchmarks/README.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.peers.pipeline import save_encoder
from benchmarks.speed_peers import LLM_VARIABLE, PEERS, Peer
from benchmarks.turns import Turn
from lossnlp.bundle import find_default_bundle, read_bundle

ROOT = Path(__file__).parents[1]
_PEERS_PYTHON = os.environ.get("LOSSNLP_PEERS_PYTHON", ".venv/peers/bin/python")
_SETTLE_S = 0.3  # threads of the one before go to sleep


class PeerProcess:
    """A peer that waits for its turns.

    Args:
        command: Starts it.
        cores: Threads that its libraries may start.
    """

    def __init__(self, command: Sequence[str], *, cores: int) -> None:
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (open as long as the process)
        threads = {name: str(cores) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")}
        quiet = {"TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(ROOT)}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=self._log, text=True, cwd=ROOT, env=os.environ | threads | quiet
        )
        self.facts: dict[str, Any] = {}

    def await_start(self) -> None:
        """Waits until it is loaded and has tried its settings."""
        self.facts = self._answer()

    def take_turn(self, kind: str = "all") -> Turn:
        """Gives a turn.

        Args:
            kind: "all" texts together, or "each" by itself.
        """
        time.sleep(_SETTLE_S)
        assert self._process.stdin is not None  # noqa: S101 (it is a pipe)
        self._process.stdin.write(f"{kind}\n")
        self._process.stdin.flush()
        told = self._answer()
        return Turn(**{**told, "each_ms": tuple(told["each_ms"])})

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def close(self) -> None:
        """Ends it."""
        self._process.terminate()
        self._process.wait()
        self._log.close()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None  # noqa: S101 (it is a pipe)
        line = self._process.stdout.readline()
        if not line:
            self._log.seek(0)
            last = next((said for said in reversed(self._log.read().splitlines()) if said.strip()), "no word")
            raise RuntimeError(last)
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def started_peers(
    names: Sequence[str], texts: Sequence[str], *, cores: int = 2
) -> Iterator[tuple[Mapping[str, PeerProcess], Mapping[str, str]]]:
    """Gives the peers that can run here, loaded one after the other, and why the others cannot.

    Args:
        names: Of PEERS.
        texts: What they will read.
        cores: Processors that each may use.
    """
    running: dict[str, PeerProcess] = {}
    missing: dict[str, str] = {}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        save_encoder(read_bundle(find_default_bundle()), folder / "encoder")
        (folder / "texts.json").write_text(json.dumps(list(texts)), encoding="utf-8")
        for name in names:
            python = find_python(PEERS[name])
            if python is None:
                missing[name] = f"needs {PEERS[name].needs}{_besides(name)}"
                continue
            given = ["--texts", str(folder / "texts.json"), "--encoder", str(folder / "encoder"), "--cores", str(cores)]
            peer = PeerProcess([python, "-m", "benchmarks.speed_peers", name, *given], cores=cores)
            stack.callback(peer.close)
            try:
                peer.await_start()
                running[name] = peer
            except RuntimeError as error:
                missing[name] = f"did not start: {error}"[:300]
            print(f"{name}: {missing.get(name) or peer.facts}", file=sys.stderr, flush=True)
        yield running, missing


def _besides(name: str) -> str:
    return f", and {LLM_VARIABLE} with the path of a GGUF file" if name == "local LLM" else ""


def find_python(peer: Peer) -> str | None:
    """Gives the Python that has what a peer needs: this one, that of the environment of peers, or None."""
    if peer.needs == "llama_cpp" and not os.environ.get(LLM_VARIABLE):
        return None
    return find_module(peer.needs)


def find_module(name: str) -> str | None:
    """Gives the Python that has a module: this one, that of the environment of peers, or None."""
    return next((python for python in (sys.executable, _peers_python()) if python and _has(python, name)), None)


def _peers_python() -> str | None:
    """Gives the Python of the environment of peers, or None where there is none."""
    path = ROOT / _PEERS_PYTHON
    return str(path) if path.is_file() else None


@cache
def _has(python: str, module: str) -> bool:
    code = f"from benchmarks.speed_peers import has_module; raise SystemExit(not has_module({module!r}))"
    return subprocess.run([python, "-c", code], cwd=ROOT, check=False, capture_output=True).returncode == 0
