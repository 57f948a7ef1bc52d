from __future__ import annotations

from typing import Any

import pytest

from lossnlp.assessment import Speaker
from lossnlp.deal import Deal
from lossnlp.speakers import read_speakers, with_roles
from lossnlp.transcripts import read_turns

REP = "Thanks for the time. Can I ask, what would it take? I can send you a quote and show you our roadmap."
BUYER = "We decided. Our CFO said no, and your price was too high. We're going with the other vendor, he told me."


def speakers_of(text: str, *, kind: str = "call_transcript", note: str | None = None, **head: Any) -> list[Speaker]:
    documents = [{"id": "talk", "kind": kind, "text": text}]
    documents += [{"id": "note", "kind": "rep_note", "text": note}] if note else []
    deal = Deal.from_request({"deal": {"id": "d"} | head, "documents": documents})
    spoken = [document for document in deal.documents if document.kind != "rep_note"]
    return list(read_speakers(deal, [(document, read_turns(document)) for document in spoken]))


def roles_of(text: str, **rest: Any) -> dict[str, str]:
    return {speaker.speaker: speaker.role for speaker in speakers_of(text, **rest)}


def test_words_alone_tell_the_sides() -> None:
    text = f"Speaker 1: {REP}\nSpeaker 2: {BUYER}\nSpeaker 1: I understand.\nSpeaker 2: Right."
    assert roles_of(text) == {"Speaker 1": "rep", "Speaker 2": "buyer"}


def test_owner_is_the_rep() -> None:
    text = "Dana: Good.\nNia Prosser: Good.\nDana: Yes.\nNia Prosser: Yes."
    assert roles_of(text, owner="Nia Prosser") == {"Dana": "buyer", "Nia Prosser": "rep"}


def test_owner_is_known_by_first_name() -> None:
    assert roles_of("Dana: Good.\nNia: Good.\nDana: Yes.", owner="Nia Prosser")["Nia"] == "rep"


def test_account_in_label_is_the_buyer() -> None:
    text = "Ann (Nordwind): Good.\nBo (Veldmark): Good.\nAnn (Nordwind): Yes.\nBo (Veldmark): Yes."
    assert roles_of(text, account="Nordwind Logistics GmbH") == {"Ann (Nordwind)": "buyer", "Bo (Veldmark)": "rep"}


def test_people_of_one_company_share_role() -> None:
    text = f"Ann (Veld): {REP}\nBo (Nord): {BUYER}\nCy (Veld): Good.\nDi (Nord): Good.\nAnn (Veld): So.\nBo (Nord): No."
    assert roles_of(text) == {"Ann (Veld)": "rep", "Bo (Nord)": "buyer", "Cy (Veld)": "rep", "Di (Nord)": "buyer"}


def test_attendee_list_names_the_companies() -> None:
    text = "Attendees: Dana Ortiz (Nordwind), Bo Lee (Veldmark)\n\nBo: Good.\nDana: Good.\nBo: Yes.\nDana: Yes."
    assert roles_of(text, account="Nordwind") == {"Bo": "rep", "Dana": "buyer"}


def test_mail_domain_names_the_company() -> None:
    text = "From: Dana <d@nordwind.com>\nTo: Bo <b@veldmark.io>\n\nNo.\n\nFrom: Bo <b@veldmark.io>\nTo: Dana\n\nOk."
    assert roles_of(text, kind="email_thread", account="Nordwind Logistics") == {"Dana": "buyer", "Bo": "rep"}


def test_introduced_colleague_shares_the_side() -> None:
    text = (
        "Nia Prosser: I have also Sabine with me from application.\nSabine Reuter: Hello.\n"
        "Dana Ortiz: Hello.\nNia Prosser: So.\nDana Ortiz: We decided."
    )
    assert roles_of(text, owner="Nia Prosser")["Sabine Reuter"] == "rep"


