"""Processes of a service that can be killed, forked from one that has everything imported already.

A program calls `obey`: it takes one order for each line on standard input. The name of a part, with a number for it, starts a process and
answers with its id; `kill ID` and `wait ID` answer with how it ended. `Forks` is the other side: the hold on such a program.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from traceback import print_exc
from typing import IO

ROOT = Path(__file__).parents[2]


class Forks:
    """The hold on a program that obeys; safe to share between threads.

    Args:
        module: The program.
        variables: Environment of its processes, beside what this one has but for its LOSSNLP_ variables.
        log: Where they write their logs.
    """

    def __init__(self, module: str, variables: Mapping[str, str], log: IO[str]) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("LOSSNLP_")}
        self._lock = Lock()
        self._host = subprocess.Popen(
            [sys.executable, "-m", module],
            cwd=ROOT,
            env=inherited | dict(variables),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def order(self, act: str, number: int) -> int:
        """Gives the answer to an order."""
        assert self._host.stdin is not None
        assert self._host.stdout is not None
        with self._lock:
            self._host.stdin.write(f"{act} {number}\n")
            self._host.stdin.flush()
            return int(self._host.stdout.readline())

    def close(self) -> None:
        """Kills all that run."""
        self._host.communicate(timeout=60)


def obey(programs: Mapping[str, Callable[[int], None]]) -> None:
    """Obeys until standard input ends; what still runs then is killed.

    Args:
        programs: What each part does with its number.
    """
    children: set[int] = set()
    try:
        for line in sys.stdin:
            act, number = line.split()
            if act in programs:
                answer = _fork(programs[act], int(number))
                children.add(answer)
            else:
                answer = _end(int(number), is_killed=act == "kill")
                children.discard(int(number))
            print(answer, flush=True)  # noqa: T201 (who holds it reads it)
    finally:
        for child in children:
            _end(child, is_killed=True)


def _fork(program: Callable[[int], None], number: int) -> int:
    """Gives the id of a process that runs the program."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        program(number)
        code = 0
    except Exception:  # noqa: BLE001 (whatever it is, it belongs into the log)
        print_exc()
    finally:
        os._exit(code)


def _end(child: int, *, is_killed: bool) -> int:
    """Gives the code that a process ended with: minus the number of the signal where one has ended it."""
    if is_killed:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)
