"""The hooks that change the state of a prompt's last token, once, while the prompt is read.

A hook on the decoder sees every call of the model before the blocks do. It tells a prompt from a decoding step, finds the last
prompt token of every row, and with `values: clean` first runs an untouched pass that keeps what the blocks say there. An engine
that calls the blocks one by one says itself where prompts end, and what the untouched blocks say there (`editing`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from lensbench.backbones.load import LoadedBackbone
from lensbench.errors import RunError
from lensbench.methods.incline.config import Site
from lensbench.methods.incline.fit import Alignment
from lensbench.methods.incline.sites import output_of, site_modules, with_output

__all__ = ["PromptEndHooks"]

_NOT_IN_CLEAN_PASS = {"past_key_values", "use_cache", "output_hidden_states", "output_attentions"}


@dataclass
class _Call:
    """Information on the current decoder call for the hooks."""

    rows: Int[Tensor, " prompts"]
    ends: Int[Tensor, " prompts"]
    """Index of the last prompt token in each of `rows`."""
    reading: bool = False
    told: bool = False
    """Whether an engine that calls the blocks itself has given the prompt ends."""
    clean: dict[int, Float[Tensor, "prompts hidden"]] = field(default_factory=dict)


class PromptEndHooks:
    """h + alpha h W in place of h, at the last token of every prompt (paper eq. 4).

    Args:
        alignments: W by layer index, on the backbone's device.
        clean: Take h from an untouched pass, instead of from the pass in which the layers below are changed already.
    """

    def __init__(
        self, loaded: LoadedBackbone, site: Site, alignments: Mapping[int, Alignment], alpha: float, *, clean: bool
    ) -> None:
        self._loaded, self._alpha, self._clean = loaded, alpha, clean
        self._alignments = alignments
        self._modules = site_modules(loaded, site, tuple(alignments))
        self._call: _Call | None = None
        self._inside = False

    @property
    def untouched(self) -> Mapping[int, nn.Module]:
        """As `PromptEditor.untouched`; nothing is changed in front of the first module, so what it says is clean."""
        return {index: self._modules[index] for index in sorted(self._modules)[1:]} if self._clean else {}

    @contextlib.contextmanager
    def editing(self, ends: Int[Tensor, " ends"], untouched: Mapping[int, Float[Tensor, "ends hidden"]]) -> Iterator[None]:
        """Same as `PromptEditor.editing`."""
        self._call, self._inside = _Call(torch.zeros_like(ends), ends, told=True, clean=dict(untouched)), True
        try:
            yield
        finally:
            self._call, self._inside = None, False

    @contextlib.contextmanager
    def registered(self) -> Iterator[None]:
        """The hooks in place; they and the request for prompt ends are gone afterwards, whatever happened."""
        before = self._loaded.wants_prompt_ends, self._loaded.prompt_editor
        with contextlib.ExitStack() as stack:
            decoder = self._loaded.decoder
            stack.callback(decoder.register_forward_pre_hook(self._begin, with_kwargs=True).remove)
            stack.callback(decoder.register_forward_hook(self._end, always_call=True).remove)
            for index, module in self._modules.items():
                stack.callback(module.register_forward_hook(self._changer(index)).remove)
            self._loaded.wants_prompt_ends, self._loaded.prompt_editor = True, self
            try:
                yield
            finally:
                self._loaded.wants_prompt_ends, self._loaded.prompt_editor = before

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._call is not None and (self._call.reading or self._call.told):
            return
        self._call, self._inside = None, True
        ids = args[0] if args else kwargs.get("input_ids")
        rows, width = (ids if ids is not None else kwargs["inputs_embeds"]).shape[:2]
        cache = kwargs.get("past_key_values")
        if cache is not None and cache.get_seq_length() > 0:
            if width == 1:
                return
            raise RunError(
                "INCLINE changes a prompt's last token while the whole prompt is read; here a cache already holds its beginning",
                "Score and generate interventions with an engine that reads prompts whole.",
            )
        ends = self._prompt_ends(rows, width, kwargs.get("attention_mask"))
        chosen = (ends >= 0).nonzero()[:, 0]
        call = _Call(chosen, ends[chosen])
        if self._clean and len(chosen):
            untouched = {name: value for name, value in kwargs.items() if name not in _NOT_IN_CLEAN_PASS}
            self._call, call.reading = call, True
            try:
                module(*args, **untouched, use_cache=False)
            except BaseException:
                self._call, self._inside = None, False
                raise
            call.reading = False
        self._call = call

    def _end(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._call is None or not (self._call.reading or self._call.told):
            self._call, self._inside = None, False

    def _prompt_ends(self, rows: int, width: int, mask: Tensor | None) -> Int[Tensor, " rows"]:
        """Index of the last prompt token of every row, -1 where there is no prompt."""
        told, device = self._loaded.prompt_ends, self._loaded.device
        if told is not None:
            if len(told) != rows or int(told.max()) >= width:
                raise RunError(f"prompt ends {told.tolist()} do not fit a batch of {rows} rows of {width} tokens")
            return told.to(device)
        if mask is not None and mask.ndim == 2:
            return width - 1 - mask[:, -width:].flip(1).long().argmax(1).to(device)
        return torch.full((rows,), width - 1, device=device)

    def _changer(self, index: int) -> Any:
        def change(module: nn.Module, inputs: Any, output: Any) -> Any:
            if not self._inside:
                raise RunError("INCLINE is applied, and a block was called without the decoder around it")
            call = self._call
            if call is None or not len(call.rows):
                return None
            states = output_of(output)
            at = (call.rows.to(states.device), call.ends.to(states.device))
            if call.reading:
                call.clean[index] = states[at]
                return None
            given = self._clean and not (call.told and index == min(self._modules))
            own = (call.clean[index] if given else states[at]).float()
            mixed = own + self._alpha * self._alignments[index](own)
            changed = states.clone()
            changed[at] = mixed.to(states.dtype)
            return with_output(output, changed)

        return change
