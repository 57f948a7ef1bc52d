"""Users for Locust, which together send notes at a fixed rate: each is due at fixed times, whatever the answers before took.

Told by the environment: LOAD_BODIES (file, one body a line), LOAD_PATH, LOAD_KEY, LOAD_EACH (requests a second of one user), LOAD_PREFIX.
"""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

from locust import FastHttpUser, constant_throughput, task

_NUMBERS = count()
_BODIES = Path(os.environ["LOAD_BODIES"]).read_text(encoding="utf-8").splitlines()
_HEADERS = {"Authorization": f"Bearer {os.environ['LOAD_KEY']}", "Content-Type": "application/json"}


class Sender(FastHttpUser):
    """Sends the next note under an id of its own."""

    wait_time = constant_throughput(float(os.environ["LOAD_EACH"]))

    @task
    def send(self) -> None:
        """Posts one note."""
        number = next(_NUMBERS)
        body = _BODIES[number % len(_BODIES)].replace("DEAL-ID", f"{os.environ['LOAD_PREFIX']}-{number}", 1)
        self.client.post(os.environ["LOAD_PATH"], data=body, headers=_HEADERS)
