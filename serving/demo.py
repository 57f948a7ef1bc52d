"""The walk that `make run` shows: the demo CRM's lost deals through the endpoint, and the accepted values back."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.progress import track

from serving.api import StoredAssessment
from serving.app import create_app
from serving.auth import KEY_FILE
from serving.crm.connect import connect_crm
from serving.crm.protocol import fetch_all_lost
from serving.demo_report import LABEL_WIDTH, Walked, print_conflict, print_summary, print_table
from serving.errors import ConfigurationError
from serving.model.loading import load_assessor
from serving.people.first_person import DEMO_EMAIL, PASSWORD_FILE, make_demo_person
from serving.schema import open_database
from serving.server import open_port, serving_beside
from serving.settings import Settings
from serving.terminal import open_console
from serving.worker import Worker, stop_on_signal

_TIMEOUT_S = 120.0
_MAX_WIDTH = 140


def run_demo(settings: Settings, *, url: str | None, address: tuple[str, int], keep_serving: bool) -> None:
    """Classifies, writes back and shows the demo deals.

    Args:
        settings: With a key, and with the demo CRM connected.
        url: A running service to use; None starts one.
        address: Host and port of the one to start.
        keep_serving: Whether to go on answering and writing back until told to stop.

    Raises:
        ConfigurationError: The port is taken, or the service does not answer as it should.
    """
    database = open_database(settings.database_url)
    worker = Worker(database, connect_crm(settings))
    make_demo_person(database, settings.var_dir)
    with _service(settings, url=url, address=address) as base_url, _client(settings, base_url) as client:
        requests = list(fetch_all_lost(worker.crm))
        ids = [_send(client, request) for request in _with_progress(requests)]
        while worker.send_due():
            continue
        walked = [Walked.of(request, _fetch(client, found)) for request, found in zip(requests, ids, strict=True)]
        _show(walked, base_url, settings=settings, is_stoppable=keep_serving and url is None)
        if keep_serving and url is None:
            worker.run(stop_on_signal())


@contextmanager
def _service(settings: Settings, *, url: str | None, address: tuple[str, int]) -> Iterator[str]:
    """Gives the base URL of the service: the one that answers at `url`, or one that is started here."""
    if url is not None:
        yield url
        return
    listener = open_port(*address)
    with Console(stderr=True).status("Loading the model …"):
        app = create_app(settings, assessor=load_assessor(settings))
    with serving_beside(app, listener) as base_url:
        yield base_url


def _client(settings: Settings, base_url: str) -> httpx2.Client:
    key = settings.api_key.get_secret_value() if settings.api_key else ""
    return httpx2.Client(base_url=base_url, headers={"Authorization": f"Bearer {key}"}, timeout=_TIMEOUT_S)


def _with_progress(requests: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Gives the requests, with a progress bar on a terminal and none in a pipe."""
    console = Console(stderr=True)
    yield from track(
        requests, "Classifying lost deals", console=console, disable=not console.is_terminal, transient=True
    )


def _send(client: httpx2.Client, request: dict[str, Any]) -> str:
    """Gives the id of the stored answer."""
    return str(_answered(client, "POST", "/v1/assessments", json=request)["id"])


def _fetch(client: httpx2.Client, assessment_id: str) -> StoredAssessment:
    return StoredAssessment.model_validate(_answered(client, "GET", f"/v1/assessments/{assessment_id}"))


def _answered(client: httpx2.Client, method: str, path: str, *, json: dict[str, Any] | None = None) -> dict[str, Any]:
    try:
        response = client.request(method, path, json=json)
    except httpx2.TransportError as error:
        message = f"No answer from {client.base_url} ({type(error).__name__}); is the service running there?"
        raise ConfigurationError(message, field="url") from None
    if response.is_error:
        problem = response.json() if "json" in response.headers.get("content-type", "") else {}
        raise ConfigurationError(f"{path} answered {response.status_code}: {problem.get('detail', 'no cause given')}")
    answer: dict[str, Any] = response.json()
    return answer


def _show(walked: list[Walked], base_url: str, *, settings: Settings, is_stoppable: bool) -> None:
    console = open_console(most=_MAX_WIDTH)
    print_table(console, walked)
    print_summary(console, walked)
    print_conflict(console, walked)
    _print_next_steps(console, base_url, settings=settings, is_stoppable=is_stoppable)


def _print_next_steps(console: Console, base_url: str, *, settings: Settings, is_stoppable: bool) -> None:
    key = "$LOSSNLP_API_KEY" if os.environ.get("LOSSNLP_API_KEY") else f"$(cat {settings.var_dir / KEY_FILE})"
    note = '{"id": "mine-1", "text": "Lost to Acme on price, they came in 30% lower.", "closed_at": "2026-11-20"}'
    command = f"LOSSNLP_CRM=demo {_own_command()} write-backs"
    password = settings.var_dir / PASSWORD_FILE
    lines = {
        "Open the pages": f"{base_url}/ as {DEMO_EMAIL}; the password stands in {password}",
        "Read the API": f"{base_url}/docs",
        "Try a note": f'curl -s {base_url}/v1/assessments -H "Authorization: Bearer {key}" '
        f"-H 'Content-Type: application/json' -d '{note}'",
        "See each write": f"{command} list",
        "Take one back": f"{command} undo ID",
    }
    if is_stoppable:
        lines["Stop"] = "Ctrl-C; until then the service answers and writes back"
    console.print("Where to look next", style="bold")
    for name, line in lines.items():
        console.print(f"  {name:<{LABEL_WIDTH - 1}}{line}", soft_wrap=True, markup=False, highlight=False)


def _own_command() -> str:
    """Gives how this program was called, in a form that can be typed again."""
    called = Path(sys.argv[0])
    if called.name != "lossnlp-serve":
        return f"{os.path.relpath(sys.executable)} -m serving.cli"
    return called.name if shutil.which(called.name) else os.path.relpath(called)
