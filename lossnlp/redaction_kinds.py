"""What is personal by its form: addresses of mails, houses and machines, numbers of phones, accounts, cards and papers, secrets, links.

Checksums decide where a number has one (`python-stdnum`, `phonenumbers`), the words before it where it has none. Every repetition in the
patterns is bounded and no two neighbours in a repetition can match the same character, so hostile text takes linear time.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Literal, NamedTuple

import phonenumbers
from stdnum import iban, luhn
from stdnum.ch import uid
from stdnum.eu import vat
from stdnum.gb import vat as gb_vat

from lossnlp.rival_cues import read_list

Kind = Literal["person", "mail", "phone", "address", "id", "bank", "card", "ip", "secret", "link"]
_REGIONS = ("GB", "DE", "FR", "AU", "NZ", "IT", "NL", "CH", "AT", "BE", "IE", "ZA", "JP", "SE", "IN", "NG", "KE")
_CONTEXT = 24


class Finding(NamedTuple):
    """A stretch of a text that is personal by its form."""

    kind: Kind
    start: int
    end: int


def find_forms(text: str) -> list[Finding]:
    """Gives what is personal by its form, in order; of two that overlap the kind that is named first in `_FINDERS`."""
    found: list[Finding] = []
    starts: list[int] = []
    for kind, find in _FINDERS.items():
        for start, end in find(text):
            at = bisect_right(starts, start)
            is_free = (at == 0 or found[at - 1].end <= start) and (at == len(found) or end <= found[at].start)
            if is_free:
                found.insert(at, Finding(kind, start, end))
                starts.insert(at, start)
    return found


_MAIL = re.compile(r"(?<![\w.+'-])[\w.+'-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,6}")


def _find_mails(text: str) -> Iterator[tuple[int, int]]:
    yield from (found.span() for found in _MAIL.finditer(text))


# Secrets -------------------------------------------------------------------------------------------------------------------------

_KEY = re.compile(
    r"(?<![\w-])(?:(?:sk|pk|rk)[-_](?:live|test|proj|ant)?[-_]?[\w-]{16,200}|(?:AKIA|ASIA)[A-Z0-9]{12,20}|gh[pousr]_\w{20,255}|"
    r"github_pat_\w{20,255}|glpat-[\w-]{16,64}|xox[abeprs]-[\w-]{10,255}|AIza[\w-]{30,45}|SG\.[\w-]{16,64}\.[\w-]{16,64}|"
    r"(?:hf|npm|pypi|shpat|dop_v1)[_-]\w{20,255}|eyJ[\w-]{8,2000}\.[\w-]{4,4000}(?:\.[\w-]{4,2000})?)"
)
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[A-Za-z0-9+/=\s]{0,8000}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
)
_SECRET = re.compile(
    r"(?<![^\W_])(?:pass(?:word|wort|wd|phrase|code)|pwd|pw|kennwort|mot de passe|contraseña|parola|hasło|secret|client[_ -]secret|"
    r"(?:api|access|secret|private)[_ -]?key|(?:\w{1,20}[_ -])?token|bearer|pin|login)"
    r"(?:\s{0,2}(?P<mark>[:=])\s{0,2}|\s(?:is|ist|was|lautet|est)\s|\s)[\"'`]?(?P<value>[^\s\"'`,;]{4,200})",
    re.IGNORECASE,
)


def _find_secrets(text: str) -> Iterator[tuple[int, int]]:
    yield from (found.span() for pattern in (_PRIVATE_KEY, _KEY) for found in pattern.finditer(text))
    for found in _SECRET.finditer(text):
        value = found["value"].rstrip(".)")
        if found["mark"] or _is_mixed(value):
            yield found.start("value"), found.start("value") + len(value)


def _is_mixed(value: str) -> bool:
    """Says whether a word looks made up rather than said: digits among letters."""
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value) and len(value) > 5


# Links ---------------------------------------------------------------------------------------------------------------------------

_URL = re.compile(r"(?<!\w)(?:[a-z]{2,8}://|www\.)[^\s<>\"'()\[\]{}]{1,2000}", re.IGNORECASE)
_PERSONAL = re.compile(
    r"//[^/@?#]{1,200}@|[?&#][\w-]{0,30}(?:user|name|mail|login|pwd|pass|token|key|secret|auth|sig|session|sid|invite|email|phone|code)"
    r"[\w-]{0,30}=|/(?:in|u|users?|profiles?|people|members?|persons?|contacts?|~\w{1,60}|@\w{1,60}|rec|share|invite|home)/[^/?#]|"
    r"//(?:[\w-]{1,40}\.){0,3}(?:calendly\.com|cal\.com|facebook\.com|instagram\.com|x\.com|twitter\.com|t\.me|wa\.me|github\.com)/[^/?#]",
    re.IGNORECASE,
)


def _find_links(text: str) -> Iterator[tuple[int, int]]:
    for found in _URL.finditer(text):
        link = found[0].rstrip(".,;:!?")
        if _PERSONAL.search(link):
            yield found.start(), found.start() + len(link)


# Accounts and cards --------------------------------------------------------------------------------------------------------------

_IBAN = re.compile(r"(?<![^\W_])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]){11,30}", re.IGNORECASE)
_ACCOUNT = re.compile(
    r"\b(?i:sort ?code|(?:bank )?(?:account|acct|a/c|konto)(?:nummer|nr)?(?:\s?(?:no|nr|number|num|#))?|"
    r"routing(?: number| no)?|aba|blz|bic|swift)"
    r"[.:#\s]{1,3}(?P<value>[A-Z]{0,4}\d(?:[ -]?\d){5,17}|[A-Z]{6}[A-Z0-9]{2}(?:[A-Z0-9]{3})?\b)(?![\w]|[.,]\d)"
)
_CARD = re.compile(r"(?<![\w.,-])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\w-])")
_ISSUERS = re.compile(
    r"(?:4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|(?:6[0245]|50)\d{14,17})"
)


def _find_accounts(text: str) -> Iterator[tuple[int, int]]:
    for found in _IBAN.finditer(text):
        end = found.end()
        while end - found.start() >= 15 and not _is_whole(text, end, iban.is_valid, found.start()):
            end -= 1
        if end - found.start() >= 15:
            yield found.start(), end
    for found in _ACCOUNT.finditer(text):
        yield found.span("value")


def _is_whole(text: str, end: int, is_valid: Callable[[str], bool], start: int) -> bool:
    """Says whether the stretch ends at a word's end and passes the check."""
    return not text[end : end + 1].isalnum() and text[end - 1].isalnum() and is_valid(text[start:end])


