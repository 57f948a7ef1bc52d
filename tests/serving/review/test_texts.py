"""Where a deal's words come from: sealed, from the CRM, or nowhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from lossnlp.deal import Deal
from serving.crm.demo import DemoCrm
from serving.crm.protocol import Crm, CrmError
from serving.errors import ConfigurationError
from serving.intake import Intake, parse_deal
from serving.review.seal import Seal, SealError, keep_sealed, open_seal
from serving.review.texts import CrmLink, Texts, TextSource
from serving.settings import Settings
from serving.store import Database, get_assessment

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()
NOTE = {"id": "note", "kind": "rep_note", "text": "price was too high 💸"}


def request_of(**changes: Any) -> dict[str, Any]:
    return {"deal": {"id": "D-1", "stage": "Negotiation"} | changes, "documents": [NOTE]}


def deal_of(**changes: Any) -> Deal:
    return parse_deal(request_of(**changes))


class AwayCrm(DemoCrm):
    """A CRM that does not answer."""

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        raise CrmError(f"away for {len(deal_ids)}")


class WatchedCrm(DemoCrm):
    """A CRM that notes how many database connections are out while it is asked."""

    def __init__(self, database: Database, deals: list[dict[str, Any]]) -> None:
        super().__init__(deals=deals)
        self.held: list[int] = []
        self._database = database

    def fetch_requests(self, deal_ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        self.held.append(self._database.engine.pool.checkedout())  # type: ignore[attr-defined]
        return super().fetch_requests(deal_ids)


@pytest.fixture
def find(intake: Intake, database: Database) -> Callable[..., Texts]:
    """Gives where the words of an assessed deal come from."""
    taken = intake.take_deal(deal_of())

    def find_texts(crm: Crm | None = None, seal: Seal | None = None, sealed_with: Seal | None = None) -> Texts:
        if sealed_with is not None:
            with database.writing() as session:
                keep_sealed(session, get_assessment(session, taken.id), deal_of(), seal=sealed_with)
                session.commit()
        return TextSource(database, lambda: crm, seal).find(taken.id)

    return find_texts


def test_sealed_deal_opens_as_it_was() -> None:
    seal = Seal(NEW)
    sealed = seal.seal(deal_of())
    assert seal.open(sealed) == deal_of()
    assert b"price" not in sealed


def test_older_key_still_opens() -> None:
    assert Seal(NEW, OLD).open(Seal(OLD).seal(deal_of())) == deal_of()


def test_newest_key_seals() -> None:
    sealed = Seal(NEW, OLD).seal(deal_of())
    with pytest.raises(SealError, match="LOSSNLP_TEXT_KEYS"):
        Seal(OLD).open(sealed)


def test_wrong_key_is_named_without_it(settings: Settings) -> None:
    keys = SecretStr(f"{NEW}, not-a-key")
    with pytest.raises(ConfigurationError, match="key 2") as caught:
        open_seal(settings.model_copy(update={"text_keys": keys}))
    assert "not-a-key" not in caught.value.message


def test_without_keys_nothing_is_sealed(settings: Settings) -> None:
    assert open_seal(settings) is None


def test_sealed_copy_comes_before_the_crm(find: Callable[..., Texts]) -> None:
    texts = find(AwayCrm(), seal=Seal(NEW), sealed_with=Seal(NEW))
    assert (texts.source, texts.documents[0].text, texts.is_as_read) == ("sealed", NOTE["text"], True)


def test_unopened_seal_falls_back_to_crm(find: Callable[..., Texts]) -> None:
    texts = find(DemoCrm(deals=[request_of()]), seal=Seal(NEW), sealed_with=Seal(OLD))
    assert texts.source == "crm"


def test_crm_gives_unchanged_words(find: Callable[..., Texts]) -> None:
    texts = find(DemoCrm(deals=[request_of()]))
    assert (texts.source, texts.why, texts.is_as_read) == ("crm", "", True)


def test_changed_deal_is_said(find: Callable[..., Texts]) -> None:
    texts = find(DemoCrm(deals=[request_of(stage="Discovery")]))
    assert (texts.source, texts.is_as_read) == ("crm_changed", False)
    assert "has changed" in texts.why


def test_our_own_stated_reason_changes_nothing(find: Callable[..., Texts]) -> None:
    assert find(DemoCrm(deals=[request_of(stated_reason="price")])).source == "crm"


def test_no_connection_held_while_fetching(find: Callable[..., Texts], database: Database) -> None:
    crm = WatchedCrm(database, [request_of()])
    find(crm)
    assert crm.held == [0]


@pytest.mark.parametrize(
    ("crm", "cause"),
    [
        (None, "no CRM can be asked"),
        (AwayCrm(deals=[]), "does not answer"),
        (DemoCrm(deals=[]), "does not hold this deal"),
        (DemoCrm(deals=[request_of() | {"documents": []}]), "no readable text"),
    ],
)
def test_missing_words_are_said_plainly(find: Callable[..., Texts], crm: Crm | None, cause: str) -> None:
    texts = find(crm)
    assert (texts.source, texts.documents) == ("none", ())
    assert cause in texts.why


def test_crm_is_connected_once(settings: Settings) -> None:
    link = CrmLink(settings)
    assert link() is link()


def test_unset_crm_is_none(settings: Settings) -> None:
    assert CrmLink(settings.model_copy(update={"crm": None}))() is None


def test_unreachable_crm_is_none(settings: Settings) -> None:
    assert CrmLink(settings.model_copy(update={"crm": "nosuch"}))() is None
