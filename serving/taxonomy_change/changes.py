"""Changes of the list: read from a file with the list that they make, looked up, and held against those before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from lossnlp.taxonomy import Taxonomy
from lossnlp.taxonomy_change import Walk, changed_taxonomy, read_change, walk_of
from serving.errors import ConfigurationError
from serving.tables import LossReasonRow, LossRow, TaxonomyChangeRow


@dataclass(frozen=True, slots=True)
class NewList:
    """The list that a change makes, as it was checked.

    Args:
        before: The list before.
        taxonomy: The list after.
        walk: The way of each old code that a step names.
    """

    before: Taxonomy
    taxonomy: Taxonomy
    walk: Walk

    @property
    def from_version(self) -> str:
        """Version of the list before."""
        return self.before.version


def read_new_list(file: Path, before: Taxonomy) -> NewList:
    """Gives the list that a change file makes.

    Args:
        file: The change file.
        before: The list that it changes.

    Raises:
        TaxonomyError: The file cannot be read, or does not fit the list.
    """
    change = read_change(file, before)
    return NewList(before, changed_taxonomy(before, change), walk_of(change))


def find_changes(session: Session, *, only_holding: bool = False) -> list[TaxonomyChangeRow]:
    """Gives the changes, oldest first.

    Args:
        session: An open session.
        only_holding: Whether those that were undone are left out.
    """
    query = select(TaxonomyChangeRow).order_by(TaxonomyChangeRow.place)
    return list(session.scalars(query.where(TaxonomyChangeRow.undone_at.is_(None)) if only_holding else query))


def find_holding(session: Session, new: NewList) -> TaxonomyChangeRow | None:
    """Gives the last change where it is this one and holds."""
    walk = {code: list(heirs) for code, heirs in new.walk.items()}
    wanted = (new.from_version, new.taxonomy.version, walk)
    holding = find_changes(session, only_holding=True)[-1:]
    return next((row for row in holding if (row.from_version, row.to_version, row.walk) == wanted), None)


def require_next(session: Session, new: NewList) -> None:
    """Passes for a change that follows those that hold.

    Raises:
        ConfigurationError: It begins from another list than the last one made, or makes one that was there before.
    """
    holding = find_changes(session, only_holding=True)
    if holding and holding[-1].to_version != new.from_version:
        raise ConfigurationError(
            f"Since the last change the deals are in version '{holding[-1].to_version}' of the list, and this one changes "
            f"version '{new.from_version}'; write it from '{holding[-1].to_version}'.",
            field="from",
        )
    if new.taxonomy.version in {row.from_version for row in holding}:
        raise ConfigurationError(
            f"Version '{new.taxonomy.version}' was there before; give the new list another.", field="to"
        )


def find_touched(session: Session, codes: Iterable[str]) -> list[str]:
    """Gives the deals that have one of these reasons, or that the model read as one, in the order of their ids."""
    codes = list(codes)
    has = select(LossReasonRow.deal_id).where(LossReasonRow.code.in_(codes))
    query = select(LossRow.deal_id).where(or_(LossRow.deal_id.in_(has), LossRow.read_reason.in_(codes)))
    return list(session.scalars(query.order_by(LossRow.deal_id)))
