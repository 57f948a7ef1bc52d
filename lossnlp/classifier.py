"""The classifier: a deal in, an assessment out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from pathlib import Path

from lossnlp.assessment import Assessment, Competitor, ElementReading, Flags, ModelInfo, Reason, Review, Winback
from lossnlp.bundle import Bundle, find_default_bundle, read_bundle
from lossnlp.calibration import Calibration, read_calibration
from lossnlp.comeback import find_comeback
from lossnlp.competitors import RivalFinder
from lossnlp.deal import Deal
from lossnlp.decisions import NO_CAUSE, NOT_A_LOSS, Decisions, accepted_values
from lossnlp.encoder import Encoder
from lossnlp.legibility import find_obstacle
from lossnlp.questions import coaching_questions
from lossnlp.quotes import QuoteCutter
from lossnlp.reading import DealReading, read_views
from lossnlp.rivals import find_rivals
from lossnlp.stated import stated_codes
from lossnlp.taxonomy import Taxonomy


class LossClassifier:
    """Reads closed-lost deals; safe to share between threads.

    Args:
        bundle: A checked model bundle.
        rivals: Names of your rivals, beside those that lossnlp knows.
        fiscal_year_starts: Month in which fiscal years start where a text does not say, 1 to 12.
        threads: Processor threads, 0 for the runtime's choice.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        rivals: Iterable[str] = (),
        fiscal_year_starts: int = 1,
        threads: int = 0,
    ) -> None:
        self._bundle = bundle
        self._encoder = Encoder(bundle, threads=threads)
        self._calibration = read_calibration(bundle.path("calibration.json"))
        self._decisions = Decisions(bundle.taxonomy, self._calibration)
        self._rivals = RivalFinder(tuple(rivals))
        self._fiscal_year_starts = fiscal_year_starts

    @classmethod
    def load(cls, path: Path | str | None = None, *, threads: int = 0) -> LossClassifier:
        """Gives a classifier with the model of a bundle folder, the shipped one by default.

        Args:
            path: Bundle folder.
            threads: Processor threads, 0 for the runtime's choice.

        Raises:
            BundleError: The bundle is missing, incomplete or altered.
        """
        return cls(read_bundle(Path(path) if path is not None else find_default_bundle()), threads=threads)

    def with_calibration(self, calibration: Calibration) -> LossClassifier:
        """Gives a classifier with the same network and other thresholds."""
        other = copy(self)
        other._calibration = calibration
        other._decisions = Decisions(self._bundle.taxonomy, calibration)
        return other

    @property
    def model_version(self) -> str:
        """Version of the model bundle."""
        return self._bundle.manifest.version

    @property
    def taxonomy(self) -> Taxonomy:
        """The labels the bundle was trained for."""
        return self._bundle.taxonomy

    @property
    def calibration(self) -> Calibration:
        """The thresholds in use."""
        return self._calibration

    def read(self, deal: Deal) -> DealReading:
        """Gives what the network reads in a deal, before any decision.

        Raises:
            InvalidDealError: Nothing readable stands in its documents.
        """
        return read_views(self._encoder, deal)

    def assess_many(self, deals: Iterable[Deal]) -> Iterator[Assessment]:
        """Gives one assessment for each deal, in order; each is the same as `assess` gives.

        Raises:
            InvalidDealError: A deal without readable text.
        """
        for deal in deals:
            yield self.assess(deal)

    def assess(self, deal: Deal) -> Assessment:
        """Gives the assessment of a deal.

        Raises:
            InvalidDealError: Nothing readable stands in its documents.
        """
        return self.decide(deal, self.read(deal))

    def decide(self, deal: Deal, reading: DealReading) -> Assessment:
        """Gives the assessment of a deal that was read before."""
        quotes = QuoteCutter(reading.read.segments, reading.readings.tokens, self._calibration.evidence)
        reasons = self._decisions.reasons(reading.whole, quotes)
        meddpicc = self._decisions.meddpicc(reading.whole, quotes)
        flags = self._flags(deal, reading, quotes)
        winback = self._winback(deal, reading)
        rivals = self._rivals_of(deal, reading)
        obstacle = find_obstacle(reading.read.segments, len(reading.readings.tokens.segments))
        accepted = () if obstacle else self._accepted(reasons, meddpicc, flags=flags, winback=winback, rivals=rivals)
        return Assessment(
            deal_id=deal.id,
            reasons=reasons,
            meddpicc=meddpicc,
            attribution=self._decisions.attribution(reading.note),
            flags=flags,
            winback=winback,
            competitors=rivals,
            speakers=reading.read.speakers,
            review=_review(reasons, flags, accepted=accepted, obstacle=obstacle),
            questions=coaching_questions(
                self.taxonomy,
                meddpicc,
                reasons,
                stage=deal.stage,
                is_insufficient=bool(flags.insufficient_detail.value),
            ),
            accepted=accepted,
            model=ModelInfo(version=self.model_version, taxonomy_version=self.taxonomy.version),
        )

    def _flags(self, deal: Deal, reading: DealReading, quotes: QuoteCutter) -> Flags:
        stated = stated_codes(deal.stated_reason, self.taxonomy)
        return Flags(
            external_only=self._decisions.external_only(reading.note, quotes),
            insufficient_detail=self._decisions.insufficient_detail(reading.note),
            rep_buyer_conflict=self._decisions.conflict(reading.note, reading.buyer, quotes),
            stated_reason_conflict=self._decisions.stated_reason_conflict(reading.whole, stated),
        )

    def _winback(self, deal: Deal, reading: DealReading) -> Winback:
        winback = self._decisions.winback(reading.whole)
        found = find_comeback(
            reading.read.segments,
            reading.readings.tokens,
            closed_on=deal.closed_at,
            fiscal_year_starts=self._fiscal_year_starts,
            cut=self._calibration.cut("revisit"),
        )
        if found is None:
            return winback
        moment = {"revisit_text": found.quote.text, "revisit_on": found.revisit_on, "evidence": (found.quote,)}
        return winback.model_copy(update=moment)

    def _rivals_of(self, deal: Deal, reading: DealReading) -> tuple[Competitor, ...]:
        return find_rivals(
            deal,
            reading.read.segments,
            reading.readings.tokens,
            speakers=reading.read.speakers,
            finder=self._rivals,
            cut=self._calibration.cut("rival"),
        )

    def _accepted(
        self,
        reasons: tuple[Reason, ...],
        meddpicc: Mapping[str, ElementReading],
        *,
        flags: Flags,
        winback: Winback,
        rivals: tuple[Competitor, ...],
    ) -> tuple[str, ...]:
        named = {name: getattr(flags, name) for name in Flags.model_fields}
        names = accepted_values(self._calibration, reasons=reasons, meddpicc=meddpicc, flags=named, winback=winback)
        winners = [rival for rival in rivals if rival.role != "mentioned"]
        sure = [self._calibration.accepts("competitor", rival.confidence) for rival in winners]
        return (*names, "competitor") if winners and all(sure) else names


def _review(reasons: tuple[Reason, ...], flags: Flags, *, accepted: tuple[str, ...], obstacle: str | None) -> Review:
    """Gives whether a person should look, and why; a text that cannot be trusted to be understood always waits."""
    because = [obstacle] if obstacle else []
    if reasons[0].code == NO_CAUSE:
        because.append("no_cause_found")
    elif "primary_reason" not in accepted:
        because.append("primary_reason_uncertain")
    if reasons[0].code != NOT_A_LOSS:
        raised = {
            "rep_buyer_conflict": flags.rep_buyer_conflict,
            "stated_reason_conflict": flags.stated_reason_conflict,
        }
        because += [name for name, flag in raised.items() if flag.value]
    return Review(required=bool(because), because=tuple(because))
