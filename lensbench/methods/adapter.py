"""An enhancement that is a low-rank adapter, saved as a folder that the package peft can also read."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from lensbench.backbones.exchange import exchanged
from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError
from lensbench.jsonio import JsonObject, read_json_file
from lensbench.methods.delta import OWN, Delta
from lensbench.methods.saved import load_saved, model_card, save_card, save_tensors, update_digest
from lensbench.records import write_atomically

__all__ = ["Adapter", "load_weights"]

_TENSORS = "adapter_model.safetensors"
_SETTINGS = "adapter_config.json"


@dataclass
class Adapter:
    """Low-rank updates W + alpha/rank B A of some of the backbone's matrices (arXiv 2106.09685, equation 3)."""

    method: str
    backbone: str
    backbone_digest: str
    first_changed_layer: int
    tensors: dict[str, Tensor]
    """Under peft's names, `base_model.model.<module>.lora_A.weight` `[rank, in]` and `.lora_B.weight` `[out, rank]`."""
    settings: JsonObject
    """Content of peft's `adapter_config.json`."""
    card: JsonObject = field(default_factory=dict)
    """Config, cost and measurements of the fit, as stored beside the tensors."""

    mergeable = True

    @property
    def digest(self) -> str:
        """SHA-256 over the tensors and the scale."""
        return update_digest(hashlib.sha256(repr(self._scale).encode()), self.tensors)

    @property
    def _scale(self) -> float:
        return float(self.settings["lora_alpha"]) / int(self.settings["r"])

    def merged(self, weights: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        """Every changed matrix by its parameter name, one after the other: added up in fp32, then brought to the weight's dtype.

        Args:
            weights: The backbone's own, by name.
        """
        for name, first in self.tensors.items():
            if not name.endswith(".lora_A.weight"):
                continue
            stem = name.removesuffix(".lora_A.weight")
            changed = f"{stem.removeprefix('base_model.model.')}.weight"
            second = self.tensors[f"{stem}.lora_B.weight"]
            weight = weights.get(changed)
            if weight is None or weight.shape != (len(second), first.shape[-1]):
                found = "no such parameter" if weight is None else str(list(weight.shape))
                raise RunError(
                    f"the adapter changes {changed[:120]} [{len(second)}, {first.shape[-1]}], the backbone has {found}",
                    "It was made for another backbone, or its file was changed.",
                )
            down, up = (part.to(weight.device, torch.float32) for part in (first, second))
            yield changed, (weight.float() + self._scale * up @ down).to(weight.dtype)

    def applied(self, loaded: LoadedBackbone, language: str) -> AbstractContextManager[None]:
        """The backbone with the updates added to its matrices; the originals come back afterwards, whatever happened.

        The language does not matter to an adapter. Added to the weights, and not computed beside them, so that a merged model
        gives the same answers bit for bit.
        """
        return exchanged(loaded, self.merged({name: p.data for name, p in loaded.model.named_parameters()}))

    def save(self, folder: Path) -> None:
        """Write tensors and peft's settings, then the card: a folder with a card is a complete enhancement.

        Raises:
            RunError: the disk is full, or a file cannot be written.
        """
        save_tensors(self.tensors, folder / _TENSORS)
        write_atomically(folder / _SETTINGS, json.dumps(self.settings, indent=1, sort_keys=True) + "\n")
        card = {**{name: getattr(self, name) for name in (*OWN, "digest")}, **self.card}
        how = (
            f"Low-rank adapter of `{card['backbone']}` (weights {card['backbone_digest']}), from block "
            f"{card['first_changed_layer']} (0-based) up. Made with lensbench; load it with `lensbench`, or on the backbone with "
            "peft's `PeftModel.from_pretrained`."
        )
        save_card(folder, card, model_card(card, how))

    @classmethod
    def load(cls, folder: Path, backbone_digest: str) -> Adapter:
        """Read an enhancement back.

        Raises:
            RunError: unreadable or truncated, changed since it was saved, or made for another backbone.
        """

        def make(own: JsonObject, card: JsonObject, tensors: dict[str, Tensor]) -> Adapter:
            _check_pairs(tensors)
            return cls(**own, tensors=tensors, settings=read_json_file(folder / _SETTINGS), card=card)

        return load_saved(folder, _TENSORS, OWN, backbone_digest, make)


def _check_pairs(tensors: Mapping[str, Tensor]) -> None:
    """
    Raises:
        ValueError: a tensor is none of an adapter, lacks its other half, or the two do not fit.
    """
    for name, tensor in tensors.items():
        other = name.replace(".lora_A.", ".lora_B.") if ".lora_A." in name else name.replace(".lora_B.", ".lora_A.")
        if other == name or other not in tensors or tensor.ndim != 2:
            raise ValueError(f"{name} is no half of a low-rank update")
        if ".lora_A." in name and tensor.shape[0] != tensors[other].shape[-1]:
            raise ValueError(f"{name} and {other} have unlike ranks")


def load_weights(folder: Path, backbone_digest: str) -> Delta | Adapter:
    """What a method that trains weights has saved: a delta, or an adapter where peft's settings lie beside it.

    Raises:
        RunError: unreadable or truncated, changed since it was saved, or made for another backbone.
    """
    return (Adapter if (folder / _SETTINGS).is_file() else Delta).load(folder, backbone_digest)
