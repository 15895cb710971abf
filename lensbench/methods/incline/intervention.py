"""An enhancement that changes no parameter: per language and layer, the map that moves a prompt's last state towards English."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import torch

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError
from lensbench.jsonio import JsonObject
from lensbench.methods.incline.config import Site
from lensbench.methods.incline.fit import Alignment
from lensbench.methods.incline.hooks import PromptEndHooks
from lensbench.methods.saved import load_saved, model_card, save_card, save_tensors, update_digest

__all__ = ["Intervention"]

_TENSORS = "intervention.safetensors"
_OWN = ("backbone", "backbone_digest", "central", "site", "values", "alphas")


@dataclass
class Intervention:
    """Maps by language and layer, with the card that says where they came from. Not to be changed once made."""

    backbone: str
    backbone_digest: str
    central: str
    """The language whose prompts are left alone."""
    site: Site
    values: str
    """"clean" or "running"."""
    alphas: Mapping[str, float]
    """Strength by target language; at 0 nothing is done at all."""
    alignments: Mapping[str, Mapping[int, Alignment]]
    card: JsonObject = field(default_factory=dict)
    """Config, cost and measurements of the fit, as stored beside the tensors."""

    mergeable = False

    @property
    def first_changed_layer(self) -> int:
        return min(index for layers in self.alignments.values() for index in layers)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over the maps' tensors and over what decides how they are applied."""
        digest = hashlib.sha256(json.dumps(self._own(), sort_keys=True).encode())
        return update_digest(digest, self._tensors())

    def applied(self, loaded: LoadedBackbone, language: str) -> AbstractContextManager[None]:
        """The backbone with the last token of every prompt changed, while the context lasts.

        In the central language, and at strength 0, the backbone is not touched and answers bit for bit as before.

        Raises:
            RunError: no map was fitted for the language.
        """
        if language == self.central:
            return nullcontext()
        if language not in self.alphas:
            raise RunError(
                f"this INCLINE has no map for '{language}' (it has {', '.join(self.alphas)})",
                "Fit it with that language among ``languages``.",
            )
        if self.alphas[language] == 0:
            return nullcontext()
        placed = {
            index: Alignment(found.basis.to(loaded.device), found.image.to(loaded.device))
            for index, found in self.alignments[language].items()
        }
        return PromptEndHooks(loaded, self.site, placed, self.alphas[language], clean=self.values == "clean").registered()

    def save(self, folder: Path) -> None:
        """Write tensors, then the card: a folder with a card is a complete enhancement.

        Raises:
            RunError: the disk is full, or a file cannot be written.
        """
        save_tensors(self._tensors(), folder / _TENSORS)
        card = {
            "method": "incline",
            **self._own(),
            "first_changed_layer": self.first_changed_layer,
            "digest": self.digest,
            **self.card,
        }
        how = (
            f"An intervention at inference time on `{self.backbone}` (weights {self.backbone_digest}): no parameter changes. "
            "Made with lensbench; load it with `lensbench`. `intervention.safetensors` holds, per language and layer (0-based), "
            "`basis` and `image`, both rank x hidden: a state h at the last token of a prompt becomes "
            "h + alpha (h basis^T) image."
        )
        strengths = ", ".join(f"{code} {alpha:g}" for code, alpha in self.alphas.items())
        readme = model_card(card, how, f"site: {self.site}, values: {self.values}", f"alpha: {strengths}")
        save_card(folder, card, readme)

    @classmethod
    def load(cls, folder: Path, backbone_digest: str) -> Intervention:
        """Read an enhancement back.

        Raises:
            RunError: unreadable or truncated, changed since it was saved, or made for another backbone.
        """

        def make(own: JsonObject, card: JsonObject, tensors: dict[str, torch.Tensor]) -> Intervention:
            rest = {name: value for name, value in card.items() if name not in ("method", "first_changed_layer")}
            return cls(**own, alignments=_alignments(tensors), card=rest)

        return load_saved(folder, _TENSORS, _OWN, backbone_digest, make)

    def _own(self) -> JsonObject:
        return {**{name: getattr(self, name) for name in _OWN}, "alphas": dict(self.alphas)}

    def _tensors(self) -> dict[str, torch.Tensor]:
        return {
            f"{language}.{index}.{part}": getattr(found, part)
            for language, layers in self.alignments.items()
            for index, found in layers.items()
            for part in ("basis", "image")
        }


def _alignments(tensors: Mapping[str, torch.Tensor]) -> dict[str, dict[int, Alignment]]:
    found: dict[str, dict[int, Alignment]] = {}
    places = {tuple(name.split(".")[:2]) for name in tensors}
    for language, index in sorted(places, key=lambda place: (place[0], int(place[1]))):
        pair = (tensors[f"{language}.{index}.basis"], tensors[f"{language}.{index}.image"])
        found.setdefault(language, {})[int(index)] = Alignment(*pair)
    return found
