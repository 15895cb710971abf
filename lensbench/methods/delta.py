"""An enhancement that is a set of changed tensors: the new values of some of the backbone's parameters."""

from __future__ import annotations

import functools
import hashlib
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from lensbench.backbones.exchange import exchanged
from lensbench.backbones.load import LoadedBackbone
from lensbench.jsonio import JsonObject
from lensbench.methods.saved import load_saved, model_card, read_saved, save_card, save_tensors, update_digest

__all__ = ["OWN", "Delta"]

OWN = ("method", "backbone", "backbone_digest", "first_changed_layer")
"""Keys of the card that hold the values of an enhancement of weights."""
_TENSORS = "delta.safetensors"
_EXTRAS = "subspaces.safetensors"


@dataclass
class Delta:
    """Changed tensors by parameter name, with the card that says where they came from. Not to be changed once made."""

    method: str
    backbone: str
    backbone_digest: str
    first_changed_layer: int
    tensors: dict[str, torch.Tensor]
    card: JsonObject = field(default_factory=dict)
    """Config, cost and measurements of the fit, as stored beside the tensors."""
    extras: dict[str, torch.Tensor] = field(default_factory=dict)
    """Tensors that explain the fit but are not part of the model (LENS: subspaces and directions)."""

    mergeable = True

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and bytes of the changed tensors."""
        return update_digest(hashlib.sha256(), self.tensors)

    def applied(self, loaded: LoadedBackbone, language: str) -> AbstractContextManager[None]:
        """The backbone with the changed tensors in place; the originals come back afterwards, whatever happened.

        The language does not matter to a delta.
        """
        return exchanged(loaded, self.tensors.items())

    def save(self, folder: Path) -> None:
        """Write tensors, then the card: a folder with a card is a complete enhancement.

        Raises:
            RunError: the disk is full, or a file cannot be written.
        """
        save_tensors(self.tensors, folder / _TENSORS)
        if self.extras:
            save_tensors(self.extras, folder / _EXTRAS)
        card = {**{name: getattr(self, name) for name in (*OWN, "digest")}, **self.card}
        how = (
            f"Changed tensors of `{card['backbone']}` (weights {card['backbone_digest']}), from block "
            f"{card['first_changed_layer']} (0-based) up. Made with lensbench; load it with `lensbench`, or copy the tensors of "
            "`delta.safetensors` over the backbone's parameters of the same names."
        )
        save_card(folder, card, model_card(card, how))

    @classmethod
    def load(cls, folder: Path, backbone_digest: str) -> Delta:
        """Read an enhancement back.

        Raises:
            RunError: unreadable or truncated, changed since it was saved, or made for another backbone.
        """
        extras = read_saved(folder, _EXTRAS)[1] if (folder / _EXTRAS).is_file() else {}
        return load_saved(
            folder,
            _TENSORS,
            OWN,
            backbone_digest,
            lambda own, card, tensors: cls(**own, tensors=tensors, card=card, extras=extras),
        )
