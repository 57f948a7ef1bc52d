"""Outbound Messages: what is believed of them, and what they are answered with."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from serving.crm.protocol import LostEvent
from serving.crm.salesforce_doors import (
    ACK,
    OutboundMessageError,
    WrongOrganizationError,
    has_key,
    read_outbound_message,
)

ORG = "00DHs0000000001AAA"
NOTICE = """<Notification><Id>04lHs000000000{number}IA0</Id>
 <sObject xsi:type="sf:{kind}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{deal}</sf:Id><sf:IsWon>false</sf:IsWon></sObject>
</Notification>"""
MESSAGE = """<?xml version="1.0" encoding="UTF-8"?>{start}
<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
 <soapenv:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound">
  <OrganizationId>{org}</OrganizationId><ActionId>04kHs0000000001IAA</ActionId><SessionId xsi:nil="true"/>
  <EnterpriseUrl>https://example.my.salesforce.com/services/Soap/c/66.0</EnterpriseUrl>
  <PartnerUrl>https://example.my.salesforce.com/services/Soap/u/66.0</PartnerUrl>{notices}
 </notifications></soapenv:Body></soapenv:Envelope>"""
BOMB = '<!DOCTYPE bomb [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'
THIEF = '<!DOCTYPE thief [<!ENTITY c SYSTEM "file:///etc/hostname">]>'


def notice(number: int = 1, kind: str = "Opportunity", deal: str = "006Hs0000000001IAA") -> str:
    return NOTICE.format(number=number, kind=kind, deal=deal)


def message(*notices: str, org: str = ORG, start: str = "") -> bytes:
    return MESSAGE.format(org=org, start=start, notices="".join(notices)).encode()


def read(body: bytes, organization_id: str = ORG) -> tuple[LostEvent, ...]:
    return read_outbound_message(body, organization_id=organization_id)


def test_notices_name_their_deals() -> None:
    found = read(message(notice(1), notice(2, deal="006Hs0000000002IAA")))
    assert [(one.key, one.deal_id) for one in found] == [
        ("04lHs0000000001IA0", "006Hs0000000001IAA"),
        ("04lHs0000000002IA0", "006Hs0000000002IAA"),
    ]


@pytest.mark.parametrize(("told", "wanted"), [(ORG, ORG[:15]), (ORG[:15], ORG)])
def test_short_and_long_ids_name_one_organisation(told: str, wanted: str) -> None:
    assert len(read(message(notice(), org=told), wanted)) == 1


@pytest.mark.parametrize("told", ["00DHs0000000002AAA", ORG.lower(), "", "00DHs", f"{ORG}x", "é" * 18])
def test_wrong_organisation_is_refused(told: str) -> None:
    with pytest.raises(WrongOrganizationError):
        read(message(notice(), org=told))


@pytest.mark.parametrize("wanted", ["", "00D"])
def test_unset_organisation_lets_nobody_in(wanted: str) -> None:
    with pytest.raises(WrongOrganizationError):
        read(message(notice(), org=wanted), wanted)


def test_second_organisation_is_refused() -> None:
    with pytest.raises(WrongOrganizationError):
        read(message(notice(), org=f"{ORG}</OrganizationId><OrganizationId>00DHs0000000002AAA"))


@pytest.mark.parametrize("start", [BOMB, THIEF, "<!DOCTYPE notifications>"])
def test_entities_are_never_expanded(start: str) -> None:
    with pytest.raises(OutboundMessageError, match="DTDForbidden"):
        read(message(notice(deal="&c;" if "ENTITY" in start else "006Hs0000000001IAA"), start=start))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<a>", b"\xff\xfe<", b'<?xml version="1.0" encoding="x-none"?><a/>', b"<a/>"]
)
def test_other_bodies_are_refused(body: bytes) -> None:
    with pytest.raises(OutboundMessageError):
        read(body)


@pytest.mark.parametrize(
    "notices",
    [
        [],
        [notice(number) for number in range(101)],
        [notice(kind="Account")],
        [notice(deal="001Hs0000000001IAA")],
        [notice(deal="006' OR Id != '")],
    ],
)
def test_misfit_notices_are_refused(notices: list[str]) -> None:
    with pytest.raises(OutboundMessageError):
        read(message(*notices))


@pytest.mark.parametrize("query", ["?key=a-key", "?a=b&key=a-key", "?key=a%2Dkey", "?key=a-key&a"])
def test_key_is_found_in_the_query(query: str) -> None:
    assert has_key(f"/doors/salesforce{query}", key="a-key")


@pytest.mark.parametrize(
    "query", ["", "?", "?key=", "?key=A-key", "?key=a-key&key=a-key", "?key=%ff", "?key=\xff", "#key=a-key"]
)
def test_wrong_key_lets_nobody_in(query: str) -> None:
    assert not has_key(f"/doors/salesforce{query}", key="a-key")


@pytest.mark.parametrize("query", ["", "?key=", "?key=a"])
def test_empty_key_lets_nobody_in(query: str) -> None:
    assert not has_key(f"//[{query}", key="")


def test_answer_acknowledges() -> None:
    path = "{http://schemas.xmlsoap.org/soap/envelope/}Body/{http://soap.sforce.com/2005/09/outbound}notificationsResponse/"
    assert ET.fromstring(ACK).findtext(f"{path}{{http://soap.sforce.com/2005/09/outbound}}Ack") == "true"  # noqa: S314
