"""The first block in which a variant differs from its backbone. Blocks below it are computed once for all variants."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import nn

from lensbench.backbones.exchange import exchanged
from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.protocol import EngineVariant

__all__ = ["BASE_BRANCH", "Branch", "branch_of", "branch_of_variant", "held_on_device", "trunk_length"]

Applied = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True)
class Branch:
    """One variant of a backbone, as the tree engine computes it.

    Attributes:
        start: First block that may give another output than the backbone's. None is the backbone itself: it follows the others
            as far as they share blocks, and costs them nothing.
        untouched: Of an intervention at the ends of prompts: modules, by block, whose outputs there it takes from the backbone.
            None is any other variant.
    """

    applied: Applied
    start: int | None
    untouched: Mapping[int, nn.Module] | None = None

    @property
    def is_patch(self) -> bool:
        """Whether it changes only states at the ends of prompts."""
        return self.untouched is not None


BASE_BRANCH = Branch(nullcontext, None)


def branch_of(loaded: LoadedBackbone, applied: Applied, declared: int) -> Branch | None:
    """The branch of an enhancement; None where what it does is not known to be shared, so that it must be scored by itself.

    Known are an exchange of parameters, and a change of states at the ends of prompts (`LoadedBackbone.prompt_editor`). What the
    enhancement says of its first changed layer is checked against the parameters it exchanges or the modules it hooks into; the
    lower one counts. An enhancement that leaves the backbone alone, as some do in some languages, is the backbone.

    Args:
        applied: Makes the context in which the backbone is the variant.
        declared: The enhancement's `first_changed_layer`.
    """
    before = _state(loaded)
    context = applied()
    if type(context) is nullcontext:
        return BASE_BRANCH
    with context:
        after = _state(loaded)
        asks, editor = loaded.wants_prompt_ends, loaded.prompt_editor
        untouched = None if editor is None else editor.untouched
    if untouched is not None:
        start = _first_hook(loaded, before, after)
        return None if start is None else Branch(applied, min(declared, start), untouched)
    if asks or before.modules != after.modules or before.tensors.keys() != after.tensors.keys():
        return None
    blocks, behind = loaded.blocks_prefix + ".", _behind(loaded)
    start = declared
    for name, place in before.tensors.items():
        if after.tensors[name] == place or name in behind:
            continue
        start = min(start, int(name.removeprefix(blocks).split(".")[0]) if name.startswith(blocks) else 0)
    return Branch(applied, start)


def branch_of_variant(loaded: LoadedBackbone, variant: EngineVariant, language: str) -> Branch | None:
    """Where a variant leaves the backbone's path in one language; None where what it does is not known to be shared."""
    if variant.enhancement is None:
        return BASE_BRANCH
    applied = functools.partial(variant.applied, loaded, language)
    return branch_of(loaded, applied, variant.enhancement.first_changed_layer)


def held_on_device(loaded: LoadedBackbone, branch: Branch) -> Branch:
    """The same branch with its tensors ready where the model is: to apply it moves and computes nothing.

    For who applies it at every step; the exchanged tensors stay in memory as long as the branch does.
    """
    before = {name: p.data for name, p in loaded.model.named_parameters()}
    with branch.applied():
        held = {name: p.data for name, p in loaded.model.named_parameters() if p.data_ptr() != before[name].data_ptr()}

    return Branch(functools.partial(exchanged, loaded, held.items()), branch.start)


def trunk_length(branches: list[Branch], count: int) -> int:
    """Blocks that are computed on the backbone for branches to leave from; at least the last one is each branch's own.

    An intervention at the ends of prompts reads the backbone's keys and values all the way.
    """
    if any(branch.is_patch for branch in branches):
        return count - 1
    starts = [min(branch.start, count - 1) for branch in branches if branch.start is not None]
    return max(starts, default=0)


@dataclass(frozen=True)
class _State:
    modules: list[tuple[int, int, int, bool]]
    """Each module, its hooks behind and in front of it, and whether its own function was replaced."""
    tensors: dict[str, tuple[int, int]]


def _state(loaded: LoadedBackbone) -> _State:
    """What can be seen of a model without running it: its modules, their hooks, and where each tensor lies."""
    model: Any = loaded.model
    return _State(
        [(id(m), len(m._forward_hooks), len(m._forward_pre_hooks), "forward" in vars(m)) for m in model.modules()],
        {name: (t.data_ptr(), id(t.dtype)) for name, t in (*model.named_parameters(), *model.named_buffers())},
    )


def _first_hook(loaded: LoadedBackbone, before: _State, after: _State) -> int | None:
    """First block with a hook that was not there before, 0 for one at the embeddings; None where more than hooks was changed.

    Hooks at the decoder as a whole do not count: block by block, it is not called.
    """
    model: Any = loaded.model
    if before.tensors != after.tensors or [(m[0], m[3]) for m in before.modules] != [(m[0], m[3]) for m in after.modules]:
        return None
    prefix = loaded.blocks_prefix + "."
    first = len(loaded.blocks)
    for (name, module), one, other in zip(model.named_modules(), before.modules, after.modules, strict=True):
        if one == other or module is loaded.decoder:
            continue
        if name.startswith(prefix):
            first = min(first, int(name.removeprefix(prefix).split(".")[0]))
        elif module is model.get_input_embeddings():
            first = 0
        else:
            return None
    return first


def _behind(loaded: LoadedBackbone) -> set[str]:
    """Names of the final norm's and the head's own parameters: they change no block's output."""
    model: Any = loaded.model
    head = model.get_output_embeddings()
    modules = {id(loaded.final_norm), id(head)}
    embeddings = {id(p) for p in model.get_input_embeddings().parameters()}
    return {
        f"{prefix}.{name}"
        for prefix, module in model.named_modules()
        if id(module) in modules
        for name, parameter in module.named_parameters()
        if id(parameter) not in embeddings
    }
