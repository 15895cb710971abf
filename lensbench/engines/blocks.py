"""Access to a model's parts: the part before the blocks, each block, and the part after them.

Nothing of any architecture is rebuilt here. To learn what the decoder hands to its blocks (scaled embeddings, a rotary embedding
per kind of layer), its own forward runs over recorders in the blocks' places; to get logits from states (soft-capping, scaling),
the model's own forward runs over a decoder that returns them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutputWithPast

from lensbench.backbones.load import LoadedBackbone
from lensbench.engines.protocol import CannotScore
from lensbench.engines.tree.attention import NAME, AttentionStep, KeysOnly, KeysValues, RowTensors

__all__ = ["BlockCalls", "Blocks", "CannotPack"]

_PACKABLE = frozenset(
    {"llama", "qwen2", "qwen3", "mistral", "phi3", "gemma", "gemma2", "gemma3_text", "smollm3", "olmo2", "granite"}
)
"""Model types that are tested; another may mix tokens by something that does not know of branches."""


class CannotPack(CannotScore):
    """The tree engine cannot read this model; the reference engine can."""


class BlockCalls:
    """States before the first block, and the keyword arguments of each block."""

    def __init__(self, states: Float[Tensor, "rows tokens hidden"], keywords: list[dict[str, Any]]) -> None:
        self.states, self.keywords = states, keywords


class _Recorder(nn.Module):
    def __init__(self, calls: list[tuple[Tensor, dict[str, Any]]]) -> None:
        super().__init__()
        self._calls = calls

    def forward(self, hidden_states: Tensor, **keywords: Any) -> Tensor:
        self._calls.append((hidden_states, keywords))
        return hidden_states


class _Returns(nn.Module):
    def __init__(self, states: Tensor) -> None:
        super().__init__()
        self._states = states

    def forward(self, *args: Any, **keywords: Any) -> BaseModelOutputWithPast:
        return BaseModelOutputWithPast(last_hidden_state=self._states)


class _PartOf(nn.Module):
    """Some outputs of a linear module."""

    def __init__(self, whole: nn.Linear, part: slice) -> None:
        super().__init__()
        self._weight, self._bias = whole.weight[part], None if whole.bias is None else whole.bias[part]

    def forward(self, states: Tensor) -> Tensor:
        return nn.functional.linear(states, self._weight, self._bias)


class Blocks:
    """A backbone, read block by block with the attention of `lensbench.engines.tree.attention`.

    Args:
        loaded: What is applied to it when a method is called counts.

    Raises:
        CannotPack: with the reason.
    """

    def __init__(self, loaded: LoadedBackbone) -> None:
        self._loaded = loaded
        self._model: Any = loaded.model
        config = loaded.model.config
        if config.model_type not in _PACKABLE:
            raise CannotPack(f"models of type '{config.model_type}' are not known to the tree engine")
        if getattr(config, "use_bidirectional_attention", False):
            raise CannotPack("the model attends in both directions")
        if getattr(self._model, self._model.base_model_prefix, None) is not loaded.decoder:
            raise CannotPack("its decoder is part of a larger model")

    @property
    def count(self) -> int:
        return len(self._loaded.blocks)

    @property
    def vocabulary(self) -> int:
        return int(self._model.get_output_embeddings().weight.shape[0])

    @property
    def longest(self) -> int | None:
        """Longest input whose positions are encoded alike whatever else is in the pass; None is any."""
        rope = getattr(self._model.config, "rope_parameters", None) or {}
        kinds = [rope] if "rope_type" in rope else [part for part in rope.values() if isinstance(part, dict)]
        limits = [
            int(kind.get("original_max_position_embeddings") or self._model.config.max_position_embeddings)
            for kind in kinds
            if kind.get("rope_type") in ("dynamic", "longrope")
        ]
        return min(limits, default=None)

    @contextmanager
    def ready(self) -> Iterator[None]:
        """The model's attention replaced; as before afterwards, whatever happened."""
        # A block that a method put back as a copy has a configuration of its own.
        found: dict[int, Any] = {id(m.config): m.config for m in self._loaded.decoder.modules() if hasattr(m, "config")}
        before = [(config, config._attn_implementation) for config in found.values()]
        try:
            for config, _ in before:
                config._attn_implementation = NAME
            yield
        finally:
            for config, implementation in before:
                config._attn_implementation = implementation

    def enter(self, ids: Int[Tensor, " tokens"], depths: Int[Tensor, " tokens"]) -> BlockCalls:
        """Embed the tokens of one line and capture what each block is called with."""
        return self.capture_calls(input_ids=ids[None], position_ids=depths[None], use_cache=False)

    @torch.no_grad()
    def capture_calls(self, **inputs: Any) -> BlockCalls:
        """What the decoder's own forward calls each block with; no gradient reaches the embeddings."""
        calls: list[tuple[Tensor, dict[str, Any]]] = []
        recorders = nn.ModuleList([_Recorder(calls) for _ in range(self.count)])
        with _replaced(self._loaded.decoder, "layers", recorders):
            self._loaded.decoder(**inputs)
        return BlockCalls(calls[0][0], [keywords for _, keywords in calls])

    def block(self, index: int, states: Tensor, calls: BlockCalls, step: AttentionStep) -> Float[Tensor, "1 tokens hidden"]:
        """Output of one block.

        Raises:
            KeysOnly: `step` wants no more than keys and values.
        """
        output = self._loaded.blocks[index](states, **{**calls.keywords[index], "lensbench_step": step})
        if step.known is None:
            raise CannotPack("a block attends in a way of its own")
        result: Tensor = output[0] if isinstance(output, tuple) else output
        return result

    def keys_values(self, index: int, states: Tensor, calls: BlockCalls, step: AttentionStep) -> None:
        """Leave the block's keys and values in `step.known`, and compute no more of it."""
        step.rows = None
        try:
            self.block(index, states, calls, step)
        except KeysOnly:
            return

    def for_some(
        self,
        index: int,
        states: Float[Tensor, "1 tokens hidden"],
        ids: Int[Tensor, " tokens"],
        depths: Int[Tensor, " tokens"],
        at: Int[Tensor, " wanted"],
        rows: RowTensors | None,
        known: KeysValues | None,
    ) -> Float[Tensor, "1 wanted hidden"]:
        """Output of one block at some tokens, once its keys and values are known.

        Args:
            at: The wanted tokens.
            rows: Rows with them as the only queries.
        """
        return self.block(index, states[:, at], self.enter(ids[at], depths[at]), AttentionStep(rows, whole=known))

    def editing(self, ends: Int[Tensor, " ends"], untouched: Mapping[int, Tensor]) -> AbstractContextManager[None]:
        """Blocks are called with what is applied at the ends of prompts (`PromptEditor.editing`)."""
        editor = self._loaded.prompt_editor
        assert editor is not None, "an intervention is gone that was there when its branch was made"
        return editor.editing(ends, untouched)

    def logits(self, states: Float[Tensor, "1 tokens hidden"]) -> Float[Tensor, "tokens vocabulary"]:
        """What the last block's outputs say of the next token, as the model itself would."""
        normed = self._loaded.final_norm(states)
        with _replaced(self._model, self._model.base_model_prefix, _Returns(normed)):
            logits: Tensor = self._model(input_ids=None, use_cache=False).logits[0]
        return logits

    def logit_parts(
        self, states: Float[Tensor, "1 tokens hidden"], width: int
    ) -> Iterator[tuple[int, Float[Tensor, "tokens part"]]]:
        """As `logits`, `width` tokens of the vocabulary at a time: the first one's id, and the logits.

        What comes behind the projection (soft-capping, scaling) knows one logit at a time in every model type that is read here.
        A projection that is no plain matrix, such as a quantised one, gives all logits as one part.
        """
        normed = self._loaded.final_norm(states)
        head, vocabulary = self._model.get_output_embeddings(), self.vocabulary
        name = next((name for name, module in self._model._modules.items() if module is head), None)
        with _replaced(self._model, self._model.base_model_prefix, _Returns(normed)):
            if name is None or type(head) is not nn.Linear:
                yield 0, self._model(input_ids=None, use_cache=False).logits[0]
                return
            for low in range(0, vocabulary, width):
                with _replaced(self._model, name, _PartOf(head, slice(low, low + width))):
                    logits = self._model(input_ids=None, use_cache=False).logits[0]
                yield low, logits


@contextmanager
def _replaced(module: nn.Module, name: str, other: nn.Module) -> Iterator[None]:
    original = module._modules[name]
    module._modules[name] = other
    try:
        yield
    finally:
        module._modules[name] = original
