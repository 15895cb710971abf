"""Headers of the weight files of a model folder, read without their tensors.

A safetensors file begins with the length of a JSON header, which names every tensor with its dtype, its shape and where it lies.
Only these headers are read here, by plain Python, so a folder can be refused before torch is imported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.errors import DataError
from lensbench.jsonio import parse_json, read_json_file
from lensbench.safenames import is_safe_name

__all__ = ["INDEX", "TensorHeader", "weight_files", "weight_headers"]

INDEX = "model.safetensors.index.json"
_SINGLE = "model.safetensors"
_MAX_HEADER = 100_000_000
"""Bytes; the limit of the safetensors library itself."""
_BITS = {
    "F64": 64,
    "I64": 64,
    "U64": 64,
    "C64": 64,
    "F32": 32,
    "I32": 32,
    "U32": 32,
    "F16": 16,
    "BF16": 16,
    "I16": 16,
    "U16": 16,
    "F8_E4M3": 8,
    "F8_E5M2": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I8": 8,
    "U8": 8,
    "BOOL": 8,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "F4": 4,
}


@dataclass(frozen=True)
class TensorHeader:
    """A tensor as its file announces it."""

    shape: tuple[int, ...]
    dtype: str
    file: str

    @property
    def numbers(self) -> int:
        return math.prod(self.shape)


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files that transformers reads of a model folder.

    Raises:
        DataError: the index is broken, or names a file outside the folder or one that is not there; no weights under a name that
            is looked for.
    """
    if (folder / _SINGLE).exists():
        return [folder / _SINGLE]
    index = folder / INDEX
    if not index.exists():
        found = sorted(path.name for path in folder.glob("*.safetensors"))
        raise DataError(f"{folder} has neither {_SINGLE} nor {INDEX}", f"It holds {', '.join(found[:5])}." if found else None)
    document = read_json_file(index)
    mapped = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(mapped, dict) or not mapped:
        raise DataError(f"{index}: 'weight_map' must name a file for each tensor, found {type(mapped).__name__}")
    names: dict[str, None] = {}
    for tensor, name in mapped.items():
        if not is_safe_name(name) or not name.endswith(".safetensors"):
            raise DataError(
                f"{index}: {str(tensor)[:80]!r} lies in {str(name)[:80]!r}, which is no safetensors file of this folder"
            )
        names[name] = None
    gone = [name for name in names if not (folder / name).is_file()]
    if gone:
        raise DataError(f"{index} names {len(gone)} files that the folder lacks: {', '.join(gone[:3])}")
    return [folder / name for name in names]


def weight_headers(folder: Path) -> dict[str, TensorHeader]:
    """Every tensor of a model folder, by name.

    Raises:
        DataError: no weights, a file that is empty, cut, or no safetensors file, or a tensor in two files; says which.
    """
    found: dict[str, TensorHeader] = {}
    for path in weight_files(folder):
        held = _file_headers(path)
        # transformers takes the last, whatever the index says.
        twice = sorted(found.keys() & held.keys())
        if twice:
            raise DataError(
                f"{folder}: {len(twice)} tensors lie in two files, such as {twice[0][:120]!r} in {found[twice[0]].file} and "
                f"{path.name}",
                "Shards of two models may have been mixed. Copy the files again, or save the model anew.",
            )
        found.update(held)
    if not found:
        raise DataError(f"the weight files of {folder} hold no tensor")
    return found


def _file_headers(path: Path) -> dict[str, TensorHeader]:
    if not path.is_file():
        raise DataError(f"{path} is not a plain file")
    size = path.stat().st_size
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if size < 8 or length > min(_MAX_HEADER, size - 8):
                raise DataError(f"{path} ({size} bytes) is cut or no safetensors file: its header would have {length} bytes")
            header = parse_json(stream.read(length), f"{path}, header")
    except OSError as error:
        raise DataError(f"{path}: could not be read ({error.strerror or error})") from None
    if not isinstance(header, dict):
        raise DataError(f"{path}, header: expected an object, found {type(header).__name__}")
    header.pop("__metadata__", None)
    return {name: _tensor(path, name, entry, size - 8 - length) for name, entry in header.items()}


def _tensor(path: Path, name: str, entry: Any, room: int) -> TensorHeader:
    entry = entry if isinstance(entry, dict) else {}
    shape, dtype, place = _counts(entry.get("shape")), entry.get("dtype"), _counts(entry.get("data_offsets"))
    shown = repr(name[:80])
    if shape is None or place is None or len(place) != 2 or not isinstance(dtype, str):
        raise DataError(f"{path}: the header of tensor {shown} is broken")
    first, last = place
    if last > room:
        raise DataError(f"{path} is cut: tensor {shown} ends at byte {last} of its data, the file holds {room}")
    if dtype in _BITS and (first > last or (last - first) * 8 != math.prod(shape) * _BITS[dtype]):
        raise DataError(f"{path}: tensor {shown} of shape {shape} and dtype {dtype} cannot fill {last - first} bytes")
    return TensorHeader(tuple(shape), dtype, path.name)


def _counts(value: Any) -> list[int] | None:
    """The value, if it is a list of whole numbers that could be sizes."""
    return value if isinstance(value, list) and all(type(part) is int and 0 <= part < 2**48 for part in value) else None
