"""Test of a fitted intervention on its backbone, before it is returned."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError
from lensbench.methods.incline.intervention import Intervention
from lensbench.methods.incline.sites import output_of, site_modules

__all__ = ["check_intervention"]


@torch.no_grad()
def check_intervention(loaded: LoadedBackbone, made: Intervention, language: str, prompt: Sequence[int]) -> None:
    """Read a prompt with and without the intervention, and decode one step behind it.

    Raises:
        RunError: at a changed layer the last token's state is what it was, an earlier token's is not, or a prompt of the central
            language or a decoding step is changed.
    """
    ids = torch.tensor([list(prompt)], device=loaded.device)
    layers = tuple(made.alignments[language])
    base = _states(loaded, made, layers, ids)
    with made.applied(loaded, language):
        changed = _states(loaded, made, layers, ids)
    with made.applied(loaded, made.central):
        central = _states(loaded, made, layers, ids)
    for index in layers:
        where = f"INCLINE for '{language}': at layer {index}"
        if not torch.equal(base[index], central[index]):
            raise RunError(f"{where} a prompt in '{made.central}' is changed")
        if not torch.equal(base[index][:, :-1], changed[index][:, :-1]):
            raise RunError(f"{where} a token before the prompt's last is changed")
        if made.alphas[language] != 0 and torch.equal(base[index][:, -1], changed[index][:, -1]):
            raise RunError(
                f"{where} the prompt's last token is not changed", "The map may be zero: choose other layers or more pairs."
            )
    cache = DynamicCache(config=loaded.model.config)
    loaded.model(input_ids=ids, past_key_values=cache, use_cache=True)
    step = {"input_ids": ids[:, -1:], "attention_mask": torch.ones(1, len(prompt) + 1, dtype=torch.long, device=loaded.device)}
    base = _states(loaded, made, layers, past_key_values=copy.deepcopy(cache), use_cache=True, **step)
    with made.applied(loaded, language):
        changed = _states(loaded, made, layers, past_key_values=cache, use_cache=True, **step)
    if not all(torch.equal(base[index], changed[index]) for index in layers):
        raise RunError(f"INCLINE for '{language}' changes a decoding step")


def _states(
    loaded: LoadedBackbone, made: Intervention, layers: Sequence[int], ids: Tensor | None = None, **call: Any
) -> dict[int, Tensor]:
    """Outputs of the site's modules as the model goes on with them."""
    found: dict[int, Tensor] = {}

    def keeper(index: int) -> Any:
        def keep(module: nn.Module, inputs: Any, output: Any) -> None:
            found[index] = output_of(output).clone()

        return keep

    with contextlib.ExitStack() as stack:
        for index, module in site_modules(loaded, made.site, layers).items():
            stack.callback(module.register_forward_hook(keeper(index)).remove)
        loaded.model(**({"input_ids": ids, "use_cache": False} if ids is not None else call))
    return found
