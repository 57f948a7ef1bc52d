"""One Salesforce org over REST: its token, its queries, what it has on deals, and the causes of its refusals."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import httpx2
import structlog

from serving.crm.http import CrmCallError, CrmHttp, Repeat, Request

NAME = "Salesforce"
DEAL = "Opportunity"
AT_ONCE = 200
Row = dict[str, Any]
_NEARLY_USED = 0.9
_USAGE = re.compile(r"api-usage=(\d+)/(\d+)")
_PASSING = frozenset({"UNABLE_TO_LOCK_ROW", "REQUEST_LIMIT_EXCEEDED", "SERVER_UNAVAILABLE"})
# Their messages hold names and the company's own words; of any other code the message may repeat what was sent.
_TOLD = _PASSING | {
    "API_DISABLED_FOR_ORG",
    "DUPLICATE_DEVELOPER_NAME",
    "ENTITY_IS_DELETED",
    "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    "INSUFFICIENT_ACCESS",
    "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
    "INSUFFICIENT_ACCESS_OR_READONLY",
    "INVALID_FIELD",
    "INVALID_FIELD_FOR_INSERT_UPDATE",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
    "INVALID_SESSION_ID",
    "INVALID_TYPE",
    "REQUIRED_FIELD_MISSING",
}
_log = structlog.get_logger(__name__)


class ClientCredentials(httpx2.Auth):
    """Puts a token on every call and fetches a new one, once, where the org no longer takes it.

    Args:
        url: Of the token endpoint.
        client_id: Consumer key of the external client app.
        client_secret: Its consumer secret.

    Source: Salesforce Help, "OAuth 2.0 Client Credentials Flow for Server-to-Server Integration".
    """

    requires_response_body = True

    def __init__(self, url: str, *, client_id: str, client_secret: str) -> None:
        self._url, self._id, self._secret = url, client_id, client_secret
        self._token: str | None = None

    def auth_flow(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Sends the call with a token, and again with a new one after a 401."""
        token = self._token or (yield from self._fetch_token(request))
        request.headers["Authorization"] = f"Bearer {token}"
        response = yield request
        if response.status_code != 401:
            return
        renewed = self._token if self._token != token else None
        request.headers["Authorization"] = f"Bearer {renewed or (yield from self._fetch_token(request))}"
        yield request

    def _fetch_token(self, request: httpx2.Request) -> Generator[httpx2.Request, httpx2.Response, str]:
        """Gives a new token, fetched with the patience of the call that needs it: a bare request would wait for ever."""
        form = {"grant_type": "client_credentials", "client_id": self._id, "client_secret": self._secret}
        response = yield httpx2.Request("POST", self._url, data=form, extensions=request.extensions)
        token = _found(response).get("access_token")
        if response.is_success and isinstance(token, str):
            self._token = token
            return token
        status = response.status_code
        code = _found(response).get("error") or "no reason given"
        is_passing_fault = response.is_success or status == 429 or status >= 500
        raise CrmCallError(f"{NAME} gave no token: {status} {code}.", status=status, is_retryable=is_passing_fault)


def _found(response: httpx2.Response) -> Row:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


