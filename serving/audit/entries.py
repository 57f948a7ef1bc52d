"""What the audit log says: who did or was refused what, when, and the digest that hangs one row on the one before."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Literal, get_args

from serving.tables import AuditRow

Act = Literal[
    "request",
    "sign_in",
    "lock_out",
    "key_create",
    "key_rotate",
    "key_revoke",
    "person_add",
    "person_change",
    "person_disable",
    "person_enable",
    "password_change",
    "policy_change",
    "model_use",
    "model_rollback",
    "reassess",
    "taxonomy_apply",
    "taxonomy_undo",
    "backfill_apply",
    "backfill_undo",
    "write_back_retry",
    "write_back_undo",
    "export",
    "restore",
    "retention",
    "audit_cut",
    "access_export",
    "erase",
    "denials_dropped",
]
ACTS: tuple[Act, ...] = get_args(Act)
Outcome = Literal["done", "begun", "failed", "denied"]
GENESIS = "0" * 64
_MOST_CHARS = {"who": 150, "object": 200}


@dataclass(frozen=True, slots=True)
class Entry:
    """What is to be written down; of deals ids alone, never words.

    Args:
        who: `person ID`, `key NAME`, `account NAME` of the machine, `address HOST` of who proved nothing, or `provider` of sign-ins.
        act: What was done or refused.
        object: What it was done to: an id, a name that we gave, or method and route.
        outcome: `done`, `denied`, or of what takes several units of work `begun` and then `done` or `failed`.
        request_id: Finds the request in the log of the service; None outside of one.
        dropped: Denials that were not written since the row before.
    """

    who: str
    act: Act
    object: str
    outcome: Outcome = "done"
    request_id: str | None = None
    dropped: int = 0

    def text(self, name: Literal["who", "object"]) -> str:
        """Gives a field as every database can hold it: printable, and no longer than its column."""
        given = self.who if name == "who" else self.object
        return "".join(sign if sign.isprintable() else "\ufffd" for sign in given)[: _MOST_CHARS[name]]


def digest_row(row: AuditRow, previous_sha256: str) -> str:
    """Gives the SHA-256 of the digest of the row before, a line end and the row as canonical JSON, in hex.

    Canonical is: keys sorted, no blanks, everything beyond ASCII escaped, the moment in UTC with microseconds.
    """
    said = {
        "sequence": row.sequence,
        "at": row.at.isoformat(timespec="microseconds"),
        "who": row.who,
        "act": row.act,
        "object": row.object,
        "outcome": row.outcome,
        "request_id": row.request_id,
        "dropped": row.dropped,
    }
    canonical = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{previous_sha256}\n{canonical}".encode("ascii")).hexdigest()
