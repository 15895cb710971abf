"""How many variants travel together: as many as fit into the memory that is set aside for them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from lensbench.backbones.lazy import LazyBackbone
from lensbench.engines.kv_memory import kv_bytes_per_token
from lensbench.hub import size_text
from lensbench.memory import free_bytes
from lensbench.stages.stored import StoredEnhancement
from lensbench.stages.variants import Variant

__all__ = ["bytes_of_variant", "default_memory", "groups_within", "release_all"]

_TOKENS = 1024
"""Tokens whose keys and values an engine keeps for each variant while it reads what comes behind them."""


def default_memory(model: LazyBackbone) -> int | None:
    """Half of what is free on the model's device, once the weights are there; None where the system does not tell."""
    free = free_bytes(model.device)
    if free is None:
        return None
    weights = 0 if model.is_loaded else sum(path.stat().st_size for path in Path(model.checkpoint.path).glob("*.safetensors"))
    return max(free - weights, 0) // 2


def bytes_of_variant(model: LazyBackbone, variant: Variant) -> int:
    """Memory that a variant needs while it is asked: its tensors, and keys and values in the blocks that are its own."""
    enhancement: Any = variant.enhancement
    if enhancement is None:
        return 0
    config = model.config.get_text_config()
    own = max(config.num_hidden_layers - enhancement.first_changed_layer, 0)
    held = enhancement.nbytes if isinstance(enhancement, StoredEnhancement) else 0
    return held + _TOKENS * kv_bytes_per_token(config, model.dtype) * own // config.num_hidden_layers


def groups_within(
    model: LazyBackbone, variants: Sequence[Variant], memory: int | None, notify: Callable[[str], None]
) -> list[list[Variant]]:
    """Variants in their order, as many together as fit. One that does not fit at all is a group of its own.

    Args:
        memory: Bytes; None is `default_memory`.
    """
    sizes = [bytes_of_variant(model, variant) for variant in variants]
    room = default_memory(model) if memory is None else memory
    if room is None:
        return [list(variants)]
    groups: list[list[Variant]] = []
    held = 0
    for variant, size in zip(variants, sizes, strict=True):
        # What costs nothing, as the backbone, goes with its neighbours.
        if not groups or (held and size and held + size > room):
            groups.append([])
            held = 0
        groups[-1].append(variant)
        held += size
    if len(groups) > 1:
        share = "``memory``" if memory is not None else "half of what is free; ``memory`` changes it"
        notify(
            f"{len(variants)} variants need {size_text(sum(sizes))}, {size_text(room)} is set aside ({share}): "
            f"they are asked in {len(groups)} groups"
        )
    return groups


def release_all(variants: Iterable[Variant]) -> None:
    """Let go of what the enhancements of some variants hold in memory."""
    for variant in variants:
        if isinstance(variant.enhancement, StoredEnhancement):
            variant.enhancement.release()
