"""How much of the processor's matrix peak a backfill reaches: operations of the network a second, beside large products of matrices.

Run: python -m benchmarks.peak [--notes 300] [--rounds 5] [--cores 2]. Writes JSON.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import openvino
import torch
from openvino import opset13

from benchmarks.material import as_deals, notes
from benchmarks.results import Figure, Plot, Record, Result
from benchmarks.turns import ROUNDS, Turn, short, spread, take_turns, timed
from lossnlp import Deal, LossClassifier
from lossnlp.bundle import Bundle, find_default_bundle, read_bundle
from lossnlp.heads import Layout
from lossnlp.segments import read_deal
from lossnlp.windows import WindowMaker, read_tokenizer
from training.starting import rebuild_network

KINDS = ("int8", "bf16", "fp32")
_SIDE = 2048
_PRODUCTS = 8
_OPERATIONS = 2 * _SIDE**3
_TARGET = {"int8": 0.5}


def main() -> None:
    """Measures a backfill and the peaks in turns, and writes the shares."""
    ask = argparse.ArgumentParser(prog="python -m benchmarks.peak", description=main.__doc__)
    ask.add_argument("--notes", type=int, default=300, help="notes of the backfill (default: %(default)s)")
    ask.add_argument("--rounds", type=int, default=ROUNDS, help="alternating rounds (default: %(default)s)")
    ask.add_argument("--cores", type=int, default=2, help="processor threads (default: %(default)s)")
    asked = ask.parse_args()
    record, bundle = Record(), read_bundle(find_default_bundle())
    torch.set_num_threads(asked.cores)
    deals, classifier = as_deals(notes(asked.notes)), LossClassifier.load(threads=asked.cores)
    needed = network_operations(bundle, deals)
    products = {
        f"{kind}, {runtime}": _product(kind, runtime, asked.cores)
        for kind in KINDS
        for runtime in ("OpenVINO", "torch")
    }
    takers: dict[str, Callable[[], Turn]] = {name: partial(_multiply, one) for name, one in products.items()}
    list(classifier.assess_many(deals[:16]))
    turns = take_turns(
        {"backfill": lambda: timed(lambda: list(classifier.assess_many(deals))), **takers}, rounds=asked.rounds
    )
    reached = [needed / turn.wall_s / 1e9 for turn in turns.pop("backfill")]
    rates = {name: [_PRODUCTS * _OPERATIONS / turn.wall_s / 1e9 for turn in of_one] for name, of_one in turns.items()}
    peaks = {
        kind: max(statistics.median(rate) for name, rate in rates.items() if name.startswith(kind)) for kind in KINDS
    }
    measured = {"network while backfilling": reached, **rates}
    record.write(
        Result(
            "peak",
            "Share of the matrix peak",
            figures=[
                Figure(f"share of the {kind} peak", short(statistics.median(reached) / peak), target=_TARGET.get(kind))
                for kind, peak in peaks.items()
            ],
            rows=[
                {"what": name, **{f"GFLOP/s {key}": value for key, value in spread(rate).items()}}
                for name, rate in measured.items()
            ],
            plots=[
                Plot(
                    "GFLOP/s, median of the rounds",
                    ("", "GFLOP/s"),
                    {name: [(0, statistics.median(rate))] for name, rate in measured.items()},
                )
            ],
            notes=[
                f"Operations counted from shapes and the tokens of {asked.notes} notes, without padding: {short(needed / 1e9)} GFLOP.",
                f"Peak: products of {_SIDE} by {_SIDE}, the faster of OpenVINO and torch. Multiplying and adding count as two.",
            ],
            options=vars(asked),
        )
    )


def network_operations(bundle: Bundle, deals: Sequence[Deal]) -> float:
    """Gives the operations that the network needs for the deals' windows, each taken alone.

    Args:
        bundle: Its tokenizer cuts the windows, its shapes say what a token costs.
        deals: What is read.
    """
    windows = WindowMaker(read_tokenizer(bundle.path("tokenizer.json")), max_tokens=bundle.manifest.max_tokens)
    lengths = [len(window.ids) for deal in deals for window in windows.make(read_deal(deal).segments)]
    shape = rebuild_network(bundle).reader.encoder.config
    out = Layout(bundle.taxonomy.codes, bundle.taxonomy.element_codes).width
    sizes = {
        "layers": shape.num_hidden_layers,
        "width": shape.hidden_size,
        "inner": shape.intermediate_size,
        "out": out,
    }
    return float(sum(window_operations(length, **sizes) for length in lengths))


def window_operations(tokens: int, *, layers: int, width: int, inner: int, out: int) -> int:
    """Gives the operations of one window: four products of attention, two of its scores, two of the inner layer, and the head.

    Args:
        tokens: Its length.
        layers: Of the encoder.
        width: Of a token's vector.
        inner: Width of the inner layer.
        out: Columns of the token head.
    """
    a_layer = 8 * tokens * width**2 + 4 * tokens**2 * width + 4 * tokens * width * inner
    return layers * a_layer + 2 * tokens * width * out


def _multiply(product: Callable[[], object]) -> Turn:
    product()

    def some() -> None:
        for _ in range(_PRODUCTS):
            product()

    return timed(some, count=_PRODUCTS)


def _product(kind: str, runtime: str, cores: int) -> Callable[[], object]:
    """Gives what multiplies two square matrices of a type."""
    numbers = np.random.default_rng(0).normal(size=(2, _SIDE, _SIDE)).astype(np.float32)
    if runtime == "OpenVINO":
        return _in_openvino(kind, numbers, cores)
    left, right = torch.from_numpy(numbers)
    if kind == "int8":
        left, right = ((20 * one).to(torch.int8) for one in (left, right))
        return lambda: torch._int_mm(left, right)  # its name for the product of 8-bit integers
    dtype = torch.bfloat16 if kind == "bf16" else torch.float32
    left, right = left.to(dtype), right.to(dtype)
    return lambda: left @ right


def _in_openvino(kind: str, numbers: np.ndarray, cores: int) -> Callable[[], object]:
    given = opset13.parameter([_SIDE, _SIDE], np.float32)
    left, right = given, opset13.constant(numbers[1])
    if kind == "int8":
        left, right = _rounded(left, 256), _rounded(right, 255)
    product = opset13.reduce_max(opset13.matmul(left, right, False, True), np.array([1]), False)  # noqa: FBT003 (its signature)
    hint = {"INFERENCE_PRECISION_HINT": "bf16" if kind == "bf16" else "f32", "INFERENCE_NUM_THREADS": cores}
    request = (
        openvino.Core().compile_model(openvino.Model([product], [given], kind), "CPU", hint).create_infer_request()
    )
    return lambda: request.infer({0: numbers[0]}, share_inputs=True)


def _rounded(values: openvino.Output, levels: int) -> openvino.Node:
    """Gives the values on a grid of 8 bits, from which the runtime sees that integers will do."""
    bounds = [np.float32(-4 * (128 / 127 if levels == 256 else 1)), np.float32(4)]
    return opset13.fake_quantize(values, *bounds, *bounds, levels)


if __name__ == "__main__":
    main()
