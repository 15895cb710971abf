"""The prompts LENS reads states from, as padded batches of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.chat import encode_prompt, render_chat, truncate_content
from lensbench.engines.specials import encode_text
from lensbench.methods.lens.config import LensConfig

__all__ = ["Batch", "pad", "probe_ids", "train_ids"]

_HELPFUL = "You are a helpful assistant."


@dataclass(frozen=True)
class Batch:
    """Padded prompts."""

    ids: Int[Tensor, "batch seq"]
    mask: Bool[Tensor, "batch seq"]

    @property
    def positions(self) -> Int[Tensor, "batch seq"]:
        """Position of every token in its own row, pads at 0."""
        return (self.mask.long().cumsum(1) - 1).clamp(min=0)

    @property
    def tokens(self) -> int:
        return int(self.mask.sum())


def pad(rows: Sequence[Sequence[int]], pad_token: int, device: torch.device, side: str = "left") -> Batch:
    """Rows of unlike length as one batch, padded on one side."""
    width = max(len(row) for row in rows)
    ids = torch.full((len(rows), width), pad_token, dtype=torch.long)
    mask = torch.zeros(len(rows), width, dtype=torch.bool)
    for index, row in enumerate(rows):
        place = slice(width - len(row), width) if side == "left" else slice(0, len(row))
        ids[index, place] = torch.tensor(list(row))
        mask[index, place] = True
    return Batch(ids.to(device), mask.to(device))


def probe_ids(loaded: LoadedBackbone, texts: Sequence[str], config: LensConfig) -> list[list[int]]:
    """Token ids of the probing prompts (docs/lens.md)."""
    if config.readout == "official":
        rows = [_encode(loaded, text, config.probe_system, extra_bos=config.extra_bos) for text in texts]
        return [row[: config.probe_tokens] for row in rows]
    cut = [truncate_content(loaded.tokenizer, text, config.probe_tokens) for text in texts]
    return [_encode(loaded, text, config.probe_system, extra_bos=config.extra_bos) for text in cut]


def train_ids(loaded: LoadedBackbone, texts: Sequence[str], config: LensConfig) -> list[list[int]]:
    """Token ids of the parallel prompts of one language (docs/lens.md)."""
    if config.train_truncation == "row":
        return [_encode(loaded, text, config.train_system)[: config.train_tokens] for text in texts]
    cut = [truncate_content(loaded.tokenizer, text, config.train_tokens) for text in texts]
    return [_encode(loaded, text, config.train_system) for text in cut]


def _encode(
    loaded: LoadedBackbone, text: str, system: Literal["shared", "helpful", "empty"], *, extra_bos: bool = False
) -> list[int]:
    system_text = {"shared": loaded.backbone.system_text, "helpful": _HELPFUL, "empty": ""}[system]
    rendered = render_chat(loaded.tokenizer, [{"role": "user", "content": text}], system_text)
    if extra_bos:
        # The released probing code tokenises the rendered template with special tokens switched on.
        return encode_text(loaded.tokenizer, rendered, add_special_tokens=True)
    return encode_prompt(loaded.tokenizer, rendered)
