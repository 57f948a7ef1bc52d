"""A LitServe around the shipped classifier: notes that wait together are read in one call. Started by `benchmarks.served`."""

# No "from __future__ import annotations": LitServe hands the types of decode_request on as they are
import sys
from typing import Any

import litserve

from lossnlp import Assessment, Deal, LossClassifier

_AT_ONCE, _WINDOW_S = 16, 0.002  # as lossnlp's own service has them


class LossApi(litserve.LitAPI):
    """Answers a request in lossnlp's short form with its assessment."""

    def setup(self, device: str) -> None:  # noqa: ARG002 (the signature is LitServe's)
        """Loads the classifier."""
        self._classifier = LossClassifier.load()

    def decode_request(self, request: dict[str, Any]) -> Deal:
        """Gives the deal of a request."""
        return Deal.from_request(request)

    def predict(self, x: list[Deal]) -> list[Assessment]:
        """Gives the assessments of deals that have waited together."""
        return list(self._classifier.assess_many(x))

    def encode_response(self, output: Assessment) -> dict[str, Any]:
        """Gives the answer."""
        return output.model_dump(mode="json")


if __name__ == "__main__":
    api = LossApi(max_batch_size=_AT_ONCE, batch_timeout=_WINDOW_S)
    litserve.LitServer(api, accelerator="cpu").run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
