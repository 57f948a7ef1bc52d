"""What Salesforce sends by itself: Outbound Messages about lost deals, read without trust.

An Outbound Message bears no signature. Who knows the address can send one; so nothing in it is believed but which deals to
look at, the address may hold a secret key, and it belongs behind TLS and, where it can be had, Salesforce's client certificate
or address ranges.
"""

from __future__ import annotations

import hmac
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from defusedxml.common import DefusedXmlException  # type: ignore[import-untyped]
from defusedxml.ElementTree import ParseError, fromstring  # type: ignore[import-untyped]

from serving.crm.protocol import CrmError, LostEvent

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

ACK = (
    b'<?xml version="1.0" encoding="UTF-8"?>'
    b'<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
    b'<notificationsResponse xmlns="http://soap.sforce.com/2005/09/outbound"><Ack>true</Ack></notificationsResponse>'
    b"</soapenv:Body></soapenv:Envelope>"
)
_SOAP = "{http://schemas.xmlsoap.org/soap/envelope/}"
_OUT = "{http://soap.sforce.com/2005/09/outbound}"
_OBJECT = "{urn:sobject.enterprise.soap.sforce.com}"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_MOST_NOTIFICATIONS = 100
_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_DEAL_ID = re.compile(r"006[A-Za-z0-9]{12}(?:[A-Za-z0-9]{3})?")


class OutboundMessageError(CrmError):
    """Says that an Outbound Message cannot be taken."""

    code = "bad_outbound_message"


class WrongOrganizationError(OutboundMessageError):
    """Says that a message is not from the organisation that was set."""

    code = "wrong_organization"


def has_key(target: str, *, key: str) -> bool:
    """Says whether the address that was called ends with the key; compared in constant time.

    Args:
        target: Path and query of the call.
        key: What `key` in the query has to be; an empty one lets nobody in.
    """
    given = parse_qs(target.partition("?")[2]).get("key", [])
    return len(given) == 1 and key != "" and hmac.compare_digest(given[0].encode(), key.encode())


def read_outbound_message(body: bytes, *, organization_id: str) -> tuple[LostEvent, ...]:
    """Gives the 1 to 100 notices of a message; answer with `ACK` once they are kept, else it is sent again for a day.

    Args:
        body: As it came, SOAP 1.1.
        organization_id: Of the org that may send, 15 or 18 characters.

    Raises:
        WrongOrganizationError: Another org, or none, is named.
        OutboundMessageError: Not an Outbound Message about opportunities, or XML that tries more than that.

    Source: SOAP API Developer Guide, "Understanding the Outbound Messaging WSDL".
    """
    message = _parsed(body).find(f"{_SOAP}Body/{_OUT}notifications")
    if message is None:
        raise OutboundMessageError("The body is not an Outbound Message.")
    if not _is_from(message, organization_id):
        raise WrongOrganizationError("The Outbound Message is not from the organisation that was set.")
    notices = message.findall(f"{_OUT}Notification")
    if not 0 < len(notices) <= _MOST_NOTIFICATIONS:
        raise OutboundMessageError(f"An Outbound Message holds 1 to {_MOST_NOTIFICATIONS} notifications.")
    return tuple(map(_read, notices))


def _parsed(body: bytes) -> Element:
    """Gives the root of XML without a document type, and so without entities."""
    try:
        root: Element = fromstring(body, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise OutboundMessageError(f"The body is not plain XML ({type(error).__name__}).") from None
    return root


def _is_from(message: Element, organization_id: str) -> bool:
    """Says whether exactly the wanted org is named; compared in constant time, without the three characters that only check."""
    named = [(element.text or "").strip() for element in message.findall(f"{_OUT}OrganizationId")]
    told = named[0] if len(named) == 1 and _ID.fullmatch(named[0]) else ""
    is_same = hmac.compare_digest(told[:15].encode(), organization_id[:15].encode())
    return is_same and _ID.fullmatch(organization_id) is not None


def _read(notice: Element) -> LostEvent:
    thing = notice.find(f"{_OUT}sObject")
    kind = "" if thing is None else thing.get(_TYPE, "").rpartition(":")[2]
    notice_id = (notice.findtext(f"{_OUT}Id") or "").strip()
    deal_id = "" if thing is None else (thing.findtext(f"{_OBJECT}Id") or "").strip()
    if kind != "Opportunity" or not _ID.fullmatch(notice_id) or not _DEAL_ID.fullmatch(deal_id):
        raise OutboundMessageError("A notification is not about an opportunity.")
    return LostEvent(notice_id, deal_id)