class Org:
    """One org as its API user sees it.

    Args:
        http: Calls to the org, with credentials.
        version: Of the API, such as `v66.0`.
    """

    def __init__(self, http: CrmHttp, version: str) -> None:
        self.http = http
        self._root = f"/services/data/{version}"
        self._fields: dict[str, Row] = {}

    def call(self, method: str, path: str, request: Request | None = None, *, repeat: Repeat = "always") -> Row:
        """Gives the object that a call below the API's root answers with; `repeat` as in `CrmHttp.call`.

        Raises:
            CrmCallError: The org refused or gave no usable answer; retryable where the limit of calls is used up.
        """
        with _passing_told():
            return self.http.call(method, f"{self._root}/{path}", request or Request(), repeat=repeat)

    def send_records(self, method: str, records: Sequence[Row]) -> list[Row]:
        """Gives one result a record, in order; up to 200 of one type, each for itself.

        Raises:
            CrmCallError: The org refused the call as a whole or gave no usable answer.

        Source: REST API Developer Guide, "Update Records Using sObject Collections".
        """
        request = Request(body={"allOrNone": False, "records": records})
        path = f"{self._root}/composite/sobjects"
        with _passing_told():
            results = self.http.call_list(method, path, request, repeat="never")
        if len(results) != len(records):
            raise CrmCallError(f"{NAME} answered another number of records.", is_retryable=True, is_certain=False)
        return results

    def find_rows(self, soql: str, *, with_archived: bool = False) -> list[Row]:
        """Gives all rows of a query, page by page; with the archived ones where asked.

        Raises:
            CrmCallError: The org refused or gave no usable answer.

        Source: REST API Developer Guide, "Query" and "QueryAll".
        """
        page = self.find_page(soql, with_archived=with_archived)
        rows: list[Row] = list(page["records"])
        while not page["done"]:
            with _passing_told():
                page = self.http.call("GET", page["nextRecordsUrl"])
            rows += page["records"]
        return rows

    def find_page(self, soql: str, *, with_archived: bool = False) -> Row:
        """Gives the first page of a query.

        Raises:
            CrmCallError: The org refused or gave no usable answer.
        """
        return self.call("GET", "queryAll" if with_archived else "query", Request(query={"q": soql}))

    def get_fields(self, *, fresh: bool = False) -> Mapping[str, Row]:
        """Gives the description of each field of a deal that the API user can see, by name; the last one unless `fresh`.

        Raises:
            CrmCallError: The org refused or gave no usable answer.
        """
        if fresh or not self._fields:
            described = self.call("GET", f"sobjects/{DEAL}/describe")
            self._fields = {field["name"]: field for field in described["fields"]}
        return self._fields


def warn_of_usage() -> Callable[[httpx2.Response], None]:
    """Gives a hook for responses that warns, once, when nine tenths of the org's daily calls are used.

    Source: REST API Developer Guide, "Limit Info Header".
    """
    warned: list[bool] = []

    def look(response: httpx2.Response) -> None:
        told = _USAGE.search(response.headers.get("sforce-limit-info", ""))
        if told and not warned and int(told[1]) >= _NEARLY_USED * int(told[2]):
            warned.append(True)
            _log.warning("crm_calls_nearly_used", crm=NAME, used=int(told[1]), allowed=int(told[2]))

    return look


@contextmanager
def _passing_told() -> Iterator[None]:
    """Marks a refusal that will pass as retryable: the used-up daily limit comes as 403."""
    try:
        yield
    except CrmCallError as error:
        error.is_retryable = error.is_retryable or is_passing(error.answer)
        raise


def codes(errors: object) -> list[str]:
    """Gives the codes of a list of errors, as a refused call or a refused record holds it."""
    found = errors if isinstance(errors, list) else []
    return [str(error.get("errorCode") or error.get("statusCode")) for error in found if isinstance(error, dict)]


def is_passing(errors: object) -> bool:
    """Says whether the same call or record may succeed later."""
    return any(code in _PASSING for code in codes(errors))


def find_cause(errors: object) -> str | None:
    """Gives the first cause as code, message and fields, without any text of a deal; None where there is none."""
    named = codes(errors)
    if not named or not isinstance(errors, list):
        return None
    said = str(errors[0].get("message") or "") if named[0] in _TOLD else ", ".join(errors[0].get("fields") or ())
    return f"{named[0]}: {said}" if said else named[0]


def quoted(text: str) -> str:
    """Gives a text as SOQL takes it between quotes.

    Source: SOQL and SOSL Reference, "Quoted String Escape Sequences".
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


def select(fields: Sequence[str], table: str, where: Sequence[str], tail: str = "") -> str:
    """Gives a SOQL query; all of the conditions hold."""
    return " ".join(("SELECT", ", ".join(fields), "FROM", table, "WHERE", " AND ".join(where), tail)).strip()


def is_one_of(field: str, values: Sequence[str]) -> str:
    """Gives the SOQL condition that a field holds one of the values."""
    return f"{field} IN ({','.join(map(quoted, values))})"
