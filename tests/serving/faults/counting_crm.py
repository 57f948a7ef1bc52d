"""A demo CRM in files that writes down every value it is sent, so that a test sees what was written twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from serving.crm.demo import STATE_FILE, DemoCrm
from serving.crm.protocol import FieldChange, SendResult


def lost(number: int) -> dict[str, Any]:
    """Gives a lost deal of the CRM as a request."""
    note = {"id": "note", "kind": "rep_note", "text": f"deal {number}: price was far too high"}
    return {"deal": {"id": f"D-{number}", "closed_at": "2026-11-02"}, "documents": [note]}


class CountingCrm(DemoCrm):
    """The CRM of a folder, with a hundred lost deals.

    Args:
        folder: Where fields and writes are kept.
        on_sent: Called once the values have arrived and before the caller hears of it.
    """

    def __init__(self, folder: Path, on_sent: Callable[[], object] = lambda: None) -> None:
        super().__init__(folder / STATE_FILE, [lost(number) for number in range(100)])
        self._writes = folder / "writes.jsonl"
        self._on_sent = on_sent

    def send_fields(self, changes: Sequence[FieldChange]) -> list[SendResult]:
        results = super().send_fields(changes)
        with self._writes.open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps([one.deal_id, list(one.values)]) + "\n" for one in changes))
        self._on_sent()
        return results

    @property
    def written(self) -> Counter[tuple[str, str]]:
        """How often each field of each deal was written."""
        lines = self._writes.read_text(encoding="utf-8").splitlines() if self._writes.exists() else []
        told = [json.loads(line) for line in lines]
        return Counter((deal_id, name) for deal_id, names in told for name in names)
