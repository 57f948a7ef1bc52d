"""How the weights of an encoder are stored; settings name it, so it needs no torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Storage:
    """How the weights of an encoder are stored.

    Args:
        layers: "int4", "int8" or "none" (16-bit floats).
        table: The table of word pieces where the layers are in 4 bits: "int4" or "int8".
    """

    layers: str = "none"
    table: str = "int4"


AS_LEARNED = Storage()
