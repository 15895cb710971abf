"""A backbone with other values of some parameters for a while."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from lensbench.backbones.load import LoadedBackbone

__all__ = ["exchanged"]


@contextmanager
def exchanged(loaded: LoadedBackbone, tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterator[None]:
    """The backbone with other values of some parameters; the originals come back afterwards, whatever happened.

    Args:
        tensors: By parameter name, taken one after the other and brought to the device and dtype of the original.
    """
    parameters = dict(loaded.model.named_parameters())
    originals: dict[str, torch.Tensor] = {}
    try:
        with torch.no_grad():
            for name, tensor in tensors:
                originals[name] = parameters[name].data
                parameters[name].data = tensor.to(device=originals[name].device, dtype=originals[name].dtype)
        yield
    finally:
        for name, tensor in originals.items():
            parameters[name].data = tensor
