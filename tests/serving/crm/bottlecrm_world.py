"""An organisation of its own in the real BottleCRM, as a world to test a connector in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from typing import Any

import httpx2

from serving.crm.bottlecrm import BottleCrm, BottleCrmSettings
from serving.crm.deal_fields import DealField, DealFieldNames
from serving.crm.protocol import Fields
from tests.serving.crm.bottlecrm_server import Server, get_server
from tests.serving.crm.worlds import SPECS, SeenDeal
from tests.serving.plain_http import NO_TLS

_numbers = count(1)


class Line(httpx2.BaseTransport):
    """The way to the CRM, which tests may disturb.

    `before` may answer a call in the CRM's place, `behind` a call that the CRM has done; both give None to leave it alone. `most`
    makes the pages of a list smaller than they are asked for.
    """

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.most: int | None = None
        self.before: Callable[[httpx2.Request], httpx2.Response | None] = lambda _request: None
        self.behind: Callable[[httpx2.Request], httpx2.Response | None] = lambda _request: None
        self._transport = httpx2.HTTPTransport(verify=NO_TLS)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.calls.append(f"{request.method} {request.url.path}")
        answer = self.before(request)
        if answer is not None:
            return answer
        if self.most is not None and "limit" in request.url.params:
            url = request.url.copy_set_param("limit", self.most)
            request = httpx2.Request(request.method, url, headers=request.headers)
        done = self._transport.handle_request(request)
        return self.behind(request) or done

    def close(self) -> None:
        self._transport.close()


class BottleCrmWorld:
    """A fresh organisation; `waits` are the seconds that the connector has waited."""

    keeps_fields = True
    specs = SPECS
    deal_fields: Mapping[DealField, str] = {
        "team": "sales_team",
        "region": "sales_region",
        "product": "offer",
        "segment": "company_size",
    }

    def __init__(self, server: Server) -> None:
        self.url = server.url
        self.session = self._open(server)
        self.token = self.new_token()
        self.person = self.client(self.token)
        self.line = Line()
        self.waits: list[float] = []
        self.crm = self.another_crm()
        self._accounts: dict[str, str] = {}
        self._has_deal_fields = False

    def another_crm(self, token: str = "", deal_fields: DealFieldNames | None = None, **settings: Any) -> BottleCrm:
        """Gives another connector; pages are small so that few deals fill several."""
        options = BottleCrmSettings(
            **{
                "url": self.url,
                "token": token or self.token,
                "deals_at_once": 10,
                "calls_per_10_s": 100_000,
                **settings,
            }
        )
        client = self.client(options.token.get_secret_value(), options.url, transport=self.line)
        return BottleCrm(client, options, deal_fields=deal_fields, sleep=self.waits.append)

    def reading(self, deal_fields: DealFieldNames) -> BottleCrm:
        return self.another_crm(deal_fields=deal_fields)

    def client(self, token: str, url: str = "", **more: Any) -> httpx2.Client:
        headers = {"Authorization": f"Bearer {token}"}
        return httpx2.Client(base_url=url or self.url, headers=headers, verify=NO_TLS, timeout=60.0, **more)

    def new_token(self, *scopes: str) -> str:
        body = {"name": f"token {next(_numbers)}", "scopes": list(scopes)}
        return str(_done(self.session.post("/api/profile/tokens/", json=body))["token"])

    def add_lost(self, deal: SeenDeal) -> str:
        return self._add_told(deal, stage="CLOSED_LOST", closed_on=deal.closed_on.isoformat())

    def lose(self, deal: SeenDeal) -> str:
        """Gives the id of a deal that was open, was written on, and then was closed as lost."""
        added = self._add_told(deal, stage="PROPOSAL")
        self.edit(added, stage="CLOSED_LOST", closed_on=deal.closed_on.isoformat())
        return added

    def _add_told(self, deal: SeenDeal, **stage: str) -> str:
        added = self.add(
            name=deal.name,
            amount=None if deal.amount is None else str(deal.amount),
            currency=deal.currency,
            description=deal.note,
            account=self._account(deal.account),
            **self._told(deal),
            **stage,
        )
        for note in deal.notes:
            self.comment(added, note)
        for call in deal.calls:
            self.log(added, "call", body=call)
        for mail in deal.mails:
            self.log(added, "email", body=mail, subject="Offer")
        return added

    def add(self, **fields: Any) -> str:
        return str(_done(self.person.post("/api/opportunities/", json=fields))["id"])

    def edit(self, deal_id: str, **fields: Any) -> None:
        _done(self.person.patch(f"/api/opportunities/{deal_id}/", json=fields))

    def comment(self, deal_id: str, text: str) -> None:
        _done(self.person.post(f"/api/opportunities/{deal_id}/", json={"comment": text}))

    def log(self, deal_id: str, kind: str, **fields: Any) -> str:
        body = {"kind": kind, "home": "opportunity", "opportunity": deal_id, **fields}
        return str(_done(self.person.post("/api/interactions/", json=body))["id"])

    def add_open(self, name: str) -> str:
        return self.add(name=name, stage="PROPOSAL")

    def add_won(self, name: str) -> str:
        return self.add(name=name, stage="CLOSED_WON", closed_on="2026-11-02", amount="42000")

    def set_by_person(self, deal_id: str, fields: Fields) -> None:
        self.edit(deal_id, custom_fields=fields)

    def get_fields(self, deal_id: str) -> Fields:
        page = _done(self.person.get(f"/api/opportunities/{deal_id}/"))
        return dict(page["opportunity_obj"]["custom_fields"])

    def delete(self, deal_id: str) -> None:
        _done(self.person.delete(f"/api/opportunities/{deal_id}/"))

    def close(self) -> None:
        for client in (self.session, self.person, self.crm.http.client):
            client.close()

    def _open(self, server: Server) -> httpx2.Client:
        """Gives the web session of an administrator in a new organisation."""
        with self.client(server.owner) as owner:
            org = _done(owner.post("/api/org/", json={"name": f"Org {next(_numbers)}"}))["org"]["id"]
            session = _done(owner.post("/api/auth/switch-org/", json={"org_id": org}))
        return self.client(session["access_token"])

    def _told(self, deal: SeenDeal) -> dict[str, Any]:
        """Gives the custom fields that the deal is to hold, made where there are none yet."""
        for ours in deal.told if not self._has_deal_fields else ():
            self.define(self.deal_fields[ours], "text")
        self._has_deal_fields = self._has_deal_fields or bool(deal.told)
        told = {self.deal_fields[ours]: value for ours, value in deal.told.items()}
        return {"custom_fields": told} if told else {}

    def define(self, key: str, kind: str, **more: Any) -> None:
        body = {"target_model": "Opportunity", "key": key, "label": key, "field_type": kind, **more}
        _done(self.person.post("/api/custom-fields/", json=body))

    def add_team(self, name: str) -> str:
        """Gives the id of a new team of sellers."""
        _done(self.session.post("/api/teams/", json={"name": name}))
        teams = _done(self.session.get("/api/teams/"))["teams"]
        return str(next(team["id"] for team in teams if team["name"] == name))

    def offer(self, deal_id: str, name: str) -> None:
        """Puts a line onto a deal."""
        body = {"name": name, "quantity": "1", "unit_price": "42000"}
        _done(self.person.post(f"/api/opportunities/{deal_id}/line-items/", json=body))

    def _account(self, name: str) -> str:
        if name not in self._accounts:
            self._accounts[name] = str(_done(self.person.post("/api/accounts/", json={"name": name}))["id"])
        return self._accounts[name]


def _done(response: httpx2.Response) -> dict[str, Any]:
    assert response.is_success, response.text[:600]
    return dict(response.json()) if response.content else {}


@contextmanager
def bottlecrm_world() -> Iterator[BottleCrmWorld]:
    """Gives a fresh organisation, or skips the test where BottleCRM does not run."""
    world = BottleCrmWorld(get_server())
    try:
        yield world
    finally:
        world.close()
