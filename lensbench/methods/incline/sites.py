"""Sites where INCLINE reads and changes states: the modules of a site, and their states over many texts."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import UsageError
from lensbench.methods.incline.config import Site
from lensbench.methods.lens.prompts import pad

__all__ = ["output_of", "read_pooled", "site_modules", "with_output"]

_INSIDE = {"attn": "self_attn", "mlp": "mlp"}


def site_modules(loaded: LoadedBackbone, site: Site, layers: Sequence[int]) -> dict[int, nn.Module]:
    """The module whose output is the site, by layer index.

    Raises:
        UsageError: the architecture names the module otherwise.
    """
    if site == "emb":
        return {0: loaded.model.get_input_embeddings()}
    if site == "hidden":
        return {index: loaded.blocks[index] for index in layers}
    found = {index: getattr(loaded.blocks[index], _INSIDE[site], None) for index in layers}
    if any(module is None for module in found.values()):
        raise UsageError(
            f"the blocks of {type(loaded.model).__name__} have no '{_INSIDE[site]}', so site {site} cannot be used",
            "Every architecture has site hidden.",
        )
    return {index: module for index, module in found.items() if module is not None}


def output_of(output: Any) -> Float[Tensor, "batch seq hidden"]:
    """The states in a module's output: attention, and blocks of older architectures, return a tuple that begins with them."""
    states: Tensor = output[0] if isinstance(output, tuple) else output
    return states


def with_output(output: Any, states: Float[Tensor, "batch seq hidden"]) -> Any:
    """A module's output with other states in it."""
    return (states, *output[1:]) if isinstance(output, tuple) else states


@torch.no_grad()
def read_pooled(
    loaded: LoadedBackbone,
    rows: Sequence[Sequence[int]],
    site: Site,
    layers: Sequence[int],
    pool: Literal["last", "mean"],
    *,
    batch_size: int,
    advance: Callable[[int], None] = lambda n: None,
) -> dict[int, Float[Tensor, "rows hidden"]]:
    """One state per row of token ids and layer, in fp32 on the CPU.

    Args:
        pool: "last" is the last token, "mean" the mean over the row's tokens, BOS included.
        advance: Called with the number of rows after every batch.
    """
    modules = site_modules(loaded, site, layers)
    pooled = {index: torch.zeros(len(rows), loaded.hidden_size) for index in modules}
    order = sorted(range(len(rows)), key=lambda row: len(rows[row]))
    found: dict[int, Tensor] = {}
    with contextlib.ExitStack() as stack:
        for index, module in modules.items():
            stack.callback(module.register_forward_hook(_keeper(found, index)).remove)
        for start in range(0, len(order), batch_size):
            chosen = order[start : start + batch_size]
            batch = pad([rows[row] for row in chosen], loaded.pad_id, loaded.device)
            loaded.decoder(input_ids=batch.ids, attention_mask=batch.mask.long(), position_ids=batch.positions, use_cache=False)
            for index, states in found.items():
                pooled[index][chosen] = _pool(states, batch.mask, pool).cpu()
            advance(len(chosen))
    return pooled


def _keeper(found: dict[int, Tensor], index: int) -> Any:
    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        found[index] = output_of(output)

    return keep


def _pool(states: Float[Tensor, "batch seq hidden"], mask: Tensor, pool: str) -> Float[Tensor, "batch hidden"]:
    if pool == "last":  # left padding: the last column is the last token of every row
        return states[:, -1].float()
    weights = mask.to(states.device)[..., None].float()
    # Not states * weights: what stands at a pad need not be finite.
    return torch.where(weights > 0, states.float(), 0.0).sum(1) / weights.sum(1)
