"""States that fits read, in the store that runs share: a run with one more setting does not read the same rows again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from lensbench.backbones.lazy import LazyBackbone
from lensbench.reuse import environment, key_of_content
from lensbench.stages.reuse import Reuse, method_code

__all__ = ["StatesOfRuns", "states_of_runs"]

_KIND = "states"
_SECONDS = "seconds"
_SHARE = 0.25
"""Of the store's limit: what one run may add. States are large, and scores and answers are not to make room for them."""


class StatesOfRuns:
    """An entry for each row, as safetensors.

    Args:
        made: Everything that decides a row's states beside the row.
    """

    def __init__(self, reuse: Reuse, made: object) -> None:
        self._reuse, self._made = reuse, key_of_content(made)
        self._room = int(reuse.store.limit * _SHARE)

    def _key(self, key: Sequence[int | str]) -> str:
        return key_of_content([self._made, list(key)])

    def read(self, key: Sequence[int | str]) -> tuple[dict[str, Tensor], float] | None:
        """As `KeptStates.read`; a damaged entry is said, and its row is read again."""
        name = self._key(key)
        data = self._reuse.store.get_bytes(_KIND, name)
        if data is None:
            return None
        try:
            tensors = load(data)
            seconds = float(tensors.pop(_SECONDS))
        except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
            self._reuse.store.report_damage(_KIND, name, str(error))
            return None
        self._reuse.taken[_KIND] += 1
        return tensors, seconds

    def write(self, key: Sequence[int | str], tensors: Mapping[str, Tensor], seconds: float) -> None:
        """As `KeptStates.write`, as long as this run has room."""
        size = sum(tensor.nbytes for tensor in tensors.values())
        if size > self._room:
            return
        self._room -= size
        held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        data = save({**held, _SECONDS: torch.tensor(seconds, dtype=torch.float64)})
        self._reuse.store.put(_KIND, self._key(key), data, backbone=self._reuse.backbone, count=1, replace=True)


def states_of_runs(reuse: Reuse, model: LazyBackbone, method: str) -> StatesOfRuns | None:
    """For the fits of a method on a backbone; None if the code of either is not known."""
    code = method_code(method)
    if code is None or model.trust:
        return None
    return StatesOfRuns(reuse, [environment(model.device, model.dtype), model.checkpoint.digest, method, code])
