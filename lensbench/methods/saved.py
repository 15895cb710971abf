"""Saving and loading enhancements: tensors are written first, the card last, so a folder with a card is complete."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from lensbench.errors import DataError, RunError
from lensbench.jsonio import JsonObject, read_json_file
from lensbench.records import write_atomically
from lensbench.records.log import write_failed

__all__ = ["load_saved", "model_card", "read_saved", "save_card", "save_tensors", "update_digest"]

_CARD = "card.json"


class _Saved(Protocol):
    backbone: str
    backbone_digest: str

    @property
    def digest(self) -> str: ...


_S = TypeVar("_S", bound=_Saved)


def update_digest(digest: Any, tensors: Mapping[str, torch.Tensor]) -> str:
    """Add names, dtypes, shapes and bytes of tensors to a hash, and give its hex digits.

    Args:
        digest: Of hashlib, with whatever else decides what the enhancement does.
    """
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return str(digest.hexdigest())


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a safetensors file whole or not at all.

    Raises:
        RunError: the disk is full, or the file cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A link of this name would be followed, out of the folder as well.
        partial.unlink(missing_ok=True)
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, partial)
        partial.replace(path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            partial.unlink()
        raise write_failed(path, _as_os_error(error)) from None


def save_card(folder: Path, card: Mapping[str, Any], readme: str) -> None:
    """Write what a reader needs, then the card."""
    write_atomically(folder / "README.md", readme)
    write_atomically(folder / _CARD, json.dumps(card, indent=2, ensure_ascii=False) + "\n")


def model_card(card: Mapping[str, Any], how: str, *further: str) -> str:
    """README.md of a saved enhancement.

    Args:
        card: Of which method, backbone, cost, data and configuration are told.
        how: What it is and how it is loaded.
        further: Points to list.
    """
    cost = card.get("cost", {})
    points = [
        *([f"languages: {', '.join(card['languages'])}"] if card.get("languages") else []),
        *further,
        *(
            [f"trained parameters: {cost['trainable_parameters']:,} ({cost['trainable_share']:.2%})"]
            if cost.get("trainable_parameters")
            else []
        ),
        f"fitting took {cost.get('wall_seconds', 0):.0f} s",
        f"data: {'; '.join(card.get('data', []))}",
    ]
    config = json.dumps(card.get("config", {}), indent=2, ensure_ascii=False)
    listed = "\n".join(f"- {point}" for point in points)
    return f"# {card['method']} on {card['backbone']}\n\n{how}\n\n{listed}\n\nConfiguration:\n\n```json\n{config}\n```\n"


def read_saved(folder: Path, tensors: str) -> tuple[JsonObject, dict[str, torch.Tensor]]:
    """Card and tensors of a saved enhancement.

    Args:
        tensors: Name of the safetensors file.

    Raises:
        RunError: unreadable or truncated.
    """
    try:
        card = read_json_file(folder / _CARD)
        if not isinstance(card, dict):
            raise ValueError(f"{_CARD} is no object")
        return card, load_file(folder / tensors)
    except (OSError, ValueError, SafetensorError, DataError) as error:
        raise _unreadable(folder, error) from None


def load_saved(
    folder: Path,
    tensors: str,
    own: Sequence[str],
    backbone_digest: str,
    make: Callable[[JsonObject, JsonObject, dict[str, torch.Tensor]], _S],
) -> _S:
    """A saved enhancement, checked to be unchanged and to belong to this backbone.

    Args:
        tensors: Name of the safetensors file.
        own: Keys of the card that hold the enhancement's own values; `digest` is read beside them.
        make: Gives the enhancement of those values, the rest of the card and the tensors.

    Raises:
        RunError: unreadable or truncated, changed since it was saved, or made for another backbone.
    """
    card, held = read_saved(folder, tensors)
    try:
        values = {name: card.pop(name) for name in own}
        digest = card.pop("digest")
        found = make(values, card, held)
        same = found.digest == digest
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError, IndexError, DataError) as error:
        raise _unreadable(folder, error) from None
    if found.backbone_digest != backbone_digest:
        raise RunError(
            f"{folder} was fitted on another backbone: {found.backbone} ({found.backbone_digest[:16]}…), "
            f"this one is {backbone_digest[:16]}…"
        )
    if not same:
        raise RunError(f"{folder} has changed since it was saved: its digest differs from the card's")
    return found


def _unreadable(folder: Path, error: Exception) -> RunError:
    return RunError(
        f"{folder} is not a readable enhancement: {error}",
        "Remove it and run again to fit it again. If it was already scored, use another ``out``.",
    )


def _as_os_error(error: Exception) -> OSError:
    """safetensors tells the system's error number in its text only."""
    if isinstance(error, OSError):
        return error
    number = re.search(r"os error (\d+)", str(error))
    return OSError(int(number[1]), os.strerror(int(number[1]))) if number else OSError(0, str(error))
