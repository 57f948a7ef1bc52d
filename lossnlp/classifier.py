"""The classifier: a deal in, an assessment out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path

import numpy as np

from lossnlp.assessment import Assessment, Competitor, Flags, ModelInfo, Winback
from lossnlp.bundle import Bundle, find_default_bundle, read_bundle
from lossnlp.calibration import Calibration, read_calibration
from lossnlp.comeback import find_comeback
from lossnlp.deal import Deal
from lossnlp.decisions import Decisions, Findings, accepted_values, review_of
from lossnlp.encoder import Encoder
from lossnlp.legibility import find_obstacle
from lossnlp.many import read_many
from lossnlp.pointer import find_bundle_folder
from lossnlp.questions import coaching_questions
from lossnlp.quotes import QuoteCutter
from lossnlp.reading import DealReading, read_views
from lossnlp.rivals import RivalRules, find_rivals
from lossnlp.segments import prepare_splitter
from lossnlp.signing import trusted_keys
from lossnlp.stated import stated_codes
from lossnlp.taxonomy import Taxonomy


class LossClassifier:
    """Reads closed-lost deals; safe to share between threads.

    Args:
        bundle: A checked model bundle.
        rivals: Names of your rivals, beside those that lossnlp knows; they count wherever they stand.
        own_names: Names of your company and products, which are never rivals.
        fiscal_year_starts: Month in which fiscal years start where a text does not say, 1 to 12.
        threads: Processor threads, 0 for the runtime's choice.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        rivals: Iterable[str] = (),
        own_names: Iterable[str] = (),
        fiscal_year_starts: int = 1,
        threads: int = 0,
    ) -> None:
        self._bundle = bundle
        self._rivals = RivalRules(configured=tuple(rivals), own_names=tuple(own_names))
        with ThreadPoolExecutor(1) as beside:  # the weights load outside the interpreter's lock, the words within it
            words = beside.submit(self._prepare_words)
            self._encoder = Encoder(bundle, threads=threads)
            words.result()
        self._calibration = read_calibration(bundle.path("calibration.json"))
        self._decisions = Decisions(bundle.taxonomy, self._calibration)
        self._fiscal_year_starts = fiscal_year_starts

    @classmethod
    def load(
        cls,
        path: Path | str | None = None,
        *,
        rivals: Iterable[str] = (),
        own_names: Iterable[str] = (),
        fiscal_year_starts: int = 1,
        threads: int = 0,
    ) -> LossClassifier:
        """Gives a classifier with the model of a bundle folder, the shipped one by default.

        Where the environment has LOSSNLP_BUNDLE_KEY, the bundle must be signed by that key.

        Args:
            path: Bundle folder, or a folder of bundles whose pointer `champion.json` names one.
            rivals: See the class.
            own_names: See the class.
            fiscal_year_starts: See the class.
            threads: See the class.

        Raises:
            BundleError: The bundle is missing, incomplete, altered, or not signed where it must be.
        """
        folder = find_bundle_folder(Path(path)) if path is not None else find_default_bundle()
        bundle = read_bundle(folder, keys=trusted_keys())
        return cls(bundle, rivals=rivals, own_names=own_names, fiscal_year_starts=fiscal_year_starts, threads=threads)

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

        Deals are taken some hundred short notes ahead of the answers, however many there are: see `lossnlp.many`.

        Raises:
            InvalidDealError: A deal without readable text; those before it have their answers.
        """
        for deal, reading in read_many(self._encoder, deals):
            yield self.decide(deal, reading)

    def assess(self, deal: Deal) -> Assessment:
        """Gives the assessment of a deal.

        Raises:
            InvalidDealError: Nothing readable stands in its documents.
        """
        return self.decide(deal, self.read(deal))

    def decide(self, deal: Deal, reading: DealReading) -> Assessment:
        """Gives the assessment of a deal that was read before."""
        findings = self._findings(deal, reading)
        segments = reading.read.segments
        pieces = np.bincount(reading.readings.tokens.segments, minlength=len(segments))
        review = review_of(findings, self._calibration, obstacle=find_obstacle(segments, pieces))
        questions = coaching_questions(
            self.taxonomy,
            findings.meddpicc,
            findings.reasons,
            stage=deal.stage,
            is_insufficient=bool(findings.flags.insufficient_detail.value),
        )
        return Assessment(
            deal_id=deal.id,
            reasons=findings.reasons,
            meddpicc=dict(findings.meddpicc),
            attribution=self._decisions.attribution(reading.note),
            flags=findings.flags,
            winback=findings.winback,
            competitors=findings.competitors,
            speakers=reading.read.speakers,
            review=review,
            questions=questions,
            accepted=accepted_values(findings, self._calibration, review),
            model=ModelInfo(version=self.model_version, taxonomy_version=self.taxonomy.version),
        )

    def _prepare_words(self) -> None:
        prepare_splitter()
        self._rivals.prepare()

    def _findings(self, deal: Deal, reading: DealReading) -> Findings:
        quotes = QuoteCutter(reading.read.segments, reading.readings.tokens, self._calibration.evidence)
        return Findings(
            reasons=self._decisions.reasons(reading.whole, quotes),
            meddpicc=self._decisions.meddpicc(reading.whole, quotes),
            flags=self._flags(deal, reading, quotes),
            winback=self._winback(deal, reading),
            competitors=self._rivals_of(deal, reading),
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
        moment = {
            "revisit_text": found.quote.text,
            "revisit_on": found.revisit_on,
            "revisit_confidence": found.probability,
            "evidence": (found.quote,),
        }
        return winback.model_copy(update=moment)

    def _rivals_of(self, deal: Deal, reading: DealReading) -> tuple[Competitor, ...]:
        return find_rivals(
            deal,
            reading.read,
            reading.readings.tokens,
            rules=self._rivals,
            cut=self._calibration.cut("rival"),
        )
