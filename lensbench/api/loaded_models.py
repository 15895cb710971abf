"""A model and tokenizer loaded by the caller, wrapped as a loaded backbone."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path
from lensbench.errors import UsageError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from lensbench.backbones.load import LoadedBackbone

__all__ = ["evaluating", "load_model", "weights_fingerprint", "wrapped"]

_VALUES = 4096
"""Values of each tensor that its fingerprint reads."""


def load_model(
    backbone: str | os.PathLike[str],
    *,
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    trust_model: bool = False,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A backbone as model and tokenizer of transformers, from wherever a run would take it.

    Args:
        backbone: Short name, hub id or model folder.
        device: "auto", "cpu", "cuda", "cuda:1".
        dtype: "auto" (float32 on a CPU, bfloat16 on CUDA), "float32", "bfloat16" or "float16".
        revision: Hub commit.
        trust_model: Let Python code of a model given as folder or hub id run.

    Raises:
        UsageError: an unknown name, device or dtype.
        UnavailableError: the weights are not available, or are damaged.
    """
    from lensbench.backbones import get_backbone
    from lensbench.backbones.load import load_backbone
    from lensbench.backbones.resolve import find_checkpoint

    base = get_backbone(os.fspath(a_path("backbone", backbone)))
    checkpoint = find_checkpoint(base, revision=revision, trust=trust_model)
    loaded = load_backbone(base, checkpoint, device=device, dtype=dtype, trust=trust_model)
    return loaded.model, loaded.tokenizer


def wrapped(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, system: str | None = None) -> LoadedBackbone:
    """The model as a backbone; neither it nor the tokenizer is changed.

    Args:
        system: System message of every prompt; None sends none.

    Raises:
        UsageError: no model or no tokenizer of transformers.
    """
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from lensbench.backbones.checkpoint import Checkpoint
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.backbones.registry import Backbone

    if not isinstance(model, PreTrainedModel):
        raise UsageError(f"model must be a model of transformers, found {type(model).__name__}")
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        raise UsageError(f"tokenizer must be a tokenizer of transformers, found {type(tokenizer).__name__}")
    name = str(getattr(model, "name_or_path", "") or type(model).__name__)
    backbone = Backbone(backbone=name, title=name, system_text=system)
    checkpoint = Checkpoint(Path(name), "memory", name, None, weights_fingerprint(model))
    return LoadedBackbone(backbone, checkpoint, model, tokenizer)


def weights_fingerprint(model: PreTrainedModel) -> str:
    """Names a model by its weights: SHA-256 over name, shape, dtype and at most 4096 evenly spaced values of every parameter.

    Hashing all of a large model would take minutes; training changes values everywhere, so a sample tells models apart.
    """
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        values = parameter.detach().flatten()
        sample = values[:: max(1, values.numel() // _VALUES)][:_VALUES].float().cpu().numpy()
        digest.update(f"{name} {tuple(parameter.shape)} {parameter.dtype}".encode() + sample.tobytes())
    return f"memory:{digest.hexdigest()}"


@contextmanager
def evaluating(model: Any) -> Iterator[None]:
    """The model in evaluation mode while the context lasts; mode and gradient flags are as before afterwards."""
    training = model.training
    flags = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    model.eval()
    try:
        yield
    finally:
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(flags.get(name, parameter.requires_grad))
        model.train(training)
