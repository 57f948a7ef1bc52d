"""Where a person is named: their account, rows of every table, and deals whose encrypted texts name them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from sqlalchemy import RowMapping, select
from sqlalchemy import Table as SqlTable
from sqlalchemy.orm import Session

from serving.errors import UnknownIdError
from serving.privacy.deal_rows import find_deal_rows, key_of
from serving.privacy.person_name import PersonName
from serving.privacy.words import find_rows, has_meant, text_columns
from serving.review.seal import Seal, SealError
from serving.tables import AssessmentRow, AttemptRow, PersonRow, SealedTextRow, WriteBackRow

Place = tuple[SqlTable, RowMapping]


@dataclass(slots=True)
class Traces:
    """Where a person is named.

    Args:
        name: How they are found.
        accounts: Theirs, as who may sign in.
        places: Rows that name them, each once.
        deals: Deals that name them whole, or whose encrypted texts do; there single words of the name count too.
        sealed: Assessments whose encrypted texts name them, or belong to a deal that does.
        unsearched: Encrypted texts that no key at hand opens, of other deals.
    """

    name: PersonName
    accounts: list[PersonRow] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)
    deals: set[str] = field(default_factory=set)
    sealed: list[str] = field(default_factory=list)
    unsearched: int = 0


def find_traces(session: Session, named: list[str], seal: Seal | None, *, within: Iterable[str] = ()) -> Traces:
    """Gives where a person is named.

    Args:
        session: An open session.
        named: Their name, mail address, or both.
        seal: Opens encrypted texts; None where no key is at hand.
        within: Deals that are known to have named them.
    """
    accounts = _find_accounts(session, named)
    own = [value for row in accounts for value in (row.email, row.name, row.owner) if value]
    traces = Traces(PersonName([*named, *own]), accounts)
    traces.deals = {*within, *_search_sealed(session, traces, seal)}
    places = {}
    for table, row in find_rows(session, traces.name.is_in):
        places[table, key_of(table, row)] = row
        deal_id = _deal_of(session, table, row)
        if deal_id is not None:
            traces.deals.add(deal_id)
    for deal_id in sorted(traces.deals):
        places |= {(table, key_of(table, row)): row for table, row in _near_rows(session, deal_id, traces.name)}
    traces.places = [(table, row) for (table, _), row in places.items()]
    traces.sealed = _find_sealed_of(session, traces.deals)
    return traces


def get_traces(session: Session, named: list[str], seal: Seal | None) -> Traces:
    """Gives the same of a person who is named somewhere.

    Raises:
        UnknownIdError: Nothing here names them.
    """
    traces = find_traces(session, named, seal)
    if not (traces.places or traces.sealed or traces.accounts):
        raise UnknownIdError("Nothing here names this person; give the name as the CRM or the texts write it.")
    return traces


def _find_accounts(session: Session, named: list[str]) -> list[PersonRow]:
    wanted = {" ".join(one.casefold().split()) for one in named}
    query = select(PersonRow).order_by(PersonRow.id)
    return [
        row
        for row in session.scalars(query)
        if {row.email.casefold(), row.name.casefold(), (row.owner or "").casefold()} & wanted
    ]


def _near_rows(session: Session, deal_id: str, name: PersonName) -> Iterator[Place]:
    for table, rows in find_deal_rows(session, deal_id).items():
        columns = text_columns(table)
        yield from ((table, row) for row in rows if has_meant(row, columns, name.is_near))


def _search_sealed(session: Session, traces: Traces, seal: Seal | None) -> set[str]:
    """Gives the deals whose encrypted texts name the person; counts those that cannot be opened."""
    deals: set[str] = set()
    query = select(SealedTextRow.sealed, AssessmentRow.deal_id)
    query = query.join(AssessmentRow, AssessmentRow.id == SealedTextRow.assessment_id)
    for sealed, deal_id in session.execute(query.execution_options(yield_per=100)):
        try:
            text = seal.open(sealed).model_dump_json() if seal else None
        except SealError:
            text = None
        if text is None:
            traces.unsearched += 1
        elif traces.name.is_in(text):
            deals.add(deal_id)
    return deals


def _find_sealed_of(session: Session, deals: set[str]) -> list[str]:
    query = select(SealedTextRow.assessment_id).join(AssessmentRow, AssessmentRow.id == SealedTextRow.assessment_id)
    return list(session.scalars(query.where(AssessmentRow.deal_id.in_(deals))))


def _deal_of(session: Session, table: SqlTable, row: RowMapping) -> str | None:
    """Gives the deal that a row belongs to, None where it belongs to none."""
    if table.name == "deals":
        return str(row["id"])
    if row.get("deal_id"):
        return str(row["deal_id"])
    if row.get("assessment_id"):
        return session.scalar(select(AssessmentRow.deal_id).where(AssessmentRow.id == row["assessment_id"]))
    if table is AttemptRow.__table__:
        return session.scalar(select(WriteBackRow.deal_id).where(WriteBackRow.id == row["write_back_id"]))
    return None
