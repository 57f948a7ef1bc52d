"""A service of two processes with the stand-in classifier: prints its port, then answers until told to stop."""

from __future__ import annotations

import sys

from fastapi import FastAPI

from serving.app import create_app
from serving.load.processes import serve_together
from serving.server import open_port
from serving.settings import load_settings
from tests.serving.conftest import KeywordAssessor


def make_app() -> FastAPI:
    """Gives the app of one of the processes."""
    return create_app(load_settings(), assessor=KeywordAssessor())


if __name__ == "__main__":
    with open_port("127.0.0.1", 0) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        serve_together(listener, 2, make="tests.serving.load.process_app:make_app")
