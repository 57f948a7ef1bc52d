"""Erasure of a deal and of a person, with proof; and what is told to whom it is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from serving.audit.chain import find_entries
from serving.errors import UnknownIdError
from serving.privacy.access_export import export_deal, export_person
from serving.privacy.deal_erasure import erase_deal
from serving.privacy.person_erasure import erase_person
from serving.privacy.person_name import PersonName
from serving.privacy.proof import ErasureError, Proof, keyed_digest
from serving.review.seal import Seal
from serving.store import Database, get_assessment
from serving.tables import DealRow, LossRow, PersonRow, SealedTextRow, WriteBackRow
from tests.serving.privacy.privacy_world import NOTE, OTHER, SEAL, World

NAMED = ["Zebulina Quackenbush"]
CANARIES = ("zebulina", "quackenbush", "zeb.q@")


def forget_deal(world: World, var_dir: Path, *, apply: bool = True) -> Proof:
    return erase_deal(world.database, var_dir, "d-1", apply=apply)


def forget(world: World, var_dir: Path, *, apply: bool = True, seal: Seal | None = SEAL) -> Proof:
    return erase_person(world.database, var_dir, NAMED, seal=seal, apply=apply)


def audited(database: Database) -> list[str]:
    with database.reading() as session:
        return [row.object for row in find_entries(session, act="erase")]


def pages(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("*.sqlite3*")).lower()


def test_erased_deal_is_in_no_column(world: World, tmp_path: Path) -> None:
    proof = forget_deal(world, tmp_path)
    assert not proof.left
    assert NOTE not in world.texts()
    assert proof.deleted["assessments"] == proof.deleted["inbox"] == proof.deleted["verdicts"] == 1
    assert proof.deleted["write_backs"] == 2


def test_other_deals_are_as_before(world: World, tmp_path: Path) -> None:
    forget_deal(world, tmp_path)
    assert OTHER in world.texts()
    assert [world.count(table) for table in (DealRow, LossRow, SealedTextRow)] == [1, 1, 1]


def test_deal_is_only_shown_unless_applied(world: World, tmp_path: Path) -> None:
    before = world.texts()
    proof = forget_deal(world, tmp_path, apply=False)
    assert proof.deleted == forget_deal(world, tmp_path).deleted
    assert not proof.is_done
    assert NOTE in before


def test_deal_that_is_being_sent_is_left(world: World, tmp_path: Path) -> None:
    with world.database.writing() as session:
        row = session.scalars(select(WriteBackRow).where(WriteBackRow.deal_id == "d-1")).first()
        assert row is not None
        row.state = "sending"
        session.commit()
    with pytest.raises(ErasureError, match="in hand"):
        forget_deal(world, tmp_path)
    assert NOTE in world.texts()


def test_unknown_deal_is_told(world: World, tmp_path: Path) -> None:
    with pytest.raises(UnknownIdError):
        erase_deal(world.database, tmp_path, "d-9", apply=True)


def test_audit_log_names_nobody(world: World, tmp_path: Path) -> None:
    world.send()
    forget(world, tmp_path)
    forget_deal(world, tmp_path)
    person, deal = audited(world.database)
    assert person == f"person {keyed_digest(tmp_path, 'zebulina  QUACKENBUSH')}"
    assert deal == f"deal {keyed_digest(tmp_path, 'd-1')}"
    assert keyed_digest(tmp_path / "other", "d-1") not in deal


def test_erased_person_is_in_no_column(world: World, tmp_path: Path) -> None:
    world.send()
    proof = forget(world, tmp_path)
    left = world.texts().casefold()
    assert not [canary for canary in CANARIES if canary in left]
    assert not +proof.left
    assert proof.deleted["sealed_texts"] == 1
    assert proof.changed.keys() >= {"deals", "losses", "assessments", "verdicts", "people", "write_backs"}


def test_erased_words_leave_the_files(world: World, tmp_path: Path) -> None:
    if world.database.engine.dialect.name != "sqlite":
        pytest.skip("PostgreSQL's files are the server's")
    world.send()
    assert b"quackenbush" in pages(tmp_path)
    forget(world, tmp_path)
    assert not [canary for canary in CANARIES if canary.encode() in pages(tmp_path)]


def test_offsets_of_quotes_stay(world: World, tmp_path: Path) -> None:
    world.send()
    forget(world, tmp_path)
    with world.database.reading() as session:
        (quote,) = get_assessment(session, world.first).assessment["reasons"][0]["evidence"]
    assert len(quote["text"]) == quote["end"] - quote["start"] == len(NOTE)
    assert "said the price was too high for Kestrel" in quote["text"]


def test_owner_is_emptied_and_other_owners_stay(world: World, tmp_path: Path) -> None:
    world.send()
    forget(world, tmp_path)
    with world.database.reading() as session:
        assert dict(session.execute(select(DealRow.id, DealRow.owner)).all()) == {"d-1": None, "d-2": "Ana Kirk"}


def test_account_keeps_a_number_alone(world: World, tmp_path: Path) -> None:
    world.send()
    forget(world, tmp_path)
    with world.database.reading() as session:
        person = session.scalars(select(PersonRow)).one()
    assert (person.name, person.email, person.owner) == (f"Person {person.id}", f"erased-{person.id}@localhost", None)
    assert person.disabled_at is not None


def test_value_that_waits_to_be_sent_goes_first(world: World, tmp_path: Path) -> None:
    with pytest.raises(ErasureError, match="worker --once"):
        forget(world, tmp_path)


def test_texts_without_a_key_are_told_of(world: World, tmp_path: Path) -> None:
    world.send()
    assert forget(world, tmp_path, seal=None).unsearched == 1  # that of the other deal


@pytest.mark.parametrize(
    ("text", "covered"),
    [
        ("quackenbush, zebulina asked", "********************* asked"),
        ("ask zebulina.quackenbush@kestrel.example", "ask " + "*" * 36),
        ("Zebulina's boss", "********'s boss"),
        ("Quackenbushes all", "Quackenbushes all"),
    ],
)
def test_name_is_covered_in_many_forms(text: str, covered: str) -> None:
    assert PersonName(NAMED).cover_near(text) == covered


def test_plain_word_that_is_a_name_stays() -> None:
    name = PersonName(["Mark Will"])
    assert name.cover_near("Mark said they will mark it down.") == "**** said they will mark it down."


def test_export_of_a_deal_holds_every_row(world: World) -> None:
    told = export_deal(world.database, "d-1", seal=SEAL)
    assert told["tables"].keys() >= {
        "deals",
        "assessments",
        "losses",
        "verdicts",
        "write_backs",
        "inbox",
        "sealed_texts",
    }
    assert told["tables"]["sealed_texts"][0]["sealed"]["documents"][0]["text"] == NOTE
    assert OTHER not in json.dumps(told)


def test_export_of_a_person_holds_what_they_did(world: World) -> None:
    told: Any = json.loads(json.dumps(export_person(world.database, ["zeb.q@kestrel.example"], seal=SEAL)))
    (account,) = told["accounts"]
    assert account["verdicts"][0]["deal_id"] == "d-1"
    assert "password_hash" not in account["people"][0]
    assert {row["id"] for row in told["named_in"]["deals"]} == {"d-1"}
    assert told["encrypted_texts"][0]["sealed"]["documents"][0]["text"] == NOTE
