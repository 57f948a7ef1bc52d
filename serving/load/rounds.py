"""A round: deals that a model reads in one call. The only place that knows how a classifier takes many."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from serving.logs import describe_error
from serving.settings import Settings

if TYPE_CHECKING:
    from serving.intake import Assessor

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RoundLimits:
    """How large a round may be, and how long one waits to become so.

    Args:
        deals: Most deals.
        chars: Most characters of text; a single deal may be longer.
        window_s: How long the first deal waits for others to come, in seconds; 0 takes what is there.
        at_once: Rounds that are read side by side: while one is computed, texts of the other are prepared.
    """

    deals: int = 16
    chars: int = 65_536
    window_s: float = 0.002
    at_once: int = 2


def round_limits(settings: Settings) -> RoundLimits:
    """Gives how deals are classified together, as the installation has set it."""
    return RoundLimits(
        deals=settings.round_deals,
        chars=settings.round_chars,
        window_s=settings.round_window_ms / 1000,
        at_once=settings.rounds_at_once,
    )


def reads_many(assessor: Assessor) -> bool:
    """Says whether an assessor takes many deals in one call."""
    return hasattr(assessor, "assess_many")


def read_round(assessor: Assessor, deals: Sequence[Deal]) -> Iterator[Assessment | Exception]:
    """Gives for each deal, in order, its assessment or what it failed of; a deal that fails touches no other.

    Where the call for many fails, what it has not answered is read again by halves, down to the deal alone.

    Args:
        assessor: Of many deals it is asked `assess_many(deals)`, which gives one assessment a deal, in order, at once or one by one.
        deals: At least one.
    """
    many: Callable[[Sequence[Deal]], Iterable[Assessment]] | None = getattr(assessor, "assess_many", None)
    if many is None or len(deals) == 1:
        yield from (_read_alone(assessor, deal) for deal in deals)
        return
    done = 0
    for assessment in _until_fault(many, deals):
        done += 1
        yield assessment
    if rest := deals[done:]:
        middle = (len(rest) + 1) // 2
        for half in filter(None, (rest[:middle], rest[middle:])):
            yield from read_round(assessor, half)


def _until_fault(many: Callable[[Sequence[Deal]], Iterable[Assessment]], deals: Sequence[Deal]) -> Iterator[Assessment]:
    """Gives the answers of the call for many as far as it comes."""
    try:
        for deal, assessment in zip(deals, many(deals), strict=False):
            if assessment.deal_id != deal.id:  # no answer of this call can be trusted to be the deal's it stands for
                _log.error("round_out_of_order", deals=len(deals))
                return
            yield assessment
    except Exception as error:  # noqa: BLE001 (whatever one deal causes, the others get their answers)
        _log.info("round_split", deals=len(deals), **describe_error(error))


def _read_alone(assessor: Assessor, deal: Deal) -> Assessment | Exception:
    try:
        return assessor.assess(deal)
    except Exception as error:  # noqa: BLE001 (it is raised again where the deal came from)
        return error
