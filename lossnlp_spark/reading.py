"""What runs in a Python worker of Spark: one classifier for as long as the worker lives, and an outcome for each request."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from functools import cache

import pyarrow as pa
from pyspark import TaskContext

from lossnlp.classifier import LossClassifier
from lossnlp.errors import BundleError
from lossnlp.lines import answer_lines
from lossnlp_spark.columns import OUTCOMES, assessment_values, error_values


def read_batches(
    batches: Iterable[pa.RecordBatch], *, bundle: str | None, model_version: str
) -> Iterator[pa.RecordBatch]:
    """Gives the outcomes of a partition, batch by batch.

    Args:
        batches: Of one column `request`, encoded JSON.
        bundle: Bundle folder on this node, None for the shipped one.
        model_version: What the driver's bundle says it is.

    Raises:
        BundleError: This node has no bundle there, or another one than the driver.
    """
    classifier = _classifier(bundle)
    if classifier.model_version != model_version:
        raise BundleError(
            f"This node's bundle is {classifier.model_version} and the driver's {model_version}; give both the same."
        )
    task = TaskContext.get()
    partition = task.partitionId() if task else 0
    for batch in batches:
        requests = batch.column("request").to_pylist()
        outcomes = [_outcome(request or b"", classifier) | {"partition": partition} for request in requests]
        yield pa.RecordBatch.from_pylist(outcomes, schema=OUTCOMES)


@cache
def _classifier(bundle: str | None) -> LossClassifier:
    # Spark runs a worker for each core, so one thread each.
    return LossClassifier.load(bundle, threads=1)


def _outcome(request: bytes, classifier: LossClassifier) -> dict[str, object]:
    started = time.perf_counter()
    # An empty row is refused as one that is no request, where an empty line of a file would be passed over
    [answer] = answer_lines([request if request.strip() else b"null"], classifier)
    values = assessment_values(answer.body) if answer.is_good else error_values(answer.body, request)
    return values | {"seconds": time.perf_counter() - started}
