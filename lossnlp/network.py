"""The network of a bundle on this processor. The only home of the inference runtime (OpenVINO)."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import openvino
from numpy.typing import NDArray

from lossnlp.bundle import Bundle
from lossnlp.bundle_files import check_encoder
from lossnlp.errors import BundleError
from lossnlp.heads import Array

_SETTINGS: dict[str, object] = {
    # Used where the processor has it, else 32 bits; the same on one thread and on many.
    "INFERENCE_PRECISION_HINT": "bf16",
    # Inputs of a layer share a scale in the groups in which the 4-bit weights share theirs: the runtime's own 32 are slower.
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": 64,
}


@dataclass(frozen=True)
class Batch:
    """Windows filled up to one length.

    Args:
        ids: Vocabulary ids, shape (windows, tokens).
        mask: 1 where a token is real, shape (windows, tokens).
    """

    ids: NDArray[np.int64]
    mask: NDArray[np.int64]


class Network:
    """Runs batches of windows; safe to share between threads.

    Args:
        bundle: A checked bundle.
        threads: Processor threads to use, 0 for the runtime's choice.
        streams: Batches that run side by side, each on its share of the threads; 1 gives a single batch all threads.

    Raises:
        BundleError: The weights cannot be loaded.
    """

    def __init__(self, bundle: Bundle, *, threads: int = 0, streams: int = 1) -> None:
        self._streams = streams
        self._network = _compiled(bundle, threads, streams)
        self._requests = threading.local()
        # With the first window the runtime lays the weights out for the processor.
        first = np.ones((1, 8), np.int64)
        self._infer(Batch(first, first))

    @property
    def width(self) -> int:
        """Columns given for each token."""
        return int(self._network.outputs[0].partial_shape[-1].get_length())

    def run(self, batches: Sequence[Batch]) -> list[Array]:
        """Gives the output of each batch, shape (windows, tokens, width)."""
        if self._streams == 1:
            return [self._infer(batch) for batch in batches]
        with ThreadPoolExecutor(self._streams) as pool:
            return list(pool.map(self._infer, batches))

    def _infer(self, batch: Batch) -> Array:
        request = getattr(self._requests, "request", None)
        if request is None:
            request = self._requests.request = self._network.create_infer_request()
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask}
        output: Array = request.infer(inputs, share_inputs=True)[0]
        return output


def _compiled(bundle: Bundle, threads: int, streams: int) -> openvino.CompiledModel:
    settings = _SETTINGS | {"PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT", "NUM_STREAMS": streams}
    if threads:
        # Unpinned: several processes of few threads would all be pinned to the same first processors
        settings |= {"INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}
    check_encoder(bundle.path("encoder.xml"), bundle.path("encoder.bin"))
    core = openvino.Core()
    # Mapped weights end the process when the file is written over in its place
    core.set_property({openvino.properties.enable_mmap(): False})
    try:
        return core.compile_model(core.read_model(str(bundle.path("encoder.xml"))), "CPU", settings)
    except RuntimeError as error:
        raise BundleError(
            f"The encoder in {bundle.folder} cannot be loaded by this OpenVINO; export it again."
        ) from error
