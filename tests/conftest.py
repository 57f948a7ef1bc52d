"""What the tests share: the shipped classifier, loaded once."""

from __future__ import annotations

import pytest

from lossnlp.classifier import LossClassifier


@pytest.fixture(scope="session")
def classifier() -> LossClassifier:
    return LossClassifier.load()
