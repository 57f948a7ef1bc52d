"""Whatever is offered: only sure values are accepted, and what a person has set stays."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from lossnlp.assessment import Competitor, ElementReading, Flag, Flags, Reason, Winback
from lossnlp.calibration import Calibration
from lossnlp.decisions import OBSTACLES, Findings, accepted_values, review_of
from lossnlp.taxonomy import get_default_taxonomy
from serving.crm.protocol import Fields, FieldValue
from serving.crm.rules import SPEAKS_OF, WriteRules
from serving.writeback import Decision, decide, decide_undo

_TAXONOMY = get_default_taxonomy()
_FIELDS = (*SPEAKS_OF, "lossnlp_primary_reason", "lossnlp_contributing_reasons", "lossnlp_winback", "lossnlp_rival")

shares = st.floats(0, 1)
values: st.SearchStrategy[FieldValue] = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(["", "price", "budget", " price", "price;budget", "budget;price", "2026-11-20T12:00:00+00:00"]),
    st.sampled_from([0, 1, 0.5, 0.5000000001]),
)
fields = st.dictionaries(st.sampled_from(_FIELDS), values)
offered = st.dictionaries(st.sampled_from(_FIELDS), values.filter(lambda value: value not in (None, "")))
ours = st.dictionaries(st.sampled_from(_FIELDS), st.lists(values, max_size=3))
policies = st.sampled_from(["if_empty", "if_ours", "never"])
rules = st.builds(
    WriteRules, policies=st.dictionaries(st.sampled_from(_FIELDS), policies, max_size=3), default=policies
)
flags = st.builds(lambda value, sure: Flag(value=value, confidence=sure), st.sampled_from([True, False, None]), shares)


@st.composite
def findings(draw: st.DrawFn) -> Findings:
    codes = draw(st.lists(st.sampled_from(_TAXONOMY.codes), min_size=1, max_size=4, unique=True))
    known = [_TAXONOMY.get_reason(code) for code in codes]
    reasons = [
        Reason(code=one.code, label=one.label, group=one.group, primary=not place, confidence=draw(shares))
        for place, one in enumerate(known)
    ]
    states = st.builds(ElementReading, state=st.sampled_from(["gap", "covered", "not_mentioned"]), confidence=shares)
    rivals = st.builds(
        lambda role, sure: Competitor(document_id="d", start=0, end=1, text="X", name="X", role=role, confidence=sure),
        st.sampled_from(["won", "incumbent", "mentioned"]),
        shares,
    )
    return Findings(
        reasons=tuple(reasons),
        meddpicc={code: draw(states) for code in _TAXONOMY.element_codes},
        flags=Flags(**{name: draw(flags) for name in Flags.model_fields}),
        winback=Winback(state=draw(st.sampled_from(["open", "closed", "unclear"])), confidence=draw(shares)),
        competitors=tuple(draw(st.lists(rivals, max_size=2))),
    )


def _calibration(threshold: float | None) -> Calibration:
    """Gives one that asks the same of every value."""
    primary = [f"primary_reason.{code}" for code in _TAXONOMY.codes]
    elements = [
        f"meddpicc.{state}.{c}" for c in _TAXONOMY.element_codes for state in ("gap", "covered", "not_mentioned")
    ]
    rest = [f"{name}.{word}" for name in Flags.model_fields for word in ("yes", "no")]
    keys = [*primary, *(f"reasons.{code}" for code in _TAXONOMY.codes), *elements, *rest, "competitor", "winback.open"]
    return Calibration(accept=dict.fromkeys(keys, threshold))


def _accepted(found: Findings, threshold: float | None, obstacle: str | None = None) -> set[str]:
    calibration = _calibration(threshold)
    return set(accepted_values(found, calibration, review_of(found, calibration, obstacle=obstacle)))


@given(findings(), shares, shares)
def test_stricter_thresholds_accept_no_more(found: Findings, one: float, other: float) -> None:
    assert _accepted(found, max(one, other)) <= _accepted(found, min(one, other))


@given(findings(), shares)
def test_unsure_primary_reason_waits(found: Findings, threshold: float) -> None:
    if found.reasons[0].confidence < threshold:
        accepted = _accepted(found, threshold)
        assert not [name for name in accepted if name == "primary_reason" or name.startswith("reasons.")]


@given(findings())
def test_unmeasured_values_wait(found: Findings) -> None:
    assert _accepted(found, None) == set()


@given(findings(), shares, st.sampled_from(sorted(OBSTACLES)))
def test_obstacle_makes_everything_wait(found: Findings, threshold: float, obstacle: str) -> None:
    assert _accepted(found, threshold, obstacle) == set()


def _filled(stands: Fields) -> Fields:
    return {name: value for name, value in stands.items() if value not in (None, "")}


def _after(current: Fields, decision: Decision) -> Fields:
    return {**current, **decision.write}


@given(offered, fields, ours, rules)
def test_what_a_person_has_set_is_never_written(
    planned: Fields, current: Fields, left: dict[str, list[FieldValue]], known: WriteRules
) -> None:
    for asked in (known, known.for_verdict()):
        for name in decide(planned, current=current, ours=left, rules=asked).write:
            stands = None if current.get(name) == "" else current.get(name)
            assert stands is None or any(asked.is_same(name, stands, one) for one in left.get(name, []))
            assert asked.policy(name) != "never"


@given(offered, fields, ours, rules)
def test_only_empty_fields_are_written_where_the_policy_says_so(
    planned: Fields, current: Fields, left: dict[str, list[FieldValue]], known: WriteRules
) -> None:
    written = decide(planned, current=current, ours=left, rules=known).write
    assert all(current.get(name) in (None, "") for name in written if known.policy(name) == "if_empty")


@given(offered, fields, ours, rules)
def test_second_time_nothing_is_written(
    planned: Fields, current: Fields, left: dict[str, list[FieldValue]], known: WriteRules
) -> None:
    first = decide(planned, current=current, ours=left, rules=known)
    grown = {name: [*left.get(name, []), *([first.write[name]] if name in first.write else [])] for name in _FIELDS}
    second = decide(planned, current=_after(current, first), ours=grown, rules=known)
    assert second.write == {}


@given(offered, fields, ours, rules)
def test_kept_values_are_those_that_stand(
    planned: Fields, current: Fields, left: dict[str, list[FieldValue]], known: WriteRules
) -> None:
    decision = decide(planned, current=current, ours=left, rules=known)
    assert not decision.kept.keys() & decision.write.keys()
    assert all(value == current[name] for name, value in decision.kept.items())


@given(fields, fields, fields, rules)
def test_taking_back_leaves_what_a_person_changed(
    after: Fields, before: Fields, current: Fields, known: WriteRules
) -> None:
    for name in decide_undo(after, before=before, current=current, rules=known).write:
        stands = None if current.get(name) == "" else current.get(name)
        assert known.is_same(name, stands, after[name]) or (after[name] is False and stands is None)


@given(offered, fields, ours)
def test_what_was_written_can_be_taken_back(
    planned: Fields, current: Fields, left: dict[str, list[FieldValue]]
) -> None:
    decision = decide(planned, current=current, ours=left, rules=replace(WriteRules(), default="if_ours"))
    back = decide_undo(decision.write, before=decision.before, current=_after(current, decision))
    assert _filled(_after(_after(current, decision), back)) == _filled(current)