def _find_cards(text: str) -> Iterator[tuple[int, int]]:
    for found in _CARD.finditer(text):
        digits = re.sub(r"\D", "", found[0])
        if _ISSUERS.fullmatch(digits) and luhn.is_valid(digits):
            yield found.span()


# Ids -----------------------------------------------------------------------------------------------------------------------------

_VAT = re.compile(
    r"(?<![^\W_])(?:[A-Z]{2} ?(?=[A-Z]{0,2}\d)[A-Z0-9]{1,4}(?:[ .]?[A-Z0-9]{2,4}){2,3}|[A-Z]{2}[A-Z0-9]{8,12}|"
    r"CHE-?\d{3}\.?\d{3}\.?\d{3})(?![^\W_])"
)
_FORMS = re.compile(
    r"(?<![\w-])(?:\d{3}-\d{2}-\d{4}|\d{2}-\d{7}|(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z]{2} ?\d{2} ?\d{2} ?\d{2} ?[A-D]|"
    r"(?P<head>[A-Z]{2,5})[-/](?:20\d\d[-/])?[A-Z0-9-]{0,8}\d{4,10}(?:[-/][A-Z0-9]{1,6})?)(?![\w-])"
)
_LABEL = (
    r"(?:order|bestell\w{0,8}|auftrags?|po|so|purchase order|customer|client|kunden|ticket|case|incident|invoice|inv|rechnungs?|facture|"
    r"passport|"
    r"reisepass\w{0,4}|pass|contract|vertrags?|ref(?:erence)?|opp(?:ortunity)?|deal|employee|personal|staff|badge|student|patient|member|steuer|tax|"
    r"vat|ust|uid|bsn|ssn|nhs|ni|ein|tin|pan|aadhaar|cpf|cnpj|nif|nie|dni|siret|siren|curp|rfc|tender|rfp|rfq|rfx|"
    r"bid|policy|driver['\u2019]?s? licen[cs]e|"
    r"licen[cs]e plate|licen[cs]e|booking|reservation|shipment|tracking|serial|claim|file|object|project|jira|bug|"
    r"issue|request)"
)
_MARKED = re.compile(
    rf"(?<![^\W_]){_LABEL}[- ]?(?P<mark>(?:numbers?|nummer|no|nr|num|id|ids|ref|reference|code|case)\b\.?|\#)?(?P<sign>\s?[:#=])?\s{{0,2}}"
    r"(?P<value>#?(?=[\w/-]{0,8}\d)[A-Za-z0-9](?:[A-Za-z0-9]|[-/](?=[A-Za-z0-9])|(?<=[A-Z]) (?=\d)){2,24})(?![\w%€$£]|[.,]\d)",
    re.IGNORECASE,
)
_LABELLED = re.compile(rf"(?<![^\W_]){_LABEL}\b", re.IGNORECASE)
_DATE = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|(?:19|20)\d\d[./-]\d\d?[./-]\d\d?|(?:19|20)\d\d")
_STRONG = re.compile(
    r"passport|tax|steuer|vat|bsn|ssn|nhs|ni|ein|tin|pan|aadhaar|ticket|invoice|po|so|case|employee", re.IGNORECASE
)


