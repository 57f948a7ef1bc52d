"""The short list as files: what maps our reasons to it in write-backs, and its values for the picklists of CRMs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from lossnlp.taxonomy import Taxonomy
from serving.crm.fields import CrmWords, FieldMap
from serving.crm.hubspot_definitions import hubspot_files
from serving.crm.protocol import FieldSpec
from serving.crm.salesforce_metadata import field_files, salesforce_words
from serving.reports.report import Report
from serving.reports.sheets import Column, Row, Sheet, csv_of
from serving.reports.top_five import TopFive
from serving.reports.top_five_sheets import entries_sheet, lost_sheet, overlaps_sheet

CROSSWALK = "crosswalk.yaml"
FIELDS = ("lossnlp_primary_reason", "lossnlp_contributing_reasons")
_HEAD = """\
# Our loss reasons as the entries of a short list: LOSSNLP_CRM_WORDS names this file where write-backs are to use them.
# `lossnlp-serve crm setup --plan` then shows what the CRM lacks, and changes nothing. Deals already written keep their values.
# Proposed from {deals} deals lost {since} to {until}; {covered} of them have a primary reason under one of the entries.
"""


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """The way from our reasons to the entries of a list.

    Args:
        taxonomy: Our reasons.
        top: The list.
        words: What the company calls our fields and values by now; all but the reasons stays as it is.
        crm: The connected CRM, whose names of fields these are; None where none is.
    """

    taxonomy: Taxonomy
    top: TopFive
    words: CrmWords
    crm: str | None = None

    @property
    def mapped(self) -> CrmWords:
        """The words of the company with the entries as values of the reasons."""
        return _with_entries(self.words, self.top.labels)

    def specs(self, crm: str) -> tuple[FieldSpec, ...]:
        """Gives the fields of a CRM that hold reasons, the entries their choices; none where the company leaves them out."""
        words = self.mapped if crm == self.crm else _with_entries(_first_words(crm, self.taxonomy), self.top.labels)
        fields = FieldMap(self.taxonomy, words)
        return tuple(spec for spec in fields.specs() if fields.our_name(spec.name) in FIELDS)


def _with_entries(words: CrmWords, labels: Mapping[str, str]) -> CrmWords:
    return words.model_copy(update={"values": {**words.values, **{field: dict(labels) for field in FIELDS}}})


def _first_words(crm: str, taxonomy: Taxonomy) -> CrmWords:
    return salesforce_words(taxonomy) if crm == "salesforce" else CrmWords()


def crosswalk_files(report: Report, crosswalk: Crosswalk) -> dict[str, str]:
    """Gives path and text of each file: the crosswalk, the picklists of each CRM, and the figures that speak for the list.

    Args:
        report: What the list was made from.
        crosswalk: The list.

    Raises:
        ConfigurationError: A label is longer than Salesforce takes.
    """
    top = crosswalk.top
    hubspot, salesforce = hubspot_files(crosswalk.specs("hubspot")), field_files(crosswalk.specs("salesforce"))
    sheets = (entries_sheet(report, top), lost_sheet(report, top), overlaps_sheet(top))
    return {
        CROSSWALK: _head(report, top) + words_text(crosswalk.mapped),
        "picklists.csv": csv_of(_picklists(crosswalk.specs(crosswalk.crm or ""), top)),
        **{f"hubspot/{path}": text for path, text in hubspot.items()},
        **{f"salesforce/{path}": text for path, text in salesforce.items()},
        **{f"{sheet.name}.csv": csv_of(sheet) for sheet in sheets},
    }


def words_text(words: CrmWords) -> str:
    """Gives words as the YAML that `read_words` reads again; what is as it is without a file is left out."""
    held: dict[str, Any] = words.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(held, sort_keys=False, allow_unicode=True, width=120)


def _head(report: Report, top: TopFive) -> str:
    cut = report.scope.cut
    return _HEAD.format(deals=report.scope.deals, since=cut.since, until=cut.until, covered=top.covered.deals)


def _picklists(specs: Sequence[FieldSpec], top: TopFive) -> Sheet:
    """Gives the values of each field, for a CRM whose picklists a person fills in."""
    definitions = {entry.label: (entry.definition, ", ".join(entry.codes)) for entry in top.all}
    names = ("field", "field_label", "value", "label", "definition", "codes")
    rows = tuple(
        Row((spec.name, spec.label, choice.value, choice.label, *definitions[choice.value]))
        for spec in specs
        for choice in spec.choices
    )
    return Sheet("picklists", "Picklist values", tuple(Column(name, name) for name in names), rows)
