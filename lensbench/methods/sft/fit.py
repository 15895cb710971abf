"""From examples to an enhancement: encode, train, keep the changed parameters."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.memory import measure_peak
from lensbench.methods.adapter import Adapter
from lensbench.methods.base import Cost, Progress
from lensbench.methods.delta import Delta
from lensbench.methods.sft.callbacks import Diverged, StepLog
from lensbench.methods.sft.config import SftConfig
from lensbench.methods.sft.encode import EncodedSet, Example, Layout, encode_all
from lensbench.methods.sft.train import check_device, train
from lensbench.methods.sft.trainable import first_changed_layer, trainee

__all__ = ["fine_tune"]


def fine_tune(
    method: str,
    loaded: LoadedBackbone,
    examples: Sequence[Example],
    layout: Layout,
    config: SftConfig,
    progress: Progress,
    card: Mapping[str, Any],
    *,
    truncate: bool = True,
) -> Delta | Adapter:
    """Fine-tune on examples; the backbone in memory does not change.

    Args:
        card: What the method itself has to say; `pools` (by pool, counts of rows) gains what encoding counted.
        truncate: Whether answers that do not fit are cut, or their examples left out.

    Raises:
        UsageError: `max_length` above the model's window, nothing fits into it, the warm-up takes every step, or unknown LoRA
            targets.
        UnavailableError: a tokenizer without character offsets.
        Diverged: a loss or gradient was not finite; its `delta` attribute holds the last good state.
    """
    device = loaded.device
    check_device(device)
    _check_window(loaded, config)
    torch.manual_seed(config.seed)
    started = time.perf_counter()
    data = encode_all(loaded.tokenizer, examples, layout, config.max_length, truncate=truncate)
    left_out = data.empty.total() + data.too_long.total()
    progress.notify(
        f"{method}: {len(data.rows)} examples, {sum(row.loss_tokens for row in data.rows)} tokens with loss; "
        f"{left_out} left out, {data.truncated.total()} answers cut"
    )
    config.steps(len(data.rows))
    log: list[StepLog] = []
    failure: Diverged | None = None
    with measure_peak(device) as memory, trainee(loaded, config) as student:
        trained = sum(p.numel() for p in student.trained)
        floor = _floor_bytes(loaded, trained, config)
        try:
            log = train(
                student,
                data.rows,
                config,
                progress,
                pad_token=loaded.pad_id,
                device=device,
                compute_dtype=next(loaded.model.parameters()).dtype,
            )
        except Diverged as error:
            # Its traceback would keep gradients and optimiser states alive.
            failure, log = error.with_traceback(None), error.log
        tensors = student.tensors()
    seconds = time.perf_counter() - started
    cost = Cost(
        wall_seconds=seconds,
        gpu_seconds=seconds if device.type == "cuda" else None,
        peak_bytes=loaded.added_bytes(memory.peak_bytes),
        floor_bytes=floor,
        trainable_parameters=trained,
        total_parameters=sum(p.numel() for p in loaded.model.parameters()),
        training_items=len(data.rows),
        training_tokens=_tokens_seen(data, config) if failure is None else 0,
        steps=len(log),
    )
    made = _enhancement(method, loaded, tensors, student.adapter)
    made.card = {
        **card,
        "config": config.model_dump(mode="json"),
        "cost": cost.as_dict(),
        "pools": {pool: {**counts, **data.counts(pool)} for pool, counts in card.get("pools", {}).items()},
        "loss_tokens_per_epoch": sum(row.loss_tokens for row in data.rows),
        "changed_values": made.card["changed_values"],
        "log": [asdict(step) for step in log],
    }
    if failure is not None:
        failure.delta = made
        raise failure
    return made


def _enhancement(method: str, loaded: LoadedBackbone, tensors: dict[str, Tensor], adapter: JsonObject | None) -> Delta | Adapter:
    """What was trained, with the share of the values it could change that did; its card says no more yet.

    In 16-bit weights a small update may round back to where it came from.
    """
    originals = {name: p.detach() for name, p in loaded.model.named_parameters()}
    name, digest = loaded.backbone.backbone, loaded.checkpoint.digest
    made: Delta | Adapter
    if adapter is None:
        made = Delta(method, name, digest, 0, tensors)
        changed = {key: _differing(tensor, originals[key]) for key, tensor in tensors.items()}
        made.tensors = {key: tensor for key, tensor in tensors.items() if changed[key]}
    else:
        made = Adapter(method, name, digest, 0, tensors, adapter)
        changed = {key: _differing(merged, originals[key]) for key, merged in made.merged(originals)}
        made.first_changed_layer = first_changed_layer(sorted(changed), loaded.blocks_prefix)
    made.card["changed_values"] = sum(changed.values()) / max(1, sum(originals[key].numel() for key in changed))
    return made


def _differing(tensor: Tensor, original: Tensor) -> int:
    return int((tensor.to(original.device) != original).sum())


def _check_window(loaded: LoadedBackbone, config: SftConfig) -> None:
    window = getattr(loaded.model.config, "max_position_embeddings", None)
    if window is not None and config.max_length > window:
        raise UsageError(f"max_length {config.max_length} is more than the {window} positions {loaded.backbone.backbone} has")


def _floor_bytes(loaded: LoadedBackbone, trained: int, config: SftConfig) -> int:
    """Frozen weights, and for what is trained: weights, gradients and two optimiser states, all in fp32."""
    frozen = sum(p.numel() * p.element_size() for p in loaded.model.parameters()) if config.lora_rank is not None else 0
    return frozen + trained * 4 * 4


def _tokens_seen(data: EncodedSet, config: SftConfig) -> int:
    return sum(len(row.ids) for row in data.rows) * config.epochs
