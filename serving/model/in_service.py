"""The assessor that holds the model in service, and is given another one without anybody noticing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lossnlp.assessment import Assessment
from lossnlp.deal import Deal
from lossnlp.taxonomy import Taxonomy

if TYPE_CHECKING:
    from serving.intake import Assessor


class ModelInService:
    """An assessor that passes everything on to the one in service; who needs the same one for longer takes `current`.

    Args:
        first: The assessor to begin with.
    """

    def __init__(self, first: Assessor) -> None:
        self._current = first

    @property
    def current(self) -> Assessor:
        """The assessor in service at this moment. It lives for as long as somebody holds it."""
        return self._current

    def replace(self, following: Assessor) -> None:
        """Puts another assessor in service; work that has begun ends on the one before."""
        self._current = following

    @property
    def model_version(self) -> str:
        """The version of the model in service."""
        return self._current.model_version

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels that the model in service knows."""
        return self._current.taxonomy

    def assess(self, deal: Deal, /) -> Assessment:
        """Gives the assessment of one deal by the model in service."""
        return self._current.assess(deal)


def held(assessor: Assessor) -> Assessor:
    """Gives an assessor that stays the same: of a model in service the one of this moment, any other as it is."""
    return assessor.current if isinstance(assessor, ModelInService) else assessor
