"""A company of its own in a real Tryton as a world to test a connector in: a seller works there, the connector has its own user."""

from __future__ import annotations

import json
import sqlite3
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime
from typing import Any

import httpx2

from serving.crm.deal_fields import DealField, DealFieldNames
from serving.crm.protocol import Choice, Fields, FieldSpec
from serving.crm.tryton import TrytonCrm, TrytonSettings, connect_database
from tests.serving.crm.tryton_server import DATABASE, TrytonServer, get_server
from tests.serving.crm.worlds import CHOICES, SeenDeal
from tests.serving.plain_http import NO_TLS

Row = dict[str, Any]
Act = Callable[[httpx2.Request, httpx2.BaseTransport], httpx2.Response | None]
DEAL = "sale.opportunity"
DEALS_GROUP = "Sale Opportunity"
REASON = "lossnlp_primary_reason"


class Wire(httpx2.BaseTransport):
    """The connector's way to the server; `act` may answer or break a call, `calls` are all that went in."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.addresses: list[str] = []
        self.act: Act | None = None
        self._inner = httpx2.HTTPTransport(verify=NO_TLS)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append(f"{request.method} {request.url.path.rpartition('/rest/model/')[2]}")
        self.addresses.append(str(request.url))
        answer = self.act(request, self._inner) if self.act else None
        return answer or self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


class Tryton:
    """Tryton's REST API as one of its users calls it."""

    def __init__(self, server: TrytonServer, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}", "Accept": "application/json"}
        base = f"{server.url}/{DATABASE}/rest/model"
        self.client = httpx2.Client(base_url=base, headers=headers, verify=NO_TLS, timeout=120.0)

    def call(self, method: str, path: str, body: object = None, **query: object) -> Any:
        answer = self.client.request(method, path, json={} if body is None else body, params=query)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:300]}"
        return answer.json() if answer.content else None

    def create(self, model: str, /, *fields: str, **values: object) -> Row:
        return dict(self.call("POST", f"/{model}", values, f=["id", *fields]))

    def find(self, model: str, domain: Sequence[object], *fields: str) -> list[Row]:
        sought = urlsafe_b64encode(json.dumps(domain).encode()).decode()
        answer = self.client.get(f"/{model}", params={"d": sought, "f": ["id", *fields]})
        assert answer.is_success, answer.status_code
        return list(answer.json())


