"""The trained parameters: a copy in fp32, or low-rank adapters on frozen weights. The backbone itself never changes.

Memory, in bytes per parameter of the backbone (weights of `b` bytes; activations come on top):

- all parameters: 16 for the copy, its gradients and the two states of AdamW. The backbone's own `b` come on top on the CPU; on an
  accelerator its weights wait in the host's memory meanwhile, so the device holds 16.
- adapters: `b`, which the copy shares with the backbone, and 16 for each parameter of an adapter.
"""

from __future__ import annotations

import copy
import enum
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.methods.sft.config import SftConfig

__all__ = ["Trainee", "first_changed_layer", "trainee"]


@dataclass(frozen=True)
class Trainee:
    """A model for the optimiser, and the way back to the backbone's own parameters."""

    model: nn.Module
    tensors: Callable[[], dict[str, Tensor]]
    """Values now, on the CPU: all that training may have changed, by the backbone's parameter names in the backbone's dtype, or
    an adapter's own in fp32."""
    adapter: JsonObject | None = None
    """Settings of the adapter, as peft has them; None where the backbone's own parameters are trained."""

    @property
    def trained(self) -> list[nn.Parameter]:
        return [p for p in self.model.parameters() if p.requires_grad]


@contextmanager
def trainee(loaded: LoadedBackbone, config: SftConfig) -> Iterator[Trainee]:
    """Something to train, made from the backbone; afterwards the backbone is on its device, byte for byte as it was.

    Raises:
        UsageError: `lora_targets` that the model does not have.
    """
    grads = {name: p.requires_grad for name, p in loaded.model.named_parameters()}
    device = loaded.device
    try:
        if config.lora_rank is not None:
            yield _adapted(loaded, config)
            return
        if device.type != "cpu":
            loaded.model.to("cpu")
        yield _copied(loaded, device)
    finally:
        if loaded.device != device:
            loaded.model.to(device)
        for name, parameter in loaded.model.named_parameters():
            parameter.requires_grad_(grads[name])


def _copied(loaded: LoadedBackbone, device: torch.device) -> Trainee:
    # Updates of 1e-5 vanish in bf16 weights, so the copy is fp32 whatever the backbone is.
    model = copy.deepcopy(loaded.model).float().to(device).requires_grad_(True)
    dtypes = {name: p.dtype for name, p in loaded.model.named_parameters()}

    def tensors() -> dict[str, Tensor]:
        return {name: p.detach().to(dtypes[name]).cpu() for name, p in model.named_parameters()}

    return Trainee(model, tensors)


def _adapted(loaded: LoadedBackbone, config: SftConfig) -> Trainee:
    peft: Any = importlib.import_module("peft")
    # The memo makes the copy's modules hold the backbone's own tensors: peft rewires modules, and freezes the weights.
    shared = copy.deepcopy(loaded.model, {id(p): p for p in loaded.model.parameters()})
    rank = int(config.lora_rank or 0)
    torch.manual_seed(config.seed)
    adapters = peft.LoraConfig(
        r=rank,
        lora_alpha=2 * rank if config.lora_alpha is None else config.lora_alpha,
        lora_dropout=0.0,
        target_modules=list(config.lora_targets) or "all-linear",
        task_type="CAUSAL_LM",
    )
    try:
        model = peft.get_peft_model(shared, adapters)
    except ValueError as error:
        raise UsageError(
            f"lora_targets {', '.join(config.lora_targets) or 'all linear modules'}: {str(error).splitlines()[0]}",
            "Give the last parts of module names, such as q_proj, or none for all linear modules of the blocks.",
        ) from None
    _check_adapted(loaded, model, peft)

    def tensors() -> dict[str, Tensor]:
        return {name: value.detach().float().cpu().clone() for name, value in peft.get_peft_model_state_dict(model).items()}

    settings = model.peft_config["default"].to_dict()
    settings |= {"target_modules": sorted(settings["target_modules"]), "base_model_name_or_path": loaded.checkpoint.name}
    return Trainee(model, tensors, {key: _plain(value) for key, value in settings.items()})


def _check_adapted(loaded: LoadedBackbone, model: Any, peft: Any) -> None:
    """Only linear modules with a weight of their own can be adapted: embeddings, and a projection tied to them, cannot be merged.

    Raises:
        UsageError: another module is.
    """
    weights = {name for name, _ in loaded.model.named_parameters()}
    for name, module in model.get_base_model().named_modules():
        if not isinstance(module, peft.tuners.lora.LoraLayer):
            continue
        if not isinstance(module.get_base_layer(), nn.Linear) or f"{name}.weight" not in weights:
            raise UsageError(f"lora_targets: {name} is no linear module with a weight of its own", "Name modules of the blocks.")


def _plain(value: Any) -> Any:
    return str(value.value) if isinstance(value, enum.Enum) else value


def first_changed_layer(names: list[str], blocks_prefix: str) -> int:
    """The lowest 0-based block among parameter names; 0 when one stands outside the blocks, as the embeddings do."""
    indices = [name.removeprefix(f"{blocks_prefix}.").partition(".")[0] for name in names]
    inside = [name.startswith(f"{blocks_prefix}.") for name in names]
    return min((int(i) for i in indices), default=0) if all(inside) else 0
