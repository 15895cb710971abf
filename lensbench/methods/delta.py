"""An enhancement that is a set of changed tensors: the new values of some of the backbone's parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError
from lensbench.methods.saved import check_backbone, model_card, read_saved, save_card, save_tensors, unreadable, update_digest

__all__ = ["Delta"]

_TENSORS = "delta.safetensors"
_EXTRAS = "subspaces.safetensors"


@dataclass
class Delta:
    """Changed tensors by parameter name, with the card that says where they came from."""

    method: str
    backbone: str
    backbone_digest: str
    first_changed_layer: int
    tensors: dict[str, torch.Tensor]
    card: dict[str, Any] = field(default_factory=dict)
    """Config, cost and measurements of the fit, as stored beside the tensors."""
    extras: dict[str, torch.Tensor] = field(default_factory=dict)
    """Tensors that explain the fit but are not part of the model (LENS: subspaces and directions)."""

    mergeable = True

    @property
    def digest(self) -> str:
        """SHA-256 over names, dtypes, shapes and bytes of the changed tensors."""
        return update_digest(hashlib.sha256(), self.tensors)

    @contextmanager
    def applied(self, loaded: LoadedBackbone, language: str) -> Iterator[None]:
        """The backbone with the changed tensors in place; the originals come back afterwards, whatever happened.

        The language does not matter to a delta.
        """
        parameters = dict(loaded.model.named_parameters())
        originals = {name: parameters[name].data for name in self.tensors}
        try:
            for name, tensor in self.tensors.items():
                parameters[name].data = tensor.to(device=originals[name].device, dtype=originals[name].dtype)
            yield
        finally:
            for name, tensor in originals.items():
                parameters[name].data = tensor

    def save(self, folder: Path) -> None:
        """Write tensors, then the card: a folder with a card is a complete enhancement.

        Raises:
            RunError: the disk is full, or a file cannot be written.
        """
        save_tensors(self.tensors, folder / _TENSORS)
        if self.extras:
            save_tensors(self.extras, folder / _EXTRAS)
        card = {
            "method": self.method,
            "backbone": self.backbone,
            "backbone_digest": self.backbone_digest,
            "first_changed_layer": self.first_changed_layer,
            "digest": self.digest,
            **self.card,
        }
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
        card, tensors = read_saved(folder, _TENSORS)
        extras = read_saved(folder, _EXTRAS)[1] if (folder / _EXTRAS).is_file() else {}
        known = {"method", "backbone", "backbone_digest", "first_changed_layer", "digest"}
        try:
            own = {name: card[name] for name in sorted(known)}
        except KeyError as error:
            raise unreadable(folder, error) from None
        check_backbone(folder, own["backbone"], own["backbone_digest"], backbone_digest)
        digest = own.pop("digest")
        delta = cls(**own, tensors=tensors, card={k: v for k, v in card.items() if k not in known}, extras=extras)
        if delta.digest != digest:
            raise RunError(f"{folder / _TENSORS} is not what was saved: its digest differs from the card's")
        return delta
