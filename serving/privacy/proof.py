"""What an erasure came to: rows by table, what a search over every text column still finds, and what is out of reach."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import text

from lossnlp.errors import LossNlpError
from serving.secret_values import write_secret
from serving.store import Database

KEY_FILE = "erasure-key"
OUT_OF_REACH = (
    "backups, and archives of the database's log",
    "the CRM itself: erase there first, or the deal comes in again",
    "files that were exported (verdicts, records, packs, sheets) and what was trained on them",
    "answers that others were given",
)
_STILL_READ = "pages in the database's log that another process reads at this moment; they go with its next checkpoint"


class ErasureError(LossNlpError):
    """Says why nothing was erased."""

    code = "cannot_erase"


@dataclass(frozen=True, slots=True)
class Proof:
    """What an erasure came to, or would come to; it names nobody.

    Args:
        about: `deal` or `person`, with the keyed digest of who or what that is.
        at: When it was looked at.
        is_done: Whether it has happened; else it was only shown.
        deleted: Rows that were deleted, by table.
        changed: Rows of which words were covered or emptied, by table.
        left: Rows in which the search afterwards still finds something, by table; before it has happened none are told.
        searched: Text columns that the search has read.
        unsearched: Encrypted texts that no key at hand opens.
        out_of_reach: What no command of ours reaches.
    """

    about: str
    at: datetime
    is_done: bool
    deleted: Mapping[str, int] = field(default_factory=Counter)
    changed: Mapping[str, int] = field(default_factory=Counter)
    left: Mapping[str, int] = field(default_factory=Counter)
    searched: int = 0
    unsearched: int = 0
    out_of_reach: tuple[str, ...] = OUT_OF_REACH

    def as_row(self) -> dict[str, Any]:
        """Gives it as decoded JSON."""
        return asdict(self) | {"at": self.at.isoformat(timespec="seconds")}


def keyed_digest(var_dir: Path, named: str) -> str:
    """Gives the HMAC-SHA256 of a name or id, in hex: who has the key can say whose it is, nobody else can guess it.

    Args:
        var_dir: Where the key lies, in `erasure-key`; the first call makes one that only this user can read.
        named: A name, a mail address or an id; case and blanks make no difference.
    """
    path = var_dir / KEY_FILE
    if not path.exists():
        write_secret(path, secrets.token_hex(32))
    said = " ".join(named.casefold().split()).encode("utf-8", "surrogateescape")
    return hmac.new(bytes.fromhex(path.read_text(encoding="ascii").strip()), said, hashlib.sha256).hexdigest()


def clear_traces(database: Database, tables: Iterable[str]) -> tuple[str, ...]:
    """Makes the database let go of the pages that held what was erased, and gives what is out of reach still.

    Args:
        database: Where it was erased.
        tables: Names of the tables.
    """
    if database.engine.dialect.name == "sqlite":
        with closing(database.engine.raw_connection()) as connection:
            is_busy = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return (*OUT_OF_REACH, _STILL_READ) if is_busy else OUT_OF_REACH
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as vacuuming:
        for name in tables:
            vacuuming.execute(text(f'VACUUM "{name}"'))
    return OUT_OF_REACH
