"""Probing: the mean hidden state per language, and the subspaces they span (section 3.1 of the paper)."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.blocks import CannotPack
from lensbench.methods.base import Progress
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.packed import Pack, PackedBlocks, packs_of
from lensbench.methods.lens.prompts import pad, probe_ids
from lensbench.methods.lens.readers import Rows, pack_tokens
from lensbench.methods.lens.shared import SharedStates, keys_of
from lensbench.methods.lens.states import LayerStates, read_states
from lensbench.methods.lens.subspaces import Subspaces, decompose

__all__ = ["language_means", "probe"]

_BATCH = 8
"""Rows of a padded batch."""


def language_means(
    loaded: LoadedBackbone,
    texts: Mapping[str, Sequence[str]],
    layers: tuple[int, ...],
    config: LensConfig,
    progress: Progress,
    shared: SharedStates | None = None,
) -> dict[int, Float[Tensor, "languages hidden"]]:
    """Mean state of the read-out token per language, by layer, in float64.

    The mean runs over every text; a last, smaller batch is not dropped (the released code drops it).
    """
    encoded = {code: probe_ids(loaded, sample, config) for code, sample in texts.items()}
    reader = _reader(loaded, encoded, layers if shared is None else shared.layers, config, progress)
    means = {layer: torch.zeros(len(texts), loaded.hidden_size, dtype=torch.float64) for layer in layers}
    with progress.stage(f"probing {len(texts)} languages", sum(map(len, encoded.values()))) as advance:
        for number, rows in enumerate(encoded.values()):
            found = _states_of(reader, rows, layers, shared, advance)
            for layer in layers:
                states = torch.stack([found[index][str(layer)] for index in range(len(rows))])
                if config.mean_dtype == "float16":
                    states = states.half()
                means[layer][number] = states.double().sum(0).cpu() / len(rows)
    if config.mean_dtype == "float16":
        return {layer: total.half().double() for layer, total in means.items()}
    return means


@dataclass(frozen=True)
class _Reader:
    """How read-out states are read.

    Attributes:
        groups: Rows -> places of rows that are read together.
        read: Rows of one group -> their states by layer.
    """

    groups: Callable[[Rows], list[list[int]]]
    read: Callable[[Rows], LayerStates]


def _states_of(
    reader: _Reader, rows: Rows, layers: tuple[int, ...], shared: SharedStates | None, advance: Callable[[int], None]
) -> dict[int, dict[str, Tensor]]:
    """Place of a row -> its read-out state by layer; what another fit has read is not read again."""
    names = [str(layer) for layer in layers]
    found: dict[int, dict[str, Tensor]] = {}
    for places in reader.groups(rows):
        mine = [rows[place] for place in places]
        keys = keys_of("probe", mine)
        if shared is not None and shared.covers(keys, names):
            known = shared.load(keys, names)
        else:
            started = time.perf_counter()
            states = reader.read(mine)
            known = {key: {str(layer): held[i] for layer, held in states.items()} for i, key in enumerate(keys)}
            if shared is not None:
                shared.keep(known, time.perf_counter() - started)
        found |= {place: known[key] for place, key in zip(places, keys, strict=True)}
        advance(len(places))
    return found


def _reader(
    loaded: LoadedBackbone, encoded: Mapping[str, Rows], layers: tuple[int, ...], config: LensConfig, progress: Progress
) -> _Reader:
    if config.readout == "official":
        # Index -1 may be padding there, and padding is what the released code reads.
        return _Reader(_by_length, functools.partial(_read_padded, loaded, layers, str(loaded.tokenizer.padding_side)))
    try:
        blocks = PackedBlocks(loaded, max(len(ids) for rows in encoded.values() for ids in rows))
    except CannotPack as error:
        progress.notify(f"probing texts are read in padded batches: {error}")
        return _Reader(_by_length, functools.partial(_read_padded, loaded, layers, "left"))
    return _Reader(
        functools.partial(packs_of, budget=pack_tokens(loaded.device)), functools.partial(_read_packed, loaded, blocks, layers)
    )


def _by_length(rows: Rows) -> list[list[int]]:
    ordered = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    return [ordered[start : start + _BATCH] for start in range(0, len(ordered), _BATCH)]


def _read_padded(loaded: LoadedBackbone, layers: tuple[int, ...], side: str, rows: Rows) -> LayerStates:
    batch = pad(rows, loaded.pad_id, loaded.device, side)
    return {layer: states[:, -1] for layer, states in read_states(loaded, batch, layers).items()}


def _read_packed(loaded: LoadedBackbone, blocks: PackedBlocks, layers: tuple[int, ...], rows: Rows) -> LayerStates:
    pack = Pack(rows, whole=[False] * len(rows), device=loaded.device)
    with torch.no_grad():
        calls = blocks.enter(pack)
        states = blocks.above(pack, calls, calls.states, 0, layers)
    # Rows that are alike have one place.
    last = torch.tensor([int(own[-1]) for own in pack.places], device=loaded.device)
    return {layer: found[last] for layer, found in states.items()}


def probe(
    loaded: LoadedBackbone,
    texts: Mapping[str, Sequence[str]],
    layers: tuple[int, ...],
    config: LensConfig,
    progress: Progress,
    shared: SharedStates | None = None,
) -> dict[int, Subspaces]:
    """The subspaces of every wanted layer; `texts` must begin with the central language."""
    means = language_means(loaded, texts, layers, config, progress, shared)
    return {layer: decompose(matrix, config.rank) for layer, matrix in means.items()}
