"""A backbone with temporarily replaced parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError

__all__ = ["exchanged"]


@contextmanager
def exchanged(loaded: LoadedBackbone, tensors: Iterable[tuple[str, torch.Tensor]]) -> Iterator[None]:
    """The backbone with other values of some parameters; the originals come back afterwards, whatever happened.

    Args:
        tensors: By parameter name, taken one after the other and brought to the device and dtype of the original.

    Raises:
        RunError: the backbone has no parameter of such a name, or one of another shape.
    """
    parameters = dict(loaded.model.named_parameters())
    originals: dict[str, torch.Tensor] = {}
    try:
        with torch.no_grad():
            for name, tensor in tensors:
                if name not in parameters or parameters[name].shape != tensor.shape:
                    found = f"{list(parameters[name].shape)}" if name in parameters else "no such parameter"
                    raise RunError(
                        f"the enhancement changes {name[:120]} {list(tensor.shape)}, the backbone has {found}",
                        "It was made for another backbone, or its file was changed.",
                    )
                originals[name] = parameters[name].data
                parameters[name].data = tensor.to(device=originals[name].device, dtype=originals[name].dtype)
        yield
    finally:
        for name, tensor in originals.items():
            parameters[name].data = tensor
