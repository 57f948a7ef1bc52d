from __future__ import annotations

import pytest

from lossnlp.competitors import RivalFinder

FINDER = RivalFinder(["Rostera"])


def _roles(text: str, *, account: str | None = None) -> dict[str, str]:
    return {mention.name: mention.role for mention in FINDER.find(text, account=account)}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Lost to Gong on price.", "Gong"),
        ("lost to salesforce", "salesforce"),
        ("LOST TO GUSTO. THEY GAVE 6 MONTHS FREE.", "GUSTO"),
        ("They went with Zylo in the end.", "Zylo"),
        ("Kranich undercut us by a third.", "Kranich"),
        ("Kranich won, 12 % cheaper.", "Kranich"),
        ("The board chose Box over us.", "Box"),
        ("Beat us: Zylo.", "Zylo"),
        ("Award to Kuehne+Nagel in all lots.", "Kuehne+Nagel"),
        ("Winner: Konica Minolta", "Konica Minolta"),
        ("Klarna came in at 40k.", "Klarna"),
        ("Beaten by Observe.AI", "Observe.AI"),
        ("Moving to Teams, no reason given.", "Teams"),
        ("Sulzer.", "Sulzer"),
    ],
)
def test_chosen_rival_has_won(text: str, name: str) -> None:
    assert _roles(text) == {name: "won"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("They are staying on Zendesk.", "Zendesk"),
        ("Renewed with Kranich for two years.", "Kranich"),
        ("They already use Oracle for this.", "Oracle"),
        ("The incumbent is Frobnix.", "Frobnix"),
        ("Locked in w/ Freshdesk til May '27.", "Freshdesk"),
        ("Zylo has been their CRM since 2017.", "Zylo"),
        ("He just does not leave Kaeser.", "Kaeser"),
        ("Went with their incumbent, Sage.", "Sage"),
    ],
)
def test_vendor_in_place_is_incumbent(text: str, name: str) -> None:
    assert _roles(text) == {name: "incumbent"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("We beat Gong but legal killed it.", "Gong"),
        ("Gong was out of the race early.", "Gong"),
        ("They did not go with Salesforce.", "Salesforce"),
        ("It was us vs Kranich until budget vanished.", "Kranich"),
        ("Competitor: Gladly (out)", "Gladly"),
    ],
)
def test_overcome_rival_is_only_mentioned(text: str, name: str) -> None:
    assert _roles(text) == {name: "mentioned"}


@pytest.mark.parametrize(
    "text",
    [
        "Lost Dana to maternity leave.",
        "Went with Sarah to the site.",
        "Lost to a competitor.",
        "lost to price",
        "They stay with Excel.",
        "Switched to In-house build.",
        "Lost to the Munich office.",
        "See you on Monday, box is packed.",
        "Blocked by GDPR and the CFO.",
        "Our Salesforce integration is weak.",
        "",
    ],
)
def test_other_words_are_no_rivals(text: str) -> None:
    assert _roles(text) == {}


def test_enumerated_names_share_a_role() -> None:
    assert _roles("Snyk, Kranich and Wiz were out.") == {
        "Snyk": "mentioned",
        "Kranich": "mentioned",
        "Wiz": "mentioned",
    }


def test_old_and_new_vendor_differ() -> None:
    assert _roles("Switching from HubSpot to Zoho.") == {"HubSpot": "mentioned", "Zoho": "won"}


def test_buyer_is_no_rival() -> None:
    assert _roles("Lost Nordwind. Nordwind chose Zylo.", account="Nordwind Logistics") == {"Zylo": "won"}


def test_own_product_is_no_rival() -> None:
    assert FINDER.find("They chose Zylo over Pulse.", own_names=["Zylo"]) == ()


def test_configured_name_needs_no_cue() -> None:
    assert _roles("Rostera again, sigh.") == {"Rostera": "mentioned"}


def test_spellings_make_one_rival() -> None:
    mentions = FINDER.find("SFDC was nice. Still, lost to Salesforce.")
    assert [(mention.name, mention.role) for mention in mentions] == [("Salesforce", "won")]


def test_slice_is_the_name_as_written() -> None:
    text = "Okay \u2014 they\u2019ve signed with  Kühne+Nagel."
    (mention,) = FINDER.find(text)
    assert text[mention.start : mention.end] == mention.name == "Kühne+Nagel"


def test_listed_name_is_surer_than_revealed() -> None:
    listed, revealed = FINDER.find("Lost to Gong. Lost to Kranich.")
    assert listed.confidence > revealed.confidence
