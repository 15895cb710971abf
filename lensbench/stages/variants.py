"""The variants of a loaded model: the untouched backbone, enhanced variants, and other checkpoints."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lensbench.datasets.rows import row_hash
from lensbench.methods import load_method
from lensbench.methods.base import Enhancement
from lensbench.spec import BASE, VariantChoice
from lensbench.tasks.build import Item

if TYPE_CHECKING:
    from lensbench.backbones.checkpoint import Checkpoint
    from lensbench.backbones.lazy import LazyBackbone
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.records import RunFolder

__all__ = ["Variant", "answer_key", "load_fitted", "names_of"]


@dataclass(frozen=True)
class Variant:
    """The thing that is scored: a backbone with zero or one enhancement, or another checkpoint."""

    name: str
    enhancement: Enhancement | None = None
    choice: VariantChoice | None = None
    """Method, configuration and seed of the enhancement."""
    checkpoint: Checkpoint | None = None
    """Checkpoint of another model than the run's backbone; None for the backbone."""
    system_text: str | None = None
    """That model's."""

    def applied(self, loaded: LoadedBackbone, language: str) -> AbstractContextManager[None]:
        if self.enhancement is None:
            return contextlib.nullcontext()
        return self.enhancement.applied(loaded, language)

    @functools.cached_property
    def digest(self) -> str:
        """Of everything that sets it apart from the backbone; worked out once, since it reads all changed tensors."""
        if self.checkpoint is not None:
            return row_hash(["external", self.checkpoint.digest, self.system_text])
        return self.enhancement.digest if self.enhancement else BASE


def load_fitted(folder: RunFolder, choice: VariantChoice, backbone_digest: str) -> Enhancement:
    """What a fit left in the run's folder.

    Raises:
        RunError: it is damaged, or of another backbone.
    """
    return load_method(choice.method).load(folder.enhancement(choice.name), backbone_digest)


def names_of(variants: Sequence[Variant]) -> str:
    """Title: up to three names, or the number of variants."""
    return " + ".join(v.name for v in variants) if len(variants) <= 3 else f"{len(variants)} variants"


def answer_key(model: LazyBackbone, variant: Variant, item: Item, scoring: str, settings: object) -> str:
    """Hash of everything that can change an answer; a key that does not match is a miss, never somebody else's answer.

    Args:
        variant: By name too: two variants of equal weights have their own records.
        settings: Generation settings, or None.
    """
    own = [variant.name, variant.digest]
    return row_hash([model.checkpoint.digest, own, model.tokenizer_digest, str(model.dtype), item.id, scoring, settings])
