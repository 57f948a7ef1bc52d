"""What goes between HubSpot and a service, counted: the webhooks that HubSpot sends, and the calls that come in at its stand-in."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Condition, Event
from typing import Any, Generic, TypeVar

import httpx2
from tenacity import Retrying, retry_if_exception_type, stop_after_delay, stop_when_event_set, wait_fixed

from tests.serving.plain_http import NO_TLS

PATIENCE_S = 300.0
SECRET = "only-for-tests-and-32-characters!!"  # noqa: S105
_AT_ONCE = 3
T = TypeVar("T")


class Tally(Generic[T]):
    """What was seen how often; a test can wait until it is enough."""

    def __init__(self) -> None:
        self.seen: Counter[T] = Counter()
        self._has_grown = Condition()

    def add(self, *seen: T) -> None:
        with self._has_grown:
            self.seen.update(seen)
            self._has_grown.notify_all()

    def wait_until(self, is_enough: Callable[[Counter[T]], bool]) -> None:
        with self._has_grown:
            assert self._has_grown.wait_for(lambda: is_enough(self.seen), PATIENCE_S), "The service stands still."


class WatchedCrm:
    """Counts in front of a CRM the calls that come in, by path, and the values that it takes, by deal and field.

    Args:
        app: The CRM.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self.calls: Tally[str] = Tally()
        self.taken: Tally[tuple[str, str]] = Tally()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        self.calls.add(environ["PATH_INFO"])
        if not environ["PATH_INFO"].endswith("/deals/batch/update"):
            return self._app(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        told: list[str] = []

        def note_status(status: str, headers: list[tuple[str, str]]) -> object:
            told.append(status)
            return start_response(status, headers)

        answer = self._app(environ | {"wsgi.input": io.BytesIO(body)}, note_status)
        if told[0].startswith("2"):
            self.taken.add(*((one["id"], name) for one in json.loads(body)["inputs"] for name in one["properties"]))
        return answer


class Sender:
    """Tells of lost deals as HubSpot does, each until the answer is a 2xx.

    Args:
        url: Of the service.
    """

    def __init__(self, url: str) -> None:
        self._address = f"{url}/doors/hubspot"
        self._client = httpx2.Client(verify=NO_TLS, timeout=PATIENCE_S)
        self._threads = ThreadPoolExecutor(_AT_ONCE)
        self._under_way: list[Future[None]] = []
        self._is_closed = Event()
        self.answers: Tally[str] = Tally()

    def tell(self, deal_ids: Iterable[str]) -> None:
        self._under_way += [self._threads.submit(self._tell, deal_id) for deal_id in deal_ids]

    def finish(self) -> None:
        for one in self._under_way:
            one.result()

    def close(self) -> None:
        self._is_closed.set()
        self._threads.shutdown(cancel_futures=True)
        self._client.close()

    def _tell(self, deal_id: str) -> None:
        again = retry_if_exception_type(httpx2.HTTPError)
        end = stop_after_delay(PATIENCE_S) | stop_when_event_set(self._is_closed)
        for attempt in Retrying(retry=again, wait=wait_fixed(0.02), stop=end, reraise=True):
            with attempt:
                self._call(deal_id, attempt.retry_state.attempt_number - 1).raise_for_status()
        self.answers.add(deal_id)

    def _call(self, deal_id: str, attempt_number: int) -> httpx2.Response:
        event = {"subscriptionId": 7, "occurredAt": 1795332600000, "subscriptionType": "deal.propertyChange"}
        event |= {"objectId": int(deal_id), "propertyName": "hs_is_closed_lost", "propertyValue": "true"}
        body, stamp = json.dumps([event | {"attemptNumber": attempt_number}]).encode(), str(round(time.time() * 1000))
        signed = hmac.new(SECRET.encode(), f"POST{self._address}".encode() + body + stamp.encode(), hashlib.sha256)
        signature = base64.b64encode(signed.digest()).decode()
        headers = {"X-HubSpot-Signature-v3": signature, "X-HubSpot-Request-Timestamp": stamp}
        headers["Content-Type"] = "application/json"
        return self._client.post(self._address, content=body, headers=headers)
