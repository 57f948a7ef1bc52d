"""Changes of what may be written into the CRM: a file says it, so the audit log is told when a process starts with another one."""

from __future__ import annotations

import hashlib

from sqlalchemy import select

from serving.audit.by_command import record_in
from serving.settings import Settings
from serving.store import Database
from serving.tables import AuditRow

_NONE = "no words for the CRM"


def note_policies(database: Database, settings: Settings) -> None:
    """Writes down the digest of the company's words and policies for the CRM where it is not the one of the last start."""
    told = _NONE
    if settings.crm_words is not None and settings.crm_words.is_file():
        told = f"words for the CRM {hashlib.sha256(settings.crm_words.read_bytes()).hexdigest()}"
    query = select(AuditRow.object).where(AuditRow.act == "policy_change").order_by(AuditRow.sequence.desc()).limit(1)
    with database.writing() as session:
        if told != (session.scalar(query) or _NONE):
            record_in(session, "policy_change", told)
            session.commit()
