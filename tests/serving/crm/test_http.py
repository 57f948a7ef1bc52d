"""How calls to a CRM are paced, repeated and reported."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx2
import pytest

from serving.crm.http import CrmCallError, CrmHttp, Pace, Request

Answer = Callable[[httpx2.Request], httpx2.Response]


class Script:
    """Answers calls one after the other as scripted; the last answer stays."""

    def __init__(self, *answers: httpx2.Response | Exception) -> None:
        self._answers = list(answers)
        self.seen: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.seen.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def made(script: Script, *, slept: list[float] | None = None, pace: Pace | None = None) -> CrmHttp:
    client = httpx2.Client(base_url="https://crm.example", transport=httpx2.MockTransport(script))
    wait = slept.append if slept is not None else lambda _seconds: None
    return CrmHttp(client, "Example", pace=pace or Pace(), sleep=wait, find_message=lambda answer: str(answer["why"]))  # type: ignore[index]


def ok(body: object) -> httpx2.Response:
    return httpx2.Response(200, json=body)


def busy(status: int = 429, **headers: str) -> httpx2.Response:
    return httpx2.Response(
        status, json={"why": "later"}, headers={key.replace("_", "-"): v for key, v in headers.items()}
    )


def test_answer_is_given_decoded() -> None:
    assert made(Script(ok({"a": 1}))).call("GET", "/deals") == {"a": 1}


def test_empty_answer_is_an_empty_object() -> None:
    assert made(Script(httpx2.Response(204))).call("DELETE", "/deals/1") == {}


def test_busy_crm_is_asked_again_after_its_wait() -> None:
    slept: list[float] = []
    script = Script(busy(retry_after="7"), ok({}))
    made(script, slept=slept).call("GET", "/deals")
    assert (len(script.seen), slept) == (2, [7.0])


def test_wait_is_read_in_the_unit_of_the_vendor() -> None:
    slept: list[float] = []
    made(Script(busy(retry_after="1500"), ok({})), slept=slept, pace=Pace(retry_after="ms")).call("GET", "/deals")
    assert slept == [1.5]


def test_wait_may_be_a_moment() -> None:
    slept: list[float] = []
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    made(Script(busy(retry_after=later), ok({})), slept=slept).call("GET", "/deals")
    assert 10 < slept[0] <= 20


def test_unusable_wait_falls_back_to_our_own() -> None:
    slept: list[float] = []
    made(Script(busy(retry_after="soon"), busy(), ok({})), slept=slept).call("GET", "/deals")
    assert 0.3 < slept[0] < slept[1] < 2


def test_refusal_is_told_once_in_the_words_of_the_crm() -> None:
    script = Script(httpx2.Response(400, json={"why": "no such field"}))
    with pytest.raises(CrmCallError, match="no such field") as caught:
        made(script).call("PATCH", "/deals/1", Request(body={}))
    assert (len(script.seen), caught.value.is_retryable, caught.value.is_certain) == (1, False, True)


def test_lost_answer_of_a_write_leaves_doubt() -> None:
    script = Script(httpx2.ReadTimeout("gone"))
    with pytest.raises(CrmCallError) as caught:
        made(script).call("POST", "/deals", Request(body={}), repeat="undone")
    assert (len(script.seen), caught.value.is_retryable, caught.value.is_certain) == (1, True, False)


def test_harmless_call_is_repeated_after_a_lost_answer() -> None:
    script = Script(httpx2.ReadTimeout("gone"), httpx2.RemoteProtocolError("reset"), ok({"a": 1}))
    assert made(script).call("PATCH", "/deals/1", Request(body={})) == {"a": 1}


def test_write_that_was_turned_away_is_repeated() -> None:
    script = Script(busy(429), busy(503), ok({"id": 1}))
    assert made(script).call("POST", "/deals", Request(body={}), repeat="undone") == {"id": 1}


def test_server_error_of_a_write_leaves_doubt() -> None:
    with pytest.raises(CrmCallError) as caught:
        made(Script(busy(500))).call("POST", "/deals", Request(body={}), repeat="undone")
    assert caught.value.is_certain is False


def test_truncated_answer_counts_as_none() -> None:
    cut = httpx2.Response(200, content=b'{"results": [', headers={"content-type": "application/json"})
    assert made(Script(cut, ok({"a": 1}))).call("GET", "/deals") == {"a": 1}


def test_tries_come_to_an_end() -> None:
    script = Script(busy(503))
    with pytest.raises(CrmCallError) as caught:
        made(script, pace=Pace(tries=3)).call("GET", "/deals")
    assert (len(script.seen), caught.value.status) == (3, 503)


def test_a_list_is_not_taken_for_an_object() -> None:
    with pytest.raises(CrmCallError, match="something else"):
        made(Script(ok([1]))).call("GET", "/deals")
    assert made(Script(ok([1]))).call_list("GET", "/deals") == [1]


def test_an_unreachable_crm_has_changed_nothing() -> None:
    with pytest.raises(CrmCallError) as caught:
        made(Script(httpx2.ConnectError("refused"))).call("POST", "/deals", repeat="undone")
    assert (caught.value.is_retryable, caught.value.is_certain) == (True, True)


def test_doubt_of_an_earlier_try_stays_with_the_call() -> None:
    script = Script(busy(502), busy(429))
    with pytest.raises(CrmCallError) as caught:
        made(script, pace=Pace(tries=3)).call("PATCH", "/deals/1", Request(body={}))
    assert (caught.value.status, caught.value.is_certain) == (429, False)
