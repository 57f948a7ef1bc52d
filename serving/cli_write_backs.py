"""The commands `lossnlp-serve write-backs …`: see every write before it happens, and take it back."""

from __future__ import annotations

from typing import Annotated, Literal

import typer
from rich.table import Column, Table

from lossnlp.taxonomy import get_default_taxonomy
from serving import outbox
from serving.audit.by_command import record_in, recorded
from serving.crm.connect import connect_crm, read_field_map
from serving.crm.protocol import Fields, FieldValue
from serving.errors import ConfigurationError
from serving.schema import open_database
from serving.settings import load_settings
from serving.store import now
from serving.tables import WriteBackRow
from serving.terminal import open_console
from serving.worker import Worker
from serving.writeback import Decision

State = Literal["due", "sending", "sent", "failed", "undone"]

write_backs = typer.Typer(help="Show and undo what is written into the CRM.", no_args_is_help=True)


@write_backs.command("list")
def list_write_backs(
    state: Annotated[State | None, typer.Option(help="Only write-backs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most write-backs to show, newest ones.")] = 200,
) -> None:
    """Shows write-backs, field by field: what stood there before, what was written, whose value was kept."""
    table = Table("id", "deal", "state", _field_column(), "before", "after", "tries", "what the CRM said")
    with open_database(load_settings().database_url).reading() as session:
        for row in outbox.find_write_backs(session, [state] if state else [], limit=limit):
            _add_write_back(table, row)
    open_console().print(table)


@write_backs.command("plan")
def plan_write_backs() -> None:
    """Shows what the worker would do now with everything it would take; writes nothing."""
    worker = _open_worker()
    crm = worker.crm
    table = Table("id", "deal", _field_column(), "in the CRM", "planned", "what happens")
    with worker.database.reading() as session:
        rows = outbox.find_due(session, crm=crm.name, at=now())
        ours = {row.id: outbox.find_ours_for(session, row) for row in rows}
    current = crm.fetch_fields([row.deal_id for row in rows])
    for row in rows:
        there = current.get(row.deal_id)
        is_confirmed = row.verdict_id is not None
        decision = None
        if there is not None:
            decision = worker.decide(row.planned, current=there, ours=ours[row.id], is_confirmed=is_confirmed)
        _add_plan(table, row, planned=worker.fields.to_crm(row.planned), current=there or {}, decision=decision)
    open_console().print(table)


@write_backs.command("retry")
def retry_write_back(write_back_id: Annotated[int, typer.Argument(help="Its id in `list`.", metavar="ID")]) -> None:
    """Makes a write-back due again that has failed or was undone; the worker sends it, never over a person's value."""
    with open_database(load_settings().database_url).writing() as session:
        row = outbox.get_write_back(session, write_back_id)
        if row.state not in ("failed", "undone"):
            raise ConfigurationError(
                f"Write-back {row.id} is '{row.state}'; only one that has failed or was undone can be sent again."
            )
        outbox.send_again(row)
        record_in(session, "write_back_retry", f"write-back {row.id}")
        session.commit()
    typer.echo(f"Write-back {write_back_id} is due.", err=True)


@write_backs.command("undo")
def undo_write_back(write_back_id: Annotated[int, typer.Argument(help="Its id in `list`.", metavar="ID")]) -> None:
    """Puts back what stood in the CRM before; what a person has changed since stays."""
    worker, target = _open_worker(), f"write-back {write_back_id}"
    with recorded(worker.database, "write_back_undo", target):
        undone = worker.undo(write_back_id)
    table = Table(_field_column(), "taken back", "now")
    for field, value in undone.write.items():
        table.add_row(field, _shown(undone.before[field]), _shown(value))
    for field, value in undone.kept.items():
        table.add_row(field, "no: changed since", _shown(value))
    open_console().print(table)


def _open_worker() -> Worker:
    settings = load_settings()
    fields = read_field_map(settings, get_default_taxonomy())
    return Worker(open_database(settings.database_url), connect_crm(settings), fields=fields)


def _field_column() -> Column:
    return Column("field", no_wrap=True)


def _add_write_back(table: Table, row: WriteBackRow) -> None:
    sends = sum(attempt.kind == "send" for attempt in row.attempts)
    said = row.attempts[-1].error if row.attempts else None
    head = (str(row.id), row.deal_id, row.state)
    fields = [(field, _shown(row.before.get(field)), _shown(value)) for field, value in row.after.items()]
    fields += [(field, _shown(value), "kept: a person's") for field, value in row.kept.items()]
    if not fields:
        fields = [(field, "", f"planned: {_shown(value)}") for field, value in row.planned.items()] or [("", "", "")]
    for index, (field, before, after) in enumerate(fields):
        lead = head if index == 0 else ("", "", "")
        tail = (str(sends), said or "") if index == 0 else ("", "")
        table.add_row(*lead, field, before, after, *tail)
    table.add_section()


def _add_plan(table: Table, row: WriteBackRow, *, planned: Fields, current: Fields, decision: Decision | None) -> None:
    if decision is None:
        table.add_row(str(row.id), row.deal_id, "", "", "", "fails: the CRM does not hold this deal")
        return
    for field in planned | decision.write:
        stands, wanted = current.get(field), planned.get(field)
        act = _act(field, decision, stands_already=stands == wanted)
        table.add_row(str(row.id), row.deal_id, field, _shown(stands), _shown(wanted), act)
    table.add_section()


def _act(field: str, decision: Decision, *, stands_already: bool) -> str:
    if field in decision.write:
        return "write" if decision.write[field] is not None else "clear: no longer read"
    if field in decision.kept:
        return "leave: a person's"
    return "nothing: it stands already" if stands_already else "leave: by the policy of the field"


def _shown(value: FieldValue) -> str:
    if value is None:
        return "-"
    return ("no", "yes")[value] if isinstance(value, bool) else str(value)
