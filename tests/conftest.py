"""What the tests share: the shipped classifier, loaded once, and who runs which where several processes share the work."""

from __future__ import annotations

import pytest

from lossnlp.classifier import LossClassifier


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps each file in one process, for its fixtures, and all tests of real CRMs in one, for their servers."""
    for item in items:
        group = "crm" if item.get_closest_marker("crm") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def classifier() -> LossClassifier:
    return LossClassifier.load()