def test_colleague_in_the_note_is_rep() -> None:
    text = "Nia: Hello.\nMarguerite: Hello.\nDana: Hello.\nNia: So.\nDana: No.\nMarguerite: Ok."
    roles = roles_of(text, owner="Nia", note="Should have brought Marguerite from our delivery team earlier.")
    assert roles == {"Nia": "rep", "Marguerite": "rep", "Dana": "buyer"}


@pytest.mark.parametrize(
    ("asks", "answers"), [("Q", "A"), ("Interviewer", "Respondent"), ("Moderator", "Customer"), ("Paula", "Rajiv")]
)
def test_interviewer_is_neither_side(asks: str, answers: str) -> None:
    text = f"{asks}: Why?\n{answers}: {BUYER}\n{asks}: What changed? Who else?\n{answers}: He left us, she said no."
    assert roles_of(text, kind="buyer_interview") == {asks: "other", answers: "buyer"}


@pytest.mark.parametrize(("label", "role"), [("AE", "rep"), ("Customer", "buyer"), ("Otter Notetaker", "other")])
def test_part_in_the_label_decides(label: str, role: str) -> None:
    assert roles_of(f"{label}: Good.\nDana: Good.\n{label}: Yes.\nDana: Yes.")[label] == role


def test_given_role_is_taken_over() -> None:
    turns = [{"speaker": "Dana", "role": "rep", "text": BUYER}, {"speaker": "Bo", "text": "Good."}]
    document = {"id": "talk", "kind": "call_transcript", "turns": turns}
    deal = Deal.from_request({"deal": {"id": "d"}, "documents": [document]})
    dana, bo = read_speakers(deal, [(deal.documents[0], read_turns(deal.documents[0]))])
    assert (dana.role, dana.confidence, bo.role) == ("rep", 1.0, "buyer")


def test_person_keeps_role_across_documents() -> None:
    documents = [
        {"id": "mail", "kind": "email_thread", "text": "From: Dana Ortiz <d@nordwind.com>\nTo: Bo\n\nNo."},
        {"id": "call", "kind": "call_transcript", "text": "Dana: Good.\nBo: Good.\nDana: Yes.\nBo: Yes."},
    ]
    deal = Deal.from_request({"deal": {"id": "d", "account": "Nordwind"}, "documents": documents})
    found = read_speakers(deal, [(document, read_turns(document)) for document in deal.documents])
    assert [(one.document_id, one.speaker, one.role) for one in found] == [
        ("mail", "Dana Ortiz", "buyer"),
        ("call", "Dana", "buyer"),
        ("call", "Bo", "rep"),
    ]


def test_lone_voice_leaves_more_doubt() -> None:
    alone = speakers_of(f"Speaker 1: {BUYER}\nSpeaker 1: Right.")[0]
    among = speakers_of(f"Speaker 1: {BUYER}\nSpeaker 2: {REP}\nSpeaker 1: Right.")[0]
    assert alone.role == among.role == "buyer"
    assert alone.confidence < among.confidence


def test_roles_reach_only_named_turns() -> None:
    text = "[00:01] Dana: hi\n[00:02] Bo: yes\n[00:03] [crosstalk]\n[00:04] Dana: ok"
    document = Deal.from_request(
        {"deal": {"id": "d"}, "documents": [{"id": "c", "kind": "call_transcript", "text": text}]}
    )
    turns = read_turns(document.documents[0])
    speakers = [Speaker(document_id="c", speaker="Dana", role="buyer", confidence=0.9)]
    assert [turn.role for turn in with_roles("c", turns, speakers)] == ["buyer", None, None, "buyer"]
    assert with_roles("other", turns, speakers) == turns


def test_every_label_gets_one_speaker() -> None:
    text = "\n".join(f"Person {n % 40}: word {n}" for n in range(200))
    found = speakers_of(text)
    assert len(found) == len({speaker.speaker for speaker in found}) == 40
    assert all(0.5 <= speaker.confidence <= 0.99 for speaker in found)
