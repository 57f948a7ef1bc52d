"""The MLflow model: a table of rep notes in, a table of assessments out. Logged as code, so that nothing is pickled."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import mlflow
import pandas as pd

from lossnlp.classifier import LossClassifier
from lossnlp.deal import Deal
from lossnlp.errors import LossNlpError


class LossModel(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # mlflow has no types here
    """Assesses rows of `id`, `text` and, where known, `closed_at`; a bad row is answered in its place."""

    def load_context(self, context: Any) -> None:
        """Loads the bundle that was logged with the model; its setting `threads` is that of the classifier."""
        threads = (context.model_config or {}).get("threads", 0)
        self._classifier = LossClassifier.load(context.artifacts["bundle"], threads=threads)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Gives one row for each row: deal_id, primary, confidence and the whole assessment as JSON."""
        columns = ["deal_id", "primary", "confidence", "assessment"]
        return pd.DataFrame(list(self._rows(model_input)), columns=columns)

    def _rows(self, table: pd.DataFrame) -> Iterator[tuple[str, str | None, float | None, str]]:
        for row in table.to_dict(orient="records"):
            request = {key: value for key, value in row.items() if not pd.isna(value)}
            try:
                assessment = self._classifier.assess(Deal.from_request(request))
            except LossNlpError as error:
                fault = {"error": {"code": error.code, "message": error.message, "field": error.field}}
                yield str(row.get("id")), None, None, json.dumps(fault)
            else:
                yield (
                    assessment.deal_id,
                    assessment.primary.code,
                    assessment.primary.confidence,
                    assessment.model_dump_json(),
                )


mlflow.models.set_model(LossModel())