def _find_ids(text: str) -> Iterator[tuple[int, int]]:
    for found in _VAT.finditer(text):
        if vat.is_valid(found[0]) or uid.is_valid(found[0]) or (found[0][:2] == "GB" and gb_vat.is_valid(found[0][2:])):
            yield found.span()
    for found in _FORMS.finditer(text):
        if (found["head"] or "").casefold() not in read_list("person_cues.yaml")["norms"]:
            yield found.span()
    for found in _MARKED.finditer(text):
        if _is_id(found):
            yield found.span("value")


def _is_id(found: re.Match[str]) -> bool:
    """Says whether what stands behind a label such as `order` is an id rather than an amount, a day or a count."""
    value, digits = found["value"], sum(char.isdigit() for char in found["value"])
    if _DATE.fullmatch(value) or digits < 3:
        return False
    has_letters = any(char.isalpha() for char in value) and value[-1].isdigit() | value[0].isalpha()
    is_named = bool(found["mark"]) or "#" in (found["sign"] or "") or value.startswith("#")
    return (
        is_named
        or (digits >= 5 and bool(_STRONG.match(found[0])))
        or (has_letters and digits >= 4)
        or "-" in value
        or "/" in value
    )


# Machines ------------------------------------------------------------------------------------------------------------------------

_IPV4 = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
_MAC = re.compile(r"(?<![\w:-])[0-9A-Fa-f]{2}(?:(?::[0-9A-Fa-f]{2}){5}|(?:-[0-9A-Fa-f]{2}){5})(?![\w:-])")
_RELEASE = re.compile(r"(?:version|release|build|ver|v|firmware)\.? ?$", re.IGNORECASE)


def _find_machines(text: str) -> Iterator[tuple[int, int]]:
    yield from (found.span() for found in _MAC.finditer(text))
    for found in _IPV4.finditer(text):
        if _is_address(IPv4Address, found[0]) and not _RELEASE.search(
            text[max(0, found.start() - _CONTEXT) : found.start()]
        ):
            yield found.span()
    yield from (
        found.span() for found in _IPV6.finditer(text) if len(found[0]) > 4 and _is_address(IPv6Address, found[0])
    )


def _is_address(read: Callable[[str], object], words: str) -> bool:
    try:
        read(words)
    except AddressValueError:
        return False
    return True


# Phones --------------------------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(
    r"(?<![\w.,/@-])(?:\+|00)?\(?\d(?:[ ()./\u2013-]{0,2}\d){5,16}(?P<extension>,?\s?(?:ext\.?|x|extension|durchwahl|poste)"
    r"\s?\d{1,5})?(?![\w/%€$£]|[.,]\d)",
    re.IGNORECASE,
)
_AMERICAN = re.compile(r"(?:1[ .-])?\(?[2-9]\d{2}\)?[ .-]{1,2}\d{3}[ .-]\d{4}")
_CALLING = re.compile(
    r"(?:phone|tele?(?:fon|fono)?|tél|mob(?:ile)?|cell|handy|fax|whatsapp|direct(?: line)?|ring|call(?: me)?|text|sms|"
    r"reach \w{1,10}|dial|büro|zap|durchwahl)"
    r"\b[ .:]{0,3}(?:is |number |no\.? |only |me |her |him |on |at |under |: ?){0,3}$",
    re.IGNORECASE,
)
_DAY = re.compile(r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}[./-]\d{1,2}[./-]\d{1,2}")
_FEWEST_DIGITS, _MOST_DIGITS = 7, 15


