"""A real BottleCRM on this machine: installed once into a cache folder, started once a test run, stopped with it.

It needs Python 3.12 or later and, the first time, a package index. Where it cannot be had, the tests that need it are skipped with
the reason, or fail where `LOSSNLP_REQUIRE_CRM` is set. `LOSSNLP_TEST_CACHE` names the cache folder.
"""

from __future__ import annotations

import atexit
import fcntl
import hashlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import httpx2
import pytest

HERE = Path(__file__).parent
CONSTRAINTS = HERE / "bottlecrm-constraints.txt"
SITE = HERE / "bottlecrm_site"
PACKAGE = "django-crm==1.35.0"
_START_S = 180.0


class NoServerError(Exception):
    """Says why there is no BottleCRM here."""


@dataclass(frozen=True)
class Server:
    """A running BottleCRM.

    Args:
        url: Its base URL.
        owner: Token of its owner, for the web; it lasts a day.
        pid: Of its main process.
    """

    url: str
    owner: str
    pid: int


def get_server() -> Server:
    """Gives the one server of this test run; skips the test, or fails it, where there can be none."""
    found = _server()
    if isinstance(found, Server):
        return found
    if os.environ.get("LOSSNLP_REQUIRE_CRM"):
        pytest.fail(f"BottleCRM is required and does not run here: {found}")
    pytest.skip(f"BottleCRM does not run here: {found}")


@cache
def _server() -> Server | str:
    try:
        return _start(_installed(_find_python()))
    except (NoServerError, OSError, subprocess.SubprocessError) as error:
        return str(error)


def _find_python() -> Path:
    for python in _pythons():
        code = "import sys; sys.exit(sys.version_info < (3, 12))"
        if subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0:
            return python
    raise NoServerError("it needs Python 3.12 or later, and none was found.")


def _pythons() -> Iterator[Path]:
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    for minor in (12, 13, 14):
        yield from map(Path, filter(None, [shutil.which(f"python3.{minor}")]))
        yield from sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python"))
    yield Path(sys.executable)


def _installed(python: Path) -> Path:
    """Gives a folder with an environment and an empty database, made before or now; another process that wants it waits."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lossnlp"
    parts = [CONSTRAINTS.read_bytes(), str(python).encode(), *(path.read_bytes() for path in sorted(SITE.glob("*.py")))]
    name = "bottlecrm-" + hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]
    home = Path(os.environ.get("LOSSNLP_TEST_CACHE") or base) / name
    home.parent.mkdir(parents=True, exist_ok=True)
    with (home.parent / "bottlecrm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not home.exists():
            with tempfile.TemporaryDirectory(dir=home.parent, prefix="part-") as part:
                made = Path(part) / "made"
                _install(python, made)
                made.rename(home)
    return home


def _install(python: Path, home: Path) -> None:
    outside = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    _run([python, "-m", "venv", home / "venv"], outside)
    pip = [_python_of(home), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--constraint", CONSTRAINTS, "uv"], outside)
    uv = [_python_of(home), "-m", "uv", "pip", "install", "--quiet", "--python", _python_of(home)]
    _run([*uv, "--constraint", CONSTRAINTS, PACKAGE], outside)
    environment = _environment(home / "empty.sqlite3")
    _run([_python_of(home), "-m", "django", "migrate", "--run-syncdb", "-v0"], environment, cwd=home)


def _start(home: Path) -> Server:
    """Gives a server with a database of its own; both are gone at the end of the test run."""
    folder = tempfile.TemporaryDirectory(prefix="bottlecrm-")
    state = Path(folder.name)
    environment = _environment(shutil.copy(home / "empty.sqlite3", state / "crm.sqlite3"))
    owner = _run([_python_of(home), SITE / "bottlecrm_owner.py"], environment, cwd=state).strip()
    with socket.create_server(("127.0.0.1", 0)) as door, (state / "log.txt").open("wb") as log:
        bind = f"fd://{door.fileno()}"
        command = [
            _python_of(home),
            "-m",
            "gunicorn",
            "bottlecrm_wsgi:application",
            "-b",
            bind,
            "-w",
            "1",
            "--threads",
            "4",
        ]
        process = subprocess.Popen(
            command, env=environment, cwd=state, stdout=log, stderr=log, pass_fds=[door.fileno()]
        )
        port = door.getsockname()[1]
    atexit.register(_stop, process, folder)
    server = Server(f"http://127.0.0.1:{port}", owner, process.pid)
    _wait(server, process, state / "log.txt")
    return server


def _wait(server: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    last = time.monotonic() + _START_S
    while time.monotonic() < last and process.poll() is None:
        with suppress(httpx2.TransportError):
            if httpx2.get(f"{server.url}/healthz/", timeout=5.0).is_success:
                return
        time.sleep(0.2)
    raise NoServerError(f"it did not start: {log.read_text(errors='replace')[-600:]}")


def _stop(process: subprocess.Popen[bytes], folder: tempfile.TemporaryDirectory[str]) -> None:
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    folder.cleanup()


def _python_of(home: Path) -> Path:
    return home / "venv" / "bin" / "python"


def _environment(database: Path) -> dict[str, str]:
    """Gives what the CRM may see of the environment: nothing of this project, whose packages are not its own."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return kept | {
        "PYTHONPATH": str(SITE),
        "DJANGO_SETTINGS_MODULE": "bottlecrm_settings",
        "BOTTLECRM_SQLITE": str(database),
        "DEBUG": "True",
        "ENV_TYPE": "dev",
        "SECRET_KEY": "only-for-tests-" * 4,
    }


def _run(command: list[str | Path], environment: Mapping[str, str], *, cwd: Path | None = None) -> str:
    done = subprocess.run(command, env=dict(environment), cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoServerError(f"{' '.join(map(str, command[:4]))} failed: {done.stderr.strip()[-600:]}")
    return done.stdout
