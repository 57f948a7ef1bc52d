"""A real Tryton 8.2 in an environment of its own: installed and filled once, then a copy of its database for each test run."""

from __future__ import annotations

import atexit
import fcntl
import functools
import hashlib
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

CACHE_VARIABLE = "LOSSNLP_TEST_CACHE"
REQUIRE_VARIABLE = "LOSSNLP_REQUIRE_CRM"
DATABASE = "crm"
PACKAGES = ("trytond>=8.2,<8.3", "trytond-sale-opportunity>=8.2,<8.3", "proteus>=8.2,<8.3")
_BUILD_S = 900.0
_START_S = 180.0
_STOP_S = 20.0
_FILL = f"""
import sys
from proteus import Model, config
config.set_trytond("sqlite:///{DATABASE}", config_file=sys.argv[1])
for code in ("EUR", "USD"):
    Model.get("currency.currency")(name=code, symbol=code, code=code).save()
[admin] = Model.get("res.user").find([("login", "=", "admin")])
application = Model.get("res.user.application")(application="rest", user=admin)
application.save()
with open(sys.argv[2], "w") as keys:
    keys.write(application.key)
"""


class NoTrytonError(Exception):
    """Says why no Tryton can be had here."""


class MailSink(socketserver.ThreadingTCPServer):
    """A mail server that takes every mail and forgets it."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _MailSession)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.server_address[1]}"


class _MailSession(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(b"220 sink\r\n")
        while command := self.rfile.readline()[:4].upper():
            if command == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() not in (b".\r\n", b""):
                    pass
            self.wfile.write(b"250 taken\r\n")
            if command == b"QUIT":
                return


@dataclass(frozen=True)
class TrytonServer:
    """A running server.

    Args:
        url: Where it stands.
        admin_key: Of its administrator, for the REST API.
        process: Its process.
        folder: Of its copy of the database.
        mails: Takes the mails that it sends.
    """

    url: str
    admin_key: str
    process: subprocess.Popen[bytes]
    folder: Path
    mails: MailSink

    @property
    def database_path(self) -> Path:
        return self.folder / "db" / f"{DATABASE}.sqlite"

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.mails.shutdown()
        self.mails.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)


def get_server() -> TrytonServer:
    """Gives the server of this test run; skips, or fails where `LOSSNLP_REQUIRE_CRM` is set, when there can be none."""
    found = _find_server()
    if isinstance(found, TrytonServer):
        return found
    if os.environ.get(REQUIRE_VARIABLE):
        pytest.fail(f"{REQUIRE_VARIABLE} is set, and {found}")
    pytest.skip(found)


@functools.cache
def _find_server() -> TrytonServer | str:
    """Gives the server, or why there is none; neither is tried twice."""
    try:
        built = _build()
        server = _start(built)
    except (NoTrytonError, OSError, subprocess.SubprocessError) as error:
        return f"Tryton cannot be run here: {error}"
    atexit.register(server.stop)
    return server


def _build() -> Path:
    """Gives the folder with the environment and the filled database."""
    version = hashlib.sha256("\n".join((*PACKAGES, _FILL, sys.version)).encode()).hexdigest()[:12]
    folder = _cache_folder() / f"tryton-{version}"
    folder.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if not (folder / "ready").exists():
            _install(folder)
            _fill(folder)
            (folder / "ready").touch()
    return folder


def _cache_folder() -> Path:
    chosen = os.environ.get(CACHE_VARIABLE)
    home = os.environ.get("XDG_CACHE_HOME")
    return Path(chosen) if chosen else (Path(home) if home else Path.home() / ".cache") / "lossnlp"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _install(folder: Path) -> None:
    _run("venv", [sys.executable, "-m", "venv", "--clear", str(folder / "venv")])
    _run("pip", [str(folder / "venv/bin/python"), "-m", "pip", "install", "--quiet", *PACKAGES])


def _fill(folder: Path) -> None:
    shutil.rmtree(folder / "db", ignore_errors=True)
    (folder / "db").mkdir()
    (folder / "db" / f"{DATABASE}.sqlite").touch()
    config = _write_config(folder)
    password = folder / "password"
    password.write_text("admin-of-a-test", encoding="utf-8")
    admin = [str(folder / "venv/bin/trytond-admin"), "-c", str(config), "-d", DATABASE]
    _run("trytond-admin", [*admin, "--all", "--email", "admin@example.com"], TRYTONPASSFILE=str(password))
    _run("trytond-admin -u", [*admin, "-u", "sale_opportunity", "--activate-dependencies"])
    _run("proteus", [str(folder / "venv/bin/python"), "-c", _FILL, str(config), str(folder / "key")])


def _write_config(folder: Path, *more: str) -> Path:
    config = folder / "trytond.conf"
    lines = ("[database]", "uri = sqlite://", f"path = {folder / 'db'}", *more)
    config.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return config


def _run(name: str, command: list[str], **more: str) -> None:
    done = subprocess.run(command, env=_environment(**more), capture_output=True, timeout=_BUILD_S, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()
        raise NoTrytonError(f"{name} ended with {done.returncode}: {said[-1] if said else 'nothing said'}")


def _environment(**more: str) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | more


def _start(built: Path) -> TrytonServer:
    folder = Path(tempfile.mkdtemp(prefix="lossnlp-tryton-"))
    shutil.copytree(built / "db", folder / "db")
    mails, listen = MailSink(), f"127.0.0.1:{_find_port()}"
    email = ("[email]", f"uri = {mails.url}", "from = crm@example.com")
    config = _write_config(folder, "[web]", f"listen = {listen}", *email)
    command = [str(built / "venv/bin/trytond"), "-c", str(config)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=_environment(), stdout=log, stderr=subprocess.STDOUT)
    server = TrytonServer(f"http://{listen}", (built / "key").read_text(encoding="utf-8"), process, folder, mails)
    try:
        _wait_for(server)
    except NoTrytonError:
        server.stop()
        raise
    return server


def _find_port() -> int:
    with socket.socket() as some:
        some.bind(("127.0.0.1", 0))
        return int(some.getsockname()[1])


def _wait_for(server: TrytonServer) -> None:
    headers = {"Authorization": f"Bearer {server.admin_key}"}
    until = time.monotonic() + _START_S
    while time.monotonic() < until:
        if server.process.poll() is not None:
            raise NoTrytonError(f"trytond ended with {server.process.returncode}")
        try:
            answer = httpx2.get(f"{server.url}/{DATABASE}/rest/model/res.user?s=1", headers=headers, timeout=_START_S)
        except httpx2.TransportError:
            time.sleep(0.2)
            continue
        if answer.is_success:
            return
        raise NoTrytonError(f"trytond answered {answer.status_code}")
    raise NoTrytonError("trytond did not answer in time")