def _find_phones(text: str) -> Iterator[tuple[int, int]]:
    for found in _NUMBER.finditer(text):
        if _is_phone(text, found):
            yield found.span()


def _is_phone(text: str, found: re.Match[str]) -> bool:
    """Says whether digits are a phone number rather than days, amounts or a range: by plan of numbers, by shape, or by the word before."""
    number = found[0].removesuffix(found["extension"] or "")
    digits = sum(char.isdigit() for char in number)
    if not _FEWEST_DIGITS <= digits <= _MOST_DIGITS or _DAY.search(number):
        return False
    if number.startswith(("+", "00")):
        return _is_possible("+" + number.lstrip("+0"))
    if _AMERICAN.fullmatch(number) or _CALLING.search(text[max(0, found.start() - 2 * _CONTEXT) : found.start()]):
        return True
    return number.lstrip("(").startswith("0") and any(_is_valid(number, region) for region in _REGIONS)


def _is_possible(number: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return False


def _is_valid(number: str, region: str) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False


# Houses --------------------------------------------------------------------------------------------------------------------------

_CAP = r"[^\W\d_a-z][^\W\d_]{1,25}(?:['\u2019-][^\W\d_]{1,25}){0,2}"
_CAPS = rf"{_CAP}(?: {_CAP}){{0,2}}"
_CODE = (
    r"(?:[A-Z]{1,2}\d[A-Z\d]? \d[A-Z]{2}|[A-Z]\d{2} [A-Z0-9]{4}|[A-Z]\d[A-Z] \d[A-Z]\d|(?:[A-Z]{2,3} )?\d{4,6}(?: [A-Z]{2}\b)?|"
    r"[A-Z]{2} \d{5}|\d{3} \d{2})(?!\d)"
)
_TAIL = (
    rf"(?:(?:, (?:Suite|Floor|Unit|Apt\.?) \d{{1,5}})?(?:, {_CAPS}){{0,2}},? (?:{_CAPS} )?{_CODE}(?: {_CAP}){{0,2}})?"
)
_WAYS = (
    r"(?:Street|St|Road|Rd|Avenue|Ave|Lane|Ln|Drive|Dr|Boulevard|Blvd|Way|Parkway|Pkwy|Court|Ct|Square|Sq|Place|Pl|Terrace|Close|Crescent|"
    r"Highway|Hwy|Quay|Row|Walk|Gardens|Mews|Hill|Park|Circle|Plaza)"
)
_HOUSE = re.compile(
    rf"(?<!\w)(?:\d{{1,5}}[A-Za-z]?,? (?:{_CAP} |\d{{1,3}}(?:st|nd|rd|th) ){{1,3}}{_WAYS}\b\.?{_TAIL}|"
    rf"[^\W\d_a-z][^\W\d_]{{0,25}}(?:-[^\W\d_]{{1,25}}){{0,2}}?(?:stra(?:ß|ss)e|str\.|weg|platz|allee|gasse|ring|damm|ufer|laan|straat|"
    rf"gracht|plein|kade|gatan|vägen|gade|vej|"
    rf"veien|gata) \d{{1,4}}[a-z]?(?:-\d{{1,4}})?\b{_TAIL}|"
    rf"(?:\d{{1,4}},? )?(?i:rue|avenue|boulevard|chemin|impasse|quai|via|viale|piazza|corso|calle|avenida|paseo|"
    rf"plaza|rua|praça|ul\.|ulica|aleja)"
    rf"(?: (?:de la|de l['\u2019]|del|della|de|du|des|di|da|do|la))?(?: (?!\d){_CAP}){{1,4}}(?:,? \d{{1,4}}(?! [^\W\d_a-z]))?\b{_TAIL}|"
    rf"(?i:p\.? ?o\.? ?box|postfach|apartado) \d{{1,6}}\b(?:, {_CAPS})?)"
)


def _find_houses(text: str) -> Iterator[tuple[int, int]]:
    yield from (found.span() for found in _HOUSE.finditer(text) if any(char.isdigit() for char in found[0]))


_FINDERS: dict[Kind, Callable[[str], Iterator[tuple[int, int]]]] = {
    "secret": _find_secrets,
    "link": _find_links,
    "mail": _find_mails,
    "bank": _find_accounts,
    "card": _find_cards,
    "ip": _find_machines,
    "address": _find_houses,
    "id": _find_ids,
    "phone": _find_phones,
}
