"""Pages out of templates: one environment, one frame, and the headers that keep foreign script out."""

from __future__ import annotations

from datetime import date, datetime
from functools import cache
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from serving.people.access import Viewer

# Styles of single elements (bars of a chart, heat of a cell) need 'unsafe-inline'; script comes from our own files alone.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
# Characters that turn the direction of what stands around them: a name or a quote could make its neighbours read otherwise
_TURNING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)), "\ufffd")
NOTHING = "\u2013"  # what stands where there is nothing to show
_HEADERS = {"Content-Security-Policy": _POLICY, "Referrer-Policy": "same-origin", "X-Frame-Options": "DENY"}


@cache
def page_environment() -> Environment:
    """Gives the environment of all pages: everything escaped, a forgotten value is a fault."""
    pages = Environment(
        loader=PackageLoader("serving", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        finalize=without_turning,
    )
    pages.filters |= {"percent": percent, "money": money, "day": day, "said": said}
    return pages


def render_page(
    request: Request, template: str, *, viewer: Viewer | None, status: int = 200, **values: Any
) -> HTMLResponse:
    """Gives a page, or a part of one where htmx asks.

    Args:
        request: What asked.
        template: Path under `serving/pages`.
        viewer: Who looks; None on pages before the sign-in.
        status: HTTP status.
        values: What the template shows.
    """
    shown = (
        page_environment()
        .get_template(template)
        .render(viewer=viewer, path=request.url.path, is_part="hx-request" in request.headers, **values)
    )
    return HTMLResponse(shown, status, headers=_HEADERS)


def without_turning(value: object) -> object:
    """Gives a value with a mark for each character that turns the direction of text, one for one, so that offsets stay.

    Source: Unicode Technical Report 36, section 2.5; the marks of Arabic and Hebrew writing (U+200E, U+200F) stay.
    """
    return value.translate(_TURNING) if isinstance(value, str) and not value.isascii() else value


def percent(share: float | None, digits: int = 0) -> str:
    """Gives a share between 0 and 1 as per cent; a dash for None."""
    return NOTHING if share is None else f"{100 * share:.{digits}f} %"


def money(amount: float | None, currency: str | None = None) -> str:
    """Gives an amount for people: thousands and millions rounded; a dash for None."""
    if amount is None:
        return NOTHING
    for size, mark in ((1e9, " bn"), (1e6, " M"), (1e3, " k")):
        if abs(amount) >= size:
            return f"{amount / size:.3g}{mark} {currency or ''}".rstrip()
    return f"{amount:.0f} {currency or ''}".rstrip()


def day(moment: date | datetime | None) -> str:
    """Gives a day as YYYY-MM-DD; a dash for None."""
    return NOTHING if moment is None else f"{moment:%Y-%m-%d}"


def said(value: object) -> str:
    """Gives a value as people read it: yes, no, a dash for nothing."""
    if value is None:
        return NOTHING
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
