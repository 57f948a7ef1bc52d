"""What a run has lost, doubled or mixed up, counted in the database and in the CRM."""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import func, select

from benchmarks.faults.callers import Callers
from benchmarks.faults.crm import PERSONS_REASON
from benchmarks.faults.deals import KnownDeal, find_mark
from benchmarks.faults.world import World
from serving import inbox, outbox
from serving.crm.rules import EVIDENCE, PRIMARY_REASON
from serving.store import Database
from serving.tables import AssessmentRow, InboxRow, WriteBackRow


def count_open(database: Database) -> int:
    """Gives how many events and write-backs are not settled yet."""
    with database.reading() as session:
        events = select(func.count()).where(InboxRow.state.in_(inbox.OPEN))
        write_backs = select(func.count()).where(WriteBackRow.state.in_(outbox.OPEN))
        return (session.scalar(events) or 0) + (session.scalar(write_backs) or 0)


def count_faults(world: World, callers: Callers, database: Database) -> dict[str, Any]:
    """Gives the counts, each with the deals that it is made of (the first ten)."""
    deals = world.crm.deals
    with database.reading() as session:
        answers = [(row.deal_id, row.assessment) for row in session.scalars(select(AssessmentRow))]
        states = Counter(session.scalars(select(WriteBackRow.state)))
    rows = Counter(deal_id for deal_id, _ in answers)
    written = {deal_id for (deal_id, _), times in world.crm.writes.items() if times > 1}
    found = {
        "lost": {one for one in callers.accepted if one not in rows or not _is_written(deals[one], world)},
        "doubled": {one for one, times in rows.items() if times > 1}
        | {one for one, ids in callers.ids.items() if len(ids) > 1}
        | written,
        "mixed_up": callers.wrong
        | {deal_id for deal_id, answer in answers if not deals[deal_id].is_answer(answer)}
        | {one.id for one in deals.values() if _holds_anothers(one, world)},
        "persons_overwritten": {
            one.id for one in deals.values() if one.is_persons and _reason(one, world) != PERSONS_REASON
        },
    }
    return {
        **{name: len(deal_ids) for name, deal_ids in found.items()},
        "examples": {name: sorted(deal_ids)[:10] for name, deal_ids in found.items() if deal_ids},
        "accepted": len(callers.accepted),
        "assessments": len(answers),
        "values_written": world.crm.writes.total(),
        "write_backs": dict(states),
        "answers_by_status": {str(status or "none"): times for status, times in sorted(callers.answers.items())},
    }


def _reason(deal: KnownDeal, world: World) -> object:
    return world.crm.fields[deal.id].get(PRIMARY_REASON)


def _is_written(deal: KnownDeal, world: World) -> bool:
    """Says whether the CRM holds what was accepted; of a deal with a person's reason, what stands beside that."""
    has_rest = world.crm.fields[deal.id].get("lossnlp_winback") == "open"
    return has_rest and (deal.is_persons or _reason(deal, world) == deal.reason)


def _holds_anothers(deal: KnownDeal, world: World) -> bool:
    fields = world.crm.fields[deal.id]
    quoted = fields.get(EVIDENCE)
    is_others_reason = not deal.is_persons and fields.get(PRIMARY_REASON) not in (None, deal.reason)
    return is_others_reason or (quoted is not None and find_mark(str(quoted)) != deal.mark)
