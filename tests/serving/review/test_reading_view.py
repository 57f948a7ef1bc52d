"""How sure a value is, and by whose thresholds."""

from __future__ import annotations

from typing import Any

import pytest

from lossnlp.calibration import Calibration
from serving.review.reading_view import Sureness, find_calibration


def test_thresholds_are_those_of_its_model(assessor: Any) -> None:
    class Sure(type(assessor)):  # type: ignore[misc]
        calibration = Calibration(accept={"primary_reason.price": 0.8})

    assert find_calibration(assessor, "keywords-1") is None
    assert find_calibration(Sure(), "keywords-2") is None
    assert find_calibration(Sure(), "keywords-1") is Sure.calibration


@pytest.mark.parametrize(("threshold", "is_enough"), [(0.8, True), (0.95, False), (None, False)])
def test_value_is_sure_from_its_threshold(threshold: float | None, is_enough: bool) -> None:
    assert Sureness(0.9, threshold, is_known=True).is_enough is is_enough
