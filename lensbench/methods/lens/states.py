"""Hidden states: of the untouched backbone while probing, and of trained blocks beside their frozen copies while training.

One model in memory. The blocks below the first trained one are frozen, so they run once, without gradients, for the model and its
reference together; from there on the trained blocks and a frozen copy of them each go their own way.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lensbench.backbones.load import LoadedBackbone
from lensbench.methods.lens.prompts import Batch

__all__ = ["ForkedBlocks", "LayerStates", "read_states"]

LayerStates = dict[int, Float[Tensor, "*tokens hidden"]]
"""Layer index -> states; index n_layers is the state after the final norm, as in `hidden_states[-1]`."""


@torch.no_grad()
def read_states(loaded: LoadedBackbone, batch: Batch, layers: tuple[int, ...]) -> LayerStates:
    """States of the backbone at the outputs of some blocks, and after the final norm."""
    states: LayerStates = {}
    with contextlib.ExitStack() as stack:
        for index in layers:
            if index < len(loaded.blocks):
                handle = loaded.blocks[index].register_forward_hook(_keep(states, index))
                stack.callback(handle.remove)
        states[len(loaded.blocks)] = _run_decoder(loaded, batch)
    return {index: states[index] for index in layers}


def _run_decoder(loaded: LoadedBackbone, batch: Batch) -> Float[Tensor, "batch seq hidden"]:
    output = loaded.decoder(input_ids=batch.ids, attention_mask=batch.mask.long(), position_ids=batch.positions, use_cache=False)
    states: Tensor = output.last_hidden_state
    return states


def _keep(states: LayerStates, index: int) -> Any:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        states[index] = _tensor(output)

    return hook


def _tensor(output: Any) -> Tensor:
    """Blocks return a tensor, or (in older architectures) a tuple that begins with it."""
    tensor: Tensor = output[0] if isinstance(output, tuple) else output
    return tensor


@dataclass
class _BlockCall:
    """How the model called a block: what a second call needs to be the same computation."""

    hidden: Tensor
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class ForkedBlocks:
    """The last blocks of a backbone, trained, beside a frozen copy of them that serves as the reference.

    Args:
        loaded: The backbone; its other parameters are frozen.
        start: 0-based index of the first trained block.
        layers: Layer indices whose states are wanted; see LayerStates.
    """

    def __init__(self, loaded: LoadedBackbone, start: int, layers: tuple[int, ...]) -> None:
        self.loaded = loaded
        self.start = start
        self.layers = layers
        self.compute_dtype = next(loaded.model.parameters()).dtype
        loaded.model.requires_grad_(False)
        self.trained = list(loaded.blocks)[start:]
        self.frozen = [copy.deepcopy(block) for block in self.trained]
        for block in self.trained:
            # Updates of 1e-5 vanish in bf16 weights: trained blocks are kept in fp32 and computed in the model's dtype.
            block.float().requires_grad_(True)

    def parameters(self) -> list[nn.Parameter]:
        return [parameter for block in self.trained for parameter in block.parameters()]

    def states(self, batch: Batch) -> tuple[LayerStates, LayerStates]:
        """States of the trained model (with gradients) and of the reference (without) on one batch."""
        reference, calls = self._reference(batch)
        states: LayerStates = {}
        hidden = calls[0].hidden
        with self.autocast():
            for offset, (block, call) in enumerate(zip(self.trained, calls, strict=True)):
                hidden = _tensor(block(hidden, *call.args, **call.kwargs))
                states[self.start + offset] = hidden
            states[len(self.loaded.blocks)] = self.loaded.final_norm(hidden)
        return {index: states[index] for index in self.layers}, reference

    @torch.no_grad()
    def _reference(self, batch: Batch) -> tuple[LayerStates, list[_BlockCall]]:
        """One pass through the frozen blocks and the frozen copies, noting how each copied block was called."""
        calls: list[_BlockCall] = []

        def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            hidden = args[0] if args else kwargs["hidden_states"]
            rest = {name: value for name, value in kwargs.items() if name != "hidden_states"}
            calls.append(_BlockCall(hidden, args[1:], rest))

        with contextlib.ExitStack() as stack:
            stack.enter_context(self.frozen_in_place())
            for block in self.frozen:
                stack.callback(block.register_forward_pre_hook(note, with_kwargs=True).remove)
            states = read_states(self.loaded, batch, self.layers)
        return states, calls

    @contextlib.contextmanager
    def frozen_in_place(self) -> Iterator[None]:
        """The model with the frozen copies where the trained blocks are."""
        for offset, block in enumerate(self.frozen):
            self.loaded.blocks[self.start + offset] = block
        try:
            yield
        finally:
            for offset, block in enumerate(self.trained):
                self.loaded.blocks[self.start + offset] = block

    def autocast(self) -> Any:
        """Dtype in which trained blocks are computed: the model's own."""
        if self.compute_dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.loaded.device.type, dtype=self.compute_dtype)

    def finish(self) -> dict[str, Tensor]:
        """The trained tensors by parameter name, in the model's dtype; the backbone gets its own blocks back."""
        prefix = self.loaded.blocks_prefix
        tensors = {}
        for offset, block in enumerate(self.trained):
            for name, parameter in block.named_parameters():
                own = parameter.detach().to(self.compute_dtype).cpu()
                # Of one dtype and device, that is the parameter itself.
                tensors[f"{prefix}.{self.start + offset}.{name}"] = own.clone() if own.data_ptr() == parameter.data_ptr() else own
        for offset, block in enumerate(self.frozen):
            self.loaded.blocks[self.start + offset] = block
        return tensors
