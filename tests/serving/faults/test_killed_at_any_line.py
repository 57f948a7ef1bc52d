"""A worker that is killed at any line loses nothing and writes nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from serving import inbox, outbox
from serving.crm.protocol import LostEvent
from serving.store import Database, now
from serving.worker import LEASE_S
from tests.serving.faults.counting_crm import CountingCrm
from tests.serving.faults.killed_process import Killed

# Every line takes minutes: LOSSNLP_EVERY_LINE=1 takes them all, else one in ten is enough to see that nothing has changed
STEP = 1 if os.environ.get("LOSSNLP_EVERY_LINE") else 10


def tell(database: Database, number: int) -> None:
    with database.writing() as session:
        event = LostEvent(f"event-{number}", f"D-{number % 100}")
        inbox.add_events(session, [event], crm="demo", door="deals", at=now())
        session.commit()


@pytest.mark.slow
def test_worker_killed_at_any_line_doubles_nothing(killed: Killed, tmp_path: Path, migrated_file: Path) -> None:
    file = shutil.copy(migrated_file, tmp_path / "lossnlp.sqlite3")
    url, crm, told = f"sqlite:///{file}", CountingCrm(tmp_path), {"url": f"sqlite:///{file}", "folder": str(tmp_path)}
    with closing(Database(url)) as database:
        tell(database, 0)
        assert killed.run("loops", ahead_s=0, lines=str(tmp_path / "lines.json"), **told) == 0
        lines = json.loads((tmp_path / "lines.json").read_text())[::STEP]
        ends: Counter[int] = Counter()
        for number, line in enumerate(lines, start=1):
            tell(database, number)
            ends[killed.run("loops", ahead_s=number * 5 * LEASE_S, at=line, **told)] += 1
        assert killed.run("loops", ahead_s=(len(lines) + 9) * 5 * LEASE_S, **told) == 0
        with database.reading() as session:
            events, write_backs = inbox.count_by_state(session), outbox.count_by_state(session)
    assert ends[-signal.SIGKILL] > len(lines) * 0.9 > 20
    assert events == {"taken": len(lines) + 1}
    assert write_backs == {"sent": min(100, len(lines) + 1)}
    assert set(crm.written.values()) == {1}
    assert len({deal_id for deal_id, _ in crm.written}) == min(100, len(lines) + 1)
