"""Stand-ins for CRMs served on a port of this machine, and our connectors to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2

from serving.crm.http import CrmHttp
from serving.crm.hubspot import HubSpotCrm, HubSpotSettings
from serving.crm.protocol import Crm
from serving.crm.salesforce import connect_org
from tests.serving.crm.hubspot_fake import TOKEN
from tests.serving.crm.salesforce_world import org_settings
from tests.serving.plain_http import NO_TLS

SHORT_S = 0.2


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, *_words: object) -> None:
        """Says nothing."""


@contextmanager
def served(app: Callable[..., Any]) -> Iterator[str]:
    """Gives the URL of a WSGI application on a free port; it answers one call at a time, as a stand-in's state wants it."""
    with make_server("127.0.0.1", 0, app, handler_class=_QuietHandler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@dataclass(frozen=True)
class Line:
    """A connector that talks to a port.

    Args:
        crm: The connector.
        http: Its calls.
        waits: The seconds that it has waited between tries.
    """

    crm: Crm
    http: CrmHttp
    waits: list[float]

    def set_pace(self, *, tries: int, timeout_s: float = SHORT_S) -> None:
        self.http.pace = replace(self.http.pace, tries=tries, timeout_s=timeout_s)


@contextmanager
def hubspot_line(url: str) -> Iterator[Line]:
    waits: list[float] = []
    with httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, verify=NO_TLS) as client:
        crm = HubSpotCrm(client, HubSpotSettings(token=TOKEN, url=url, calls_per_10_s=100_000), sleep=waits.append)
        yield Line(crm, crm.http, waits)


@contextmanager
def salesforce_line(url: str, **changes: object) -> Iterator[Line]:
    waits: list[float] = []
    settings = org_settings().model_copy(update={"instance_url": url, **changes})
    crm = connect_org(settings, page_size=10, transport=httpx2.HTTPTransport(verify=NO_TLS))
    http = crm.org.http
    http.sleep = waits.append
    with http.client:
        yield Line(crm, http, waits)
