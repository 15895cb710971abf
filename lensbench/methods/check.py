"""Test of changed weights on a backbone, before they are saved."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.specials import encode_text
from lensbench.errors import RunError
from lensbench.methods.base import Enhancement

__all__ = ["check_weights"]

_PROMPT = "Hello! 你好！ Jambo!"


@torch.no_grad()
def check_weights(name: str, loaded: LoadedBackbone, enhancement: Enhancement) -> None:
    """Read a prompt with and without the enhancement, and decode one step behind it.

    Args:
        name: Of the method.
        enhancement: A mergeable one.

    Raises:
        RunError: on the prompt or on the step, a state below the first changed block differs, the last state does not or is not
            finite; or the backbone is not what it was afterwards.
    """
    ids = torch.tensor([encode_text(loaded.tokenizer, _PROMPT)], device=loaded.device)
    base = _states(loaded, ids)
    with enhancement.applied(loaded, "en"):
        changed = _states(loaded, ids)
    after = _states(loaded, ids)
    first = enhancement.first_changed_layer
    for phase in ("prompt", "step"):
        for layer in range(first + 1):
            # States in front of a block: what the blocks below it made.
            if first > 0 and not torch.equal(base[phase][layer], changed[phase][layer]):
                raise RunError(
                    f"{name}: the state before block {layer} has changed ({phase}), "
                    f"but block {first} is said to be the first changed one"
                )
        if not changed[phase][-1].isfinite().all():
            # The last step of all may do it, after the last loss was looked at.
            raise RunError(f"{name}: the last state is not finite ({phase}): training has diverged", "Lower learning_rate.")
        if torch.equal(base[phase][-1], changed[phase][-1]):
            raise RunError(
                f"{name}: fitting has changed nothing ({phase}): the last state is unchanged",
                "The updates may be too small for the weights' dtype: more items or a higher learning rate.",
            )
        if not all(torch.equal(x, y) for x, y in zip(base[phase], after[phase], strict=True)):
            raise RunError(f"{name}: the backbone has changed after the enhancement was removed ({phase})")


def _states(loaded: LoadedBackbone, ids: Tensor) -> dict[str, list[Tensor]]:
    """By phase: the state in front of every block, then the last one, after the final norm."""
    cache = DynamicCache(config=loaded.model.config)
    call = {"past_key_values": cache, "use_cache": True, "output_hidden_states": True}
    prompt = loaded.decoder(input_ids=ids, **call)
    step = loaded.decoder(input_ids=ids[:, -1:], **call)
    return {"prompt": list(prompt.hidden_states), "step": list(step.hidden_states)}
