from __future__ import annotations

from serving import inbox
from serving.crm.protocol import LostEvent
from serving.store import Database, now


def test_event_is_kept_whatever_its_key_holds(database: Database) -> None:
    with database.writing() as session:
        assert (
            inbox.add_events(session, [LostEvent("a\ud800b\x00", "17")], crm="hubspot", door="hubspot", at=now()) == 1
        )
        session.commit()
    with database.reading() as session:
        assert [row.key for row in inbox.find_events(session, states=["due"])] == ["a\\ud800b\\x00"]
