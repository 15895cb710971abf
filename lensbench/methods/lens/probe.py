"""Probing: the mean hidden state per language, and the subspaces they span (section 3.1 of the paper)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.blocks import CannotPack
from lensbench.methods.base import Progress
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.packed import Pack, PackedBlocks, packs_of
from lensbench.methods.lens.prompts import pad, probe_ids
from lensbench.methods.lens.states import LayerStates, read_states
from lensbench.methods.lens.subspaces import Subspaces, decompose

__all__ = ["language_means", "probe"]

_BATCH = 8
"""Rows of a padded batch."""
_TOKENS = 2048
"""Tokens of a pack, before rows share beginnings."""


def language_means(
    loaded: LoadedBackbone, texts: Mapping[str, Sequence[str]], layers: tuple[int, ...], config: LensConfig, progress: Progress
) -> dict[int, Float[Tensor, "languages hidden"]]:
    """Mean state of the read-out token per language, by layer, in float64.

    The mean runs over every text; a last, smaller batch is not dropped (the released code drops it).
    """
    encoded = {code: probe_ids(loaded, sample, config) for code, sample in texts.items()}
    read = _reader(loaded, encoded, layers, config, progress)
    sums = {layer: torch.zeros(len(texts), loaded.hidden_size, dtype=torch.float64) for layer in layers}
    with progress.stage(f"probing {len(texts)} languages", sum(map(len, encoded.values()))) as advance:
        for row, ids in enumerate(encoded.values()):
            for many, states in read(ids):
                for layer, last in states.items():
                    if config.mean_dtype == "float16":
                        last = last.half()
                    sums[layer][row] += last.double().sum(0).cpu()
                advance(many)
            for layer in layers:
                sums[layer][row] /= len(ids)
    if config.mean_dtype == "float16":
        return {layer: total.half().double() for layer, total in sums.items()}
    return sums


_Read = Callable[[Sequence[Sequence[int]]], Iterator[tuple[int, LayerStates]]]
"""Rows -> how many were read, and the states of their read-out tokens, until all have been."""


def _reader(
    loaded: LoadedBackbone,
    encoded: Mapping[str, Sequence[Sequence[int]]],
    layers: tuple[int, ...],
    config: LensConfig,
    progress: Progress,
) -> _Read:
    if config.readout == "official":
        # Index -1 may be padding there, and padding is what the released code reads.
        return functools.partial(_read_padded, loaded, layers, str(loaded.tokenizer.padding_side))
    try:
        blocks = PackedBlocks(loaded, max(len(ids) for rows in encoded.values() for ids in rows))
    except CannotPack as error:
        progress.notify(f"probing texts are read in padded batches: {error}")
        return functools.partial(_read_padded, loaded, layers, "left")
    return functools.partial(_read_packed, loaded, blocks, layers)


def _read_padded(
    loaded: LoadedBackbone, layers: tuple[int, ...], side: str, rows: Sequence[Sequence[int]]
) -> Iterator[tuple[int, LayerStates]]:
    ordered = sorted(rows, key=len)
    for start in range(0, len(ordered), _BATCH):
        batch = pad(ordered[start : start + _BATCH], loaded.pad_id, loaded.device, side)
        yield len(batch.ids), {layer: states[:, -1] for layer, states in read_states(loaded, batch, layers).items()}


def _read_packed(
    loaded: LoadedBackbone, blocks: PackedBlocks, layers: tuple[int, ...], rows: Sequence[Sequence[int]]
) -> Iterator[tuple[int, LayerStates]]:
    for group in packs_of(rows, _TOKENS):
        pack = Pack([rows[index] for index in group], whole=[False] * len(group), device=loaded.device)
        with torch.no_grad():
            calls = blocks.enter(pack)
            states = blocks.above(pack, calls, calls.states, 0, layers)
        # Rows that are alike have one place.
        last = torch.tensor([int(places[-1]) for places in pack.places], device=loaded.device)
        yield len(group), {layer: found[last] for layer, found in states.items()}


def probe(
    loaded: LoadedBackbone, texts: Mapping[str, Sequence[str]], layers: tuple[int, ...], config: LensConfig, progress: Progress
) -> dict[int, Subspaces]:
    """The subspaces of every wanted layer; `texts` must begin with the central language."""
    means = language_means(loaded, texts, layers, config, progress)
    return {layer: decompose(matrix, config.rank) for layer, matrix in means.items()}
