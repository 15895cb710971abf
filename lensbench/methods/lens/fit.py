"""One fit of LENS: probe, decompose, train, and leave a delta."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict

import torch

from lensbench.backbones.load import LoadedBackbone
from lensbench.memory import measure_peak
from lensbench.methods.base import Cost, Progress
from lensbench.methods.corpora.probing import Corpora
from lensbench.methods.delta import Delta
from lensbench.methods.lens.config import LensConfig
from lensbench.methods.lens.probe import probe
from lensbench.methods.lens.shared import SharedStates, read_layers
from lensbench.methods.lens.states import ForkedBlocks
from lensbench.methods.lens.subspaces import Subspaces
from lensbench.methods.lens.train import Diverged, train

__all__ = ["fit_lens"]


def fit_lens(
    loaded: LoadedBackbone, corpora: Corpora, config: LensConfig, progress: Progress, shared: SharedStates | None = None
) -> Delta:
    """Fit LENS.

    Args:
        shared: States that other fits on the same backbone read too.

    Raises:
        UsageError: start_layer outside the model, a missing push strength.
        RunError: collinear language means.
        Diverged: a loss was not finite; its `delta` attribute holds the last good state.
    """
    torch.manual_seed(config.seed)
    n_layers = len(loaded.blocks)
    start = config.start_index(n_layers)
    layers = read_layers(config, n_layers)
    if shared is not None:
        shared.begin()
    started = time.perf_counter()
    with measure_peak(loaded.device) as memory:
        subspaces = probe(loaded, corpora.probing, layers, config, progress, shared)
        blocks = ForkedBlocks(loaded, start, layers)
        trainable = sum(p.numel() for p in blocks.parameters())
        floor = _floor_bytes(loaded, blocks)
        failure: Diverged | None = None
        try:
            log, tokens = train(loaded, blocks, subspaces, corpora.parallel, corpora.languages, config, progress, shared)
        except Diverged as error:
            failure, log, tokens = error, [], 0
        tensors = blocks.finish()
    taken = 0.0 if shared is None else shared.taken_seconds
    seconds = time.perf_counter() - started + taken
    peak = loaded.added_bytes(memory.peak_bytes)
    if peak is not None and shared is not None and loaded.device.type == "cpu":
        # What is kept for other fits is not this one's need.
        peak = max(peak - shared.held_bytes, floor)
    total = sum(p.numel() for p in loaded.model.parameters())
    cost = Cost(
        wall_seconds=seconds,
        gpu_seconds=seconds if loaded.device.type == "cuda" else None,
        peak_bytes=peak,
        floor_bytes=floor,
        trainable_parameters=trainable,
        total_parameters=total,
        training_items=len(corpora.parallel),
        training_tokens=tokens,
        steps=len(log),
        cached_seconds=taken,
    )
    delta = Delta(
        "lens",
        loaded.backbone.backbone,
        loaded.checkpoint.digest,
        start,
        tensors,
        {
            "languages": list(corpora.languages),
            "config": config.model_dump(mode="json"),
            "data": sorted({f"{key} from {o.kind} {o.name}" for key, o in corpora.origins.items()}),
            "cost": cost.as_dict(),
            "subspaces": {str(layer): _measures(found) for layer, found in subspaces.items()},
            "log": [asdict(step) for step in log],
        },
        _as_extras(subspaces),
    )
    if failure is not None:
        failure.delta = delta
        raise failure
    return delta


def _floor_bytes(loaded: LoadedBackbone, blocks: ForkedBlocks) -> int:
    """Frozen weights, and for what is trained: weights, gradients and two optimiser states, all in fp32."""
    trained = {id(p) for p in blocks.parameters()}
    frozen = sum(p.numel() * p.element_size() for p in loaded.model.parameters() if id(p) not in trained)
    return frozen + sum(p.numel() for p in blocks.parameters()) * 4 * 4


def _measures(found: Subspaces) -> dict[str, float | list[float]]:
    return {"agnostic_norm": found.agnostic_norm, "direction_norms": [float(d.norm()) for d in found.directions]}


def _as_extras(subspaces: Mapping[int, Subspaces]) -> dict[str, torch.Tensor]:
    extras = {}
    for layer, found in subspaces.items():
        extras[f"layer.{layer}.agnostic"] = found.agnostic
        extras[f"layer.{layer}.specific"] = found.specific
        extras[f"layer.{layer}.directions"] = found.directions
    return extras
