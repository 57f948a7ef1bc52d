"""Several processes behind one port and over one database, each with a model, a line and a follower of its own.

They share the listening socket: whichever is free takes the next connection. What must happen once in an installation (polls, the
inbox, write-backs, reminders, looks at drift) happens in `lossnlp-serve worker`, never here. Source: uvicorn, "Deployment".
"""

from __future__ import annotations

import os
import socket
import sys
import tempfile

import typer
from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from lossnlp.cores import usable_cores
from lossnlp.errors import LossNlpError
from serving.app import create_app
from serving.auth import with_first_key
from serving.logs import configure_logs
from serving.metrics import SHARED_FOLDER
from serving.model.following import open_model
from serving.server import PLAIN, Wire, server_config, take_turns_sooner
from serving.settings import Settings, load_settings

MAKE_APP = f"{__name__}:make_app"


def count_processes(settings: Settings) -> int:
    """Gives how many processes answer: as many as are set, or one a processor that the service may use."""
    return settings.processes or usable_cores()


def serve_together(listener: socket.socket, count: int, *, make: str = MAKE_APP, wire: Wire = PLAIN) -> None:
    """Answers requests in so many processes until told to stop; one that dies is replaced, and SIGHUP replaces all, one by one.

    Args:
        listener: The listening socket of all.
        count: Processes.
        make: The function that makes the app of each, `module:function`.
        wire: How they are reached.
    """
    with tempfile.TemporaryDirectory(prefix="lossnlp-metrics-") as folder:
        # The processes begin anew and read their settings from the environment.
        os.environ |= {SHARED_FOLDER: folder, "LOSSNLP_PROCESSES": str(count)}
        supervisor = Multiprocess(server_config(make, workers=count, wire=wire), sockets=[listener])
        supervisor.run()
        if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
            sys.exit(1)


def make_app() -> FastAPI:
    """Gives the app of one of several processes; what keeps it from starting is told in one sentence, and stops all."""
    try:
        settings = with_first_key(load_settings())
        configure_logs(settings)
        take_turns_sooner()
        return create_app(settings, assessor=open_model(settings))
    except LossNlpError as error:
        typer.echo(f"lossnlp-serve: {error.message}", err=True)
        sys.exit(STARTUP_FAILURE)
