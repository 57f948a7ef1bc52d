"""The sections of a loss review that quote: what the product lacked, and what buyers object in their own words."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice

from sqlalchemy import case, exists

from lossnlp.assessment import Reason
from lossnlp.english import stop_words
from lossnlp.label_words import get_label_words
from lossnlp.questions import coaching_questions
from lossnlp.taxonomy import NO_CAUSE, NOT_A_LOSS
from serving.rendering import percent
from serving.reports.cuts import LEAST_MINIMUM
from serving.reports.dimensions import DIMENSIONS
from serving.reports.intervals import Tally, share_of
from serving.reports.pack_reasons import money_columns
from serving.reports.pack_section import Section
from serving.reports.pack_words import Chorus, Passage, Told, Voice, quotes_of, read_with_reason
from serving.reports.report import Report
from serving.reports.shares import in_one_currency, read_applying, read_tallies
from serving.reports.sheets import Cell, Column, Row, Sheet
from serving.tables import LossReasonRow, LossRow

GAP = "product_gap"
_READ_FOR_WORDS, _READ_FOR_VOICES = 300, 40
_MOST_GAPS, _MOST_WORDS, _MOST_OBJECTIONS, _MOST_VOICES = 12, 12, 5, 3
_NOT_ASKED = (NO_CAUSE, NOT_A_LOSS, GAP)  # no objection, or on the page of the product
_WORD = re.compile(r"[^\W\d_][\w'\u2019-]+")
_FEWEST_LETTERS = 4
_NOTHING = Tally()


def product_section(report: Report) -> Section:
    """Gives what the product lacked: by product, by the words that several deals share, and quoted by money."""
    told = read_with_reason(report, GAP, most=_READ_FOR_WORDS)
    applying, deals = read_applying(report.session, report.scope).get(GAP, 0), report.losses.whole.deals
    share = share_of(applying, deals)
    point = f"A gap in the product plays a part in {applying:,} of {deals:,} deals ({percent(share.value)})."
    quoted = [(one, passages) for one in told if (passages := one.passages(quotes_of(one.reading, GAP)))]
    voices = tuple(Voice(one.deal, passages[:1], one) for one, passages in quoted[:_MOST_GAPS])
    chorus = Chorus("Quotes, the largest deals first", voices)
    sheets = (_products_sheet(report), _words_sheet(report, quoted))
    return Section("product", "Product", (point,), sheets=sheets, choruses=(chorus,) if voices else ())


def _products_sheet(report: Report) -> Sheet:
    """Gives the deals and the money of gaps by product."""
    is_gap = case((exists().where(LossReasonRow.deal_id == LossRow.deal_id, LossReasonRow.code == GAP), 1), else_=0)
    axes = (DIMENSIONS["product"].column(), is_gap, LossRow.currency)
    cells = in_one_currency(read_tallies(report.session, report.scope.where, *axes), report.scope.currency)
    products: dict[str, tuple[Tally, Tally]] = defaultdict(lambda: (_NOTHING, _NOTHING))
    for (product, gap), tally in cells.items():
        with_gap, every = products[product]
        products[product] = (with_gap + tally if gap else with_gap, every + tally)
    columns = (
        Column("product", "Product"),
        Column("every", "All deals", "deals"),
        *money_columns(report, "Share with a gap"),
    )
    order = sorted(products.items(), key=lambda item: (-item[1][0].amount, -item[1][0].deals, item[0]))
    return Sheet(
        "gaps-by-product", "Deals in which a product gap plays a part", columns, tuple(_product_rows(report, order))
    )


def _product_rows(report: Report, products: Sequence[tuple[str, tuple[Tally, Tally]]]) -> Iterator[Row]:
    for product, (gap, every) in products:
        cells: tuple[Cell, ...] = (report.too_few,) * 5
        if report.scope.is_enough(every.deals):
            cells = (every.deals, gap.deals, report.share(gap.deals, every.deals), *report.money(gap, every))
        yield Row((product, *cells))


def _words_sheet(report: Report, quoted: Sequence[tuple[Told, Sequence[Passage]]]) -> Sheet:
    """Gives the words that the quotes of several deals share, with the money of those deals."""
    deals: dict[str, set[int]] = defaultdict(set)
    for number, (_, passages) in enumerate(quoted):
        for word in {word for passage in passages for word in _terms(passage.text)}:
            deals[word].add(number)
    amounts = {number: _amount(report, told) for number, (told, _) in enumerate(quoted)}
    shared = {word: found for word, found in deals.items() if len(found) >= LEAST_MINIMUM}
    kept = {word: found for word, found in shared.items() if not _is_in_pair(word, found, shared)}
    order = sorted(kept.items(), key=lambda item: (-sum(amounts[number] for number in item[1]), item[0]))
    currency = report.scope.currency
    columns = (
        Column("word", "Word"),
        Column("deals", "Deals", "deals"),
        Column("money", f"Money, {currency}" if currency else "Money", "money"),
    )
    rows = []
    for word, found in order[:_MOST_WORDS]:
        amount = sum(amounts[one] for one in found)
        rows.append(Row((word, len(found), amount if report.scope.is_enough(len(found)) else report.too_few)))
    note = (
        f"Words and pairs of words that the quotes of {LEAST_MINIMUM} deals or more share, among the {len(quoted):,} largest deals "
        "with a quoted gap; a deal may stand in several lines. They are counted, not understood: read the quotes."
    )
    return Sheet("gap-words", "Words that these quotes share", columns, tuple(rows), (note,))


def _terms(text: str) -> Iterator[str]:
    """Gives the telling words of a quote, and pairs of them that stand side by side."""
    before = None
    for found in _WORD.finditer(text):
        word = found[0].casefold()
        is_place = text[found.start() - 1 : found.start()] == "[" or text[found.end() : found.end() + 1] == "]"
        is_telling = len(word) >= _FEWEST_LETTERS and word not in _common_words() and not is_place
        if is_telling:
            yield word
        if is_telling and before is not None and text[before[1] : found.start()] == " ":
            yield f"{before[0]} {word}"
        before = (word, found.end()) if is_telling else None


@cache
def _common_words() -> frozenset[str]:
    return get_label_words().function_words | stop_words()


def _is_in_pair(word: str, found: set[int], shared: Mapping[str, set[int]]) -> bool:
    """Says whether a pair tells the same deals and more than a word alone."""
    return any(
        word in pair.split() and pair != word and others == found for pair, others in shared.items() if " " in pair
    )


def _amount(report: Report, told: Told) -> float:
    loss = told.loss
    return loss.amount if loss.amount is not None and loss.currency == report.scope.currency else 0.0


def enablement_section(report: Report) -> Section:
    """Gives the most frequent objections with what buyers say of them, and what to ask next time."""
    applying, whole = read_applying(report.session, report.scope), report.losses.whole.deals
    codes = sorted(applying.keys() - {*_NOT_ASKED}, key=lambda code: (-applying[code], code))
    spoken = (chorus for code in codes if (chorus := _objection(report, code)).voices)
    rows = tuple(
        Row((report.label(code), applying[code], report.share(applying[code], whole)))
        for code in codes[:_MOST_OBJECTIONS]
    )
    columns = (
        Column("reason", "Objection"),
        Column("deals", "Deals", "deals"),
        Column("share", "Share of deals", "share"),
    )
    sheet = Sheet("objections", "Objections that play a part most often", columns, rows)
    point = (
        "What buyers object, in their own words. Quotes come from calls, mails and interviews, never from our notes."
    )
    return Section(
        "enablement", "Enablement", (point,), sheets=(sheet,), choruses=tuple(islice(spoken, _MOST_OBJECTIONS))
    )


def _objection(report: Report, code: str) -> Chorus:
    """Gives what buyers say of one reason."""
    voices = []
    for told in read_with_reason(report, code, most=_READ_FOR_VOICES):
        quotes = [quote for quote in quotes_of(told.reading, code) if quote.role == "buyer"]
        if quotes and (passages := told.passages(quotes)):
            voices.append(Voice(told.deal, passages[:1], told))
        if len(voices) == _MOST_VOICES:
            break
    reason = Reason(code=code, label=report.label(code), group="", primary=True, confidence=1.0)
    asked = coaching_questions(report.taxonomy, {}, (reason,), most=1)
    return Chorus(report.label(code), tuple(voices), asked[0] if asked else "")
