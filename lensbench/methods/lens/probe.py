"""Probing: the mean hidden state per language, and the subspaces they span (section 3.1 of the paper)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from lensbench.backbones.load import LoadedBackbone
from lensbench.methods.base import Progress
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.decompose import Subspaces, decompose
from lensbench.methods.lens.prompts import pad, probe_ids
from lensbench.methods.lens.states import read_states

__all__ = ["language_means", "probe"]

_BATCH = 8


def language_means(
    loaded: LoadedBackbone,
    texts: Mapping[str, Sequence[str]],
    layers: tuple[int, ...],
    config: LensConfig,
    progress: Progress,
) -> dict[int, Float[Tensor, "languages hidden"]]:
    """Mean state of the read-out token per language, by layer, in float64.

    The mean runs over every text; a last, smaller batch is not dropped (the released code drops it).
    """
    side = loaded.tokenizer.padding_side if config.readout == "official" else "left"
    sums = {layer: torch.zeros(len(texts), loaded.hidden_size, dtype=torch.float64) for layer in layers}
    total = sum(len(t) for t in texts.values())
    with progress.stage(f"probing {len(texts)} languages", total) as advance:
        for row, (_language, sample) in enumerate(texts.items()):
            ids = sorted(probe_ids(loaded, sample, config), key=len)
            for start in range(0, len(ids), _BATCH):
                batch = pad(ids[start : start + _BATCH], int(loaded.tokenizer.pad_token_id), loaded.device, side)
                for layer, states in read_states(loaded, batch, layers).items():
                    last = states[:, -1]
                    if config.mean_dtype == "float16":
                        last = last.half()
                    sums[layer][row] += last.double().sum(0).cpu()
                advance(len(batch.ids))
            for layer in layers:
                sums[layer][row] /= len(ids)
    if config.mean_dtype == "float16":
        return {layer: total.half().double() for layer, total in sums.items()}
    return sums


def probe(
    loaded: LoadedBackbone,
    texts: Mapping[str, Sequence[str]],
    layers: tuple[int, ...],
    config: LensConfig,
    progress: Progress,
) -> dict[int, Subspaces]:
    """The subspaces of every wanted layer; `texts` must begin with the central language."""
    means = language_means(loaded, texts, layers, config, progress)
    return {layer: decompose(matrix, config.rank) for layer, matrix in means.items()}
