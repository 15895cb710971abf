"""Test of an enhancement on its backbone before it is saved: what it changes, and what the fit leaves behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.specials import encode_text
from lensbench.errors import RunError
from lensbench.methods.base import Enhancement
from lensbench.threads import one_thread

__all__ = ["Snapshot", "check_enhancement", "difference", "take_snapshot"]

_PROMPT = "Hello! 你好！ Jambo!"
_States = Mapping[str, Sequence[Tensor]]
"""By phase ("prompt", "step"): the state in front of every block, the last one (after the final norm), and the logits."""


@dataclass(frozen=True)
class Snapshot:
    """How a backbone computes, and what is attached to it."""

    states: _States
    hooks: Mapping[str, tuple[int, int, bool, bool]]
    """By module: its hooks behind and in front of it, whether its `forward` was replaced, its training mode."""
    tensors: frozenset[str]
    """Names of parameters and buffers."""
    prompt_ends: tuple[bool, int]
    """`LoadedBackbone.wants_prompt_ends`, and the identity of its `prompt_editor`."""


def take_snapshot(loaded: LoadedBackbone) -> Snapshot:
    """The backbone as it is now, from one prompt and one decoding step."""
    states = _states(loaded)
    model: Any = loaded.model
    return Snapshot(
        states,
        _hooks(loaded),
        frozenset(name for name, _ in (*model.named_parameters(), *model.named_buffers())),
        (loaded.wants_prompt_ends, id(loaded.prompt_editor)),
    )


def difference(loaded: LoadedBackbone, before: Snapshot) -> str | None:
    """What a backbone computes or holds otherwise than in a snapshot, in words; None where it is the same."""
    now = take_snapshot(loaded)
    for name in sorted(before.hooks.keys() | now.hooks.keys()):
        if before.hooks.get(name) != now.hooks.get(name):
            return f"the module '{name}' has {_changed(before.hooks.get(name), now.hooks.get(name))}"
    if before.tensors != now.tensors:
        return f"the parameters or buffers {', '.join(sorted(before.tensors ^ now.tensors)[:3])} were added or removed"
    if before.prompt_ends != now.prompt_ends:
        return "wants_prompt_ends or prompt_editor is still set"
    for phase, states in before.states.items():
        if not all(_same(x, y) for x, y in zip(states, now.states[phase], strict=True)):
            return f"it computes other states ({phase})"
    return None


def _changed(one: tuple[Any, ...] | None, other: tuple[Any, ...] | None) -> str:
    if one is None or other is None:
        return "been added or removed"
    if one[:2] != other[:2]:
        return "other hooks"
    return "another forward function" if one[2] != other[2] else "another training mode"


def check_enhancement(
    name: str, loaded: LoadedBackbone, enhancement: Enhancement, languages: Sequence[str], before: Snapshot
) -> None:
    """Read a prompt with and without the enhancement, and decode one step behind it.

    Args:
        name: Of the method or variant.
        languages: Codes, the central one first. An enhancement of weights is the same in all: only the first is tried.
        before: The backbone as it was before the fit.

    Raises:
        RunError: the fit has left something on the backbone; a state below the first changed block differs; the last state is
            not finite, or is unchanged where the enhancement changes weights; an enhancement of weights brings hooks; or the
            backbone is not what it was afterwards.
    """
    left = difference(loaded, before)
    if left is not None:
        raise RunError(f"{name}: the fit has changed the backbone: {left}", "A fit must remove all its hooks and changes.")
    first, count = enhancement.first_changed_layer, len(loaded.blocks)
    if not 0 <= first <= count:
        raise RunError(
            f"{name}: first_changed_layer is {first}, the model has {count} blocks", f"Give a block from 0 to {count}."
        )
    for language in languages[:1] if enhancement.mergeable else languages:
        with enhancement.applied(loaded, language):
            if enhancement.mergeable and before.hooks != _hooks(loaded):
                raise RunError(
                    f"{name}: it is said to be mergeable, but puts hooks on the model",
                    "Set mergeable to False, or change weights.",
                )
            changed = _states(loaded)
        _check_states(name, before.states, changed, first, must_change=enhancement.mergeable)
        left = difference(loaded, before)
        if left is not None:
            raise RunError(f"{name}: the backbone has changed after the enhancement was removed: {left}")


def _check_states(name: str, base: _States, changed: _States, first: int, *, must_change: bool) -> None:
    for phase in ("prompt", "step"):
        # States in front of a block: what the blocks below it made.
        for layer in range(min(first, len(base[phase]) - 3) + 1 if first > 0 else 0):
            if not _same(base[phase][layer], changed[phase][layer]):
                raise RunError(
                    f"{name}: the state before block {layer} has changed ({phase}), "
                    f"but block {first} is said to be the first changed one"
                )
        if not all(state.isfinite().all() for state in changed[phase][-2:]):
            # The last step of all may do it, after the last loss was looked at.
            raise RunError(
                f"{name}: the last state is not finite ({phase})",
                "Lower learning_rate: training has diverged." if must_change else "The intervention is too strong.",
            )
        if must_change and all(map(torch.equal, base[phase][-2:], changed[phase][-2:])):
            raise RunError(
                f"{name}: fitting has changed nothing ({phase}): the last state is unchanged",
                "The updates may be too small for the weights' dtype: more items or a higher learning rate.",
            )


def _same(one: Tensor, other: Tensor) -> bool:
    """Bit by bit, but for the kind of a NaN: a backbone may have those itself."""
    return one.shape == other.shape and bool(torch.equal(one.nan_to_num(nan=1.5), other.nan_to_num(nan=1.5)))


def _hooks(loaded: LoadedBackbone) -> dict[str, tuple[int, int, bool, bool]]:
    model: Any = loaded.model
    return {
        name or "model": (_own(m._forward_hooks), _own(m._forward_pre_hooks), "forward" in vars(m), m.training)
        for name, m in model.named_modules()
    }


def _own(hooks: Mapping[int, Any]) -> int:
    """Number of hooks, without those that transformers itself puts in place when hidden states are first asked for."""
    return sum(not str(getattr(hook, "__module__", "")).startswith("transformers.") for hook in hooks.values())


@one_thread()
@torch.no_grad()
def _states(loaded: LoadedBackbone) -> dict[str, list[Tensor]]:
    """States of a prompt, and of its last token once more as a decoding step."""
    ids = torch.tensor([encode_text(loaded.tokenizer, _PROMPT)], device=loaded.device)
    cache = DynamicCache(config=loaded.model.config)
    found: dict[str, list[Tensor]] = {}
    for phase, read in (("prompt", ids), ("step", ids[:, -1:])):
        with _recorded(loaded) as states:
            logits = loaded.model(input_ids=read, past_key_values=cache, use_cache=True).logits
        found[phase] = [*(states[place] for place in sorted(states)), logits]
    return found


@contextmanager
def _recorded(loaded: LoadedBackbone) -> Iterator[dict[int, Tensor]]:
    """The input of every block as the block below made it, and the final norm's output, of the last pass in the context.

    An own hook is in front of all others in front of a block, and behind all others behind the norm: transformers' own recorder
    would not see what hooks behind a block do.
    """
    states: dict[int, Tensor] = {}

    def keep_input(place: int) -> Any:
        def hook(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            states[place] = (args[0] if args else kwargs["hidden_states"]).detach().clone()

        return hook

    def keep_output(module: Any, args: tuple[Any, ...], output: Tensor) -> None:
        states[len(loaded.blocks)] = output.detach().clone()

    with ExitStack() as stack:
        for place, block in enumerate(loaded.blocks):
            handle = block.register_forward_pre_hook(keep_input(place), prepend=True, with_kwargs=True)
            stack.callback(handle.remove)
        stack.callback(loaded.final_norm.register_forward_hook(keep_output).remove)
        yield states