class TrytonWorld:
    """One company; `waits` are the seconds that the connector has waited, `wire` is its way to the server."""

    keeps_fields = False
    specs = (
        FieldSpec(REASON, "Primary loss reason", "choice", CHOICES),
        FieldSpec("lossnlp_gap_champion", "MEDDPICC: Champion", "choice", (Choice("gap", "Gap"),)),
        FieldSpec("lossnlp_confidence", "Confidence", "number"),
        FieldSpec("lossnlp_external_only", "Only outside factors", "flag"),
    )
    # Tryton takes no fields through its API: what every opportunity has, and records that it leads to
    deal_fields: Mapping[DealField, str] = {
        "team": "reference",
        "region": "address.city",
        "product": "lines.product.name",
        "segment": "party.categories.name",
    }

    def __init__(self, server: TrytonServer) -> None:
        self.server = server
        self.admin = Tryton(server, server.admin_key)
        currencies = self.admin.find("currency.currency", [], "code")
        self._currencies = {row["code"]: row["id"] for row in currencies}
        self.company = self._add_company()
        self.seller = Tryton(server, self.add_user(DEALS_GROUP))
        self.key = self.add_user(DEALS_GROUP)
        self.wire, self.waits, self._parties = Wire(), list[float](), dict[str, int]()
        self.crm = self.connect(page_size=10)

    def connect(self, deal_fields: DealFieldNames | None = None, **changed: Any) -> TrytonCrm:
        settings = {"url": self.server.url, "database": DATABASE, "key": self.key, "page_size": 500} | changed
        options = TrytonSettings(**settings)
        return connect_database(options, deal_fields=deal_fields, transport=self.wire, sleep=self.waits.append)

    def reading(self, deal_fields: DealFieldNames) -> TrytonCrm:
        return self.connect(deal_fields)

    def close(self) -> None:
        self.crm.http.client.close()
        self.admin.client.close()
        self.seller.client.close()

    def add_user(self, *groups: str) -> str:
        """Gives the key of a new user of the company."""
        held = [row["id"] for row in self.admin.find("res.group", [["name", "in", list(groups)]])]
        user = self.admin.create(
            "res.user",
            login=uuid.uuid4().hex,
            name="Jo Seller",
            groups=[["add", held]],
            companies=[["add", [self.company]]],
            company=self.company,
        )
        return str(self.admin.create("res.user.application", "key", user=user["id"], application="rest")["key"])

    def add_lost(self, deal: SeenDeal) -> str:
        added = self._add_lead(**self.values_of(deal))
        self._press(added, "lost")
        self._date_back([added], "lost", deal.closed_on)
        for text in deal.mails:
            self.send_mail(added, f"<div><p>{text}</p></div>")
        return added

    def add_many_lost(self, deals: Sequence[SeenDeal]) -> list[str]:
        """Gives the ids of many lost deals, made in one call, as an import would make them."""
        rows = [self.values_of(deal) for deal in deals]
        added = [str(one) for one in self.seller.call("POST", f"/{DEAL}/create", {"vlist": rows})]
        self._date_back(added, "lost", deals[0].closed_on)
        return added

    def _date_back(self, deal_ids: Sequence[str], state: str, day: date) -> None:
        """Sets state and day of closing where Tryton itself would: its API lets nobody choose them."""
        rows = [(state, day.isoformat(), int(deal_id)) for deal_id in deal_ids]
        with closing(sqlite3.connect(self.server.database_path, timeout=60.0)) as database, database:
            database.executemany("UPDATE sale_opportunity SET state = ?, end_date = ? WHERE id = ?", rows)

    def values_of(self, deal: SeenDeal) -> Row:
        """Gives what a seller enters; Tryton has no log of calls, they are noted."""
        notes = [{"message": text} for text in (*deal.notes, *deal.calls)]
        return {
            "description": deal.name,
            "company": self.company,
            "party": self._party(deal.account),
            "currency": self._currencies[deal.currency],
            "amount": None if deal.amount is None else {"__class__": "Decimal", "decimal": f"{deal.amount:.2f}"},
            "comment": deal.note,
            "notes": [["create", notes]] if notes else [],
            **(self._told(deal) if deal.told else {}),
        }

    def _told(self, deal: SeenDeal) -> Row:
        """Gives the reference, address and line of an opportunity, and puts the buyer into a category."""
        party = self._party(deal.account)
        category = self._find_or_create("party.category", deal.told["segment"])
        self.admin.call("PUT", f"/party.party/{party}", {"categories": [["add", [category]]]})
        address = self.admin.create("party.address", party=party, city=deal.told["region"])
        lines = [self.line_of(name) for name in deal.told["product"].split(";")]
        return {"reference": deal.told.get("team"), "address": address["id"], "lines": [["create", lines]]}

    def line_of(self, product: str) -> Row:
        """Gives a line of an opportunity that offers one of a product."""
        [unit] = self.admin.find("product.uom", [["name", "=", "Unit"]])
        template = self._find_or_create(
            "product.template",
            product,
            default_uom=unit["id"],
            sale_uom=unit["id"],
            salable=True,
            products=[["create", [{}]]],
        )
        [found] = self.admin.find("product.product", [["template", "=", template]])
        return {"product": found["id"], "quantity": 1.0, "unit": unit["id"]}

    def _find_or_create(self, model: str, name: str, **values: object) -> int:
        found = self.admin.find(model, [["name", "=", name]])
        return int((found[0] if found else self.admin.create(model, name=name, **values))["id"])

    def send_mail(self, deal_id: str, body: str, subject: str = "Your offer") -> None:
        mail = {"to": "buyer@example.com", "subject": subject, "body": body, "record": [DEAL, int(deal_id)]}
        self.seller.call("POST", "/ir.email/send", mail)

    def add_note(self, deal_id: str, text: str) -> None:
        self.seller.create("ir.note", resource=f"{DEAL},{deal_id}", message=text)

    def add_open(self, name: str) -> str:
        return self._add_lead(**self.values_of(SeenDeal(name)))

    def add_won(self, name: str) -> str:
        """Gives a deal in the state that it has when its sale is confirmed."""
        added = self.add_open(name)
        self._date_back([added], "won", date(2026, 11, 2))
        return added

    def write(self, deal_id: str, **values: object) -> None:
        self.seller.call("PUT", f"/{DEAL}/{deal_id}", values)

    def set_by_person(self, deal_id: str, fields: Fields) -> None:
        self.write(deal_id, lost_reason=fields[REASON])

    def get_fields(self, deal_id: str) -> Fields:
        return {REASON: self.reason_of(deal_id)}

    def reason_of(self, deal_id: str) -> str | None:
        [row] = self.seller.find(DEAL, [["id", "=", int(deal_id)]], "lost_reason")
        return row["lost_reason"]

    def notes_of(self, deal_id: str) -> list[str]:
        """Gives the notes on the deal, oldest first."""
        rows = self.seller.find("ir.note", [["resource", "=", f"{DEAL},{deal_id}"]], "message")
        return [row["message"] for row in sorted(rows, key=lambda row: row["id"])]

    def written_at(self, deal_id: str) -> datetime:
        """Gives the moment of the deal's last change."""
        [row] = self.seller.find(DEAL, [["id", "=", int(deal_id)]], "write_date")
        parts = {name: value for name, value in row["write_date"].items() if name != "__class__"}
        return datetime(**parts, tzinfo=UTC)

    @contextmanager
    def hidden(self, field: str) -> Iterator[None]:
        """Hides a field of opportunities from everybody."""
        rule = self.admin.create("ir.model.field.access", model=DEAL, field=field, perm_read=False)
        try:
            yield
        finally:
            self.admin.call("DELETE", f"/ir.model.field.access/{rule['id']}")

    def delete_notes(self, deal_id: str) -> None:
        rows = self.seller.find("ir.note", [["resource", "=", f"{DEAL},{deal_id}"]])
        self.write(deal_id, notes=[["delete", [row["id"] for row in rows]]])

    def delete(self, deal_id: str) -> None:
        for button in ("lead", "cancel"):
            self._press(deal_id, button)
        self.seller.call("DELETE", f"/{DEAL}/{deal_id}")

    def _press(self, deal_id: str, button: str) -> None:
        self.seller.call("POST", f"/{DEAL}/{deal_id}/{button}")

    def _add_lead(self, **values: object) -> str:
        return str(self.seller.create(DEAL, **values)["id"])

    def _add_company(self) -> int:
        party = self.admin.create("party.party", name="Seller Ltd")
        return int(self.admin.create("company.company", party=party["id"], currency=self._currencies["EUR"])["id"])

    def _party(self, name: str) -> int:
        if name not in self._parties:
            self._parties[name] = int(self.admin.create("party.party", name=name)["id"])
        return self._parties[name]


@contextmanager
def tryton_world() -> Iterator[TrytonWorld]:
    """Gives a fresh company."""
    world = TrytonWorld(get_server())
    try:
        yield world
    finally:
        world.close()
