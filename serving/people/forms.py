"""Forms of pages: their fields, whether one of our own pages sent them, and where they may lead."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, Request

from serving.problems import ProblemError

_MOST_BYTES = 64 * 1024
_MOST_FIELDS = 100
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_FORM = "application/x-www-form-urlencoded"


async def read_form(request: Request) -> dict[str, str]:
    """Gives the fields of a form; of a repeated one the last. The body stays readable for who asks after us.

    Nobody needs to be known to send one, so it stays small: its length has to be announced and the server holds the sender to it.

    Raises:
        ProblemError: 415 for another kind of body, 411 without its length, 413 when it is too large or has too many fields.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in ("", _FORM):
        raise ProblemError(415, f"Send the form with the header 'Content-Type: {_FORM}'.")
    announced = request.headers.get("content-length", "")
    if not announced.isdecimal():
        raise ProblemError(411, "Send the form with the header 'Content-Length'.")
    if int(announced) > _MOST_BYTES:
        raise ProblemError(413, "The form is larger than any of our pages sends.")
    body = (await request.body()).decode("ascii", "replace")
    try:
        return dict(parse_qsl(body, keep_blank_values=True, max_num_fields=_MOST_FIELDS))
    except ValueError:
        raise ProblemError(413, "The form has more fields than any of our pages sends.") from None


# Stands before `viewer: FromForm` in a route: that one reads the stream, and the body has to be kept by then.
FormFields = Annotated[dict[str, str], Depends(read_form)]


def require_own_page(request: Request) -> None:
    """Passes when no page of another site sends this; for forms of people who are not signed in and have no token yet.

    Raises:
        ProblemError: 403, another site sends it.

    Source: Go's net/http.CrossOriginProtection, which compares Sec-Fetch-Site and, in browsers without it, Origin and Host.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site is not None:
        is_own = site in ("same-origin", "none")
    else:
        is_own = origin is None or urlsplit(origin).netloc == request.headers.get("host")
    if not is_own:
        raise ProblemError(
            403, "This form was sent from another site; open the sign-in page here and repeat what you did."
        )


def local_path(wanted: str | None, *, otherwise: str) -> str:
    r"""Gives where to go: a path of this site as it is wanted, else the other one.

    Browsers read `//host`, `/\host` and both with tabs and line ends between as another site.
    """
    if not wanted or not wanted.startswith("/") or wanted.startswith("//"):
        return otherwise
    return wanted if "\\" not in wanted and not _CONTROL.search(wanted) else otherwise
