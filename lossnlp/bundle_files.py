"""What may lie in a model bundle: plain names, kinds that are read as data alone, sizes, and an encoder that declares no more than it has.

Hashes say that a bundle is the one that was exported, not who exported it. So nothing in it may be a program for Python: pickles
are refused by their suffix, whether or not anything would have opened them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from xml.parsers import expat

from lossnlp.errors import BundleError

_MIB = 1024 * 1024
MANIFEST_BYTES = _MIB
_MOST_BYTES = {
    ".bin": 2048 * _MIB,
    ".safetensors": 512 * _MIB,
    ".xml": 64 * _MIB,
    ".json": 64 * _MIB,
    ".yaml": 4 * _MIB,
    ".md": 4 * _MIB,
    ".txt": 4 * _MIB,
    ".png": 16 * _MIB,
}
_WEIGHTS = "encoder.bin"  # the suffix is also that of pickled weights
_MOST_ELEMENTS = 2**28  # of one tensor; ten times the largest that ships
_MOST_DEPTH = 64


def is_plain_name(name: str) -> bool:
    """Says whether a name stands for something in a folder itself, and never above, below or beside it."""
    return name == Path(name).name and name not in ("", ".", "..") and not {"\x00", "\\"} & set(name)


def get_most_bytes(name: str) -> int:
    """Gives the most bytes that a file of a bundle may have.

    Args:
        name: Of the file.

    Raises:
        BundleError: No bundle holds a file of this name or kind.
    """
    most = _MOST_BYTES.get(Path(name).suffix)
    if not is_plain_name(name) or most is None or (name.endswith(".bin") and name != _WEIGHTS):
        raise BundleError(
            f"The bundle lists {name!r}, which no bundle holds; a bundle's files stand in its own folder."
        )
    return most


def check_file(folder: Path, name: str) -> Path:
    """Gives the path of a bundle's file that may be read.

    Raises:
        BundleError: It is missing, too large, leads out of the folder, or is of no kind that a bundle holds.
    """
    most, path = get_most_bytes(name), folder / name
    if not path.is_file():
        raise BundleError(f"{folder} lacks '{name}'; copy the bundle anew.")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BundleError(f"'{name}' in {folder} is a link that leads out of it; copy the file itself.")
    if path.stat().st_size > most:
        raise BundleError(f"'{name}' in {folder} is larger than {most // _MIB} MiB, the most that it may be.")
    return path


def check_encoder(xml: Path, weights: Path) -> None:
    """Passes when the description of an encoder is plain XML that asks for no more weights than there are.

    Raises:
        BundleError: It has a document type or entities, is nested too deep, or declares a tensor that is too large or lies
            outside the weights.
    """
    reader = _DescriptionReader(weights.stat().st_size)
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = reader.begin, reader.end
    parser.StartDoctypeDeclHandler = reader.refuse_doctype
    try:
        with xml.open("rb") as file:
            parser.ParseFile(file)
    except (expat.ExpatError, ValueError) as error:
        raise BundleError(f"{xml} is no description of an encoder ({error}); export the bundle again.") from None


class _DescriptionReader:
    """Looks at each element as it comes; nothing is kept of them.

    Args:
        n_weights: Bytes of the weights.
    """

    def __init__(self, n_weights: int) -> None:
        self._n_weights = n_weights
        self._depth = 0

    def begin(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Looks at an element that begins."""
        self._depth += 1
        if self._depth > _MOST_DEPTH:
            raise ValueError("nested too deep")
        if tag != "data":
            return
        shape = [int(size) for size in attributes.get("shape", "").split(",") if size.strip().isdecimal()]
        if prod(shape) > _MOST_ELEMENTS:
            raise ValueError(f"a tensor of {prod(shape)} elements")
        if "offset" in attributes and int(attributes["offset"]) + int(attributes.get("size", 0)) > self._n_weights:
            raise ValueError("a tensor outside the weights")

    def end(self, _tag: str) -> None:
        """Leaves an element."""
        self._depth -= 1

    def refuse_doctype(self, *_told: object) -> None:
        """Raises: a document type is how entities come in."""
        raise ValueError("a document type")
