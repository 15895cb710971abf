"""The sizes of a backbone, known without its weights: enough to plan memory before anything is fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from lensbench.backbones.folder import read_config
from lensbench.errors import DataError

__all__ = ["Shape", "shape_of_folder"]

_SIZES = ("num_attention_heads", "num_hidden_layers", "hidden_size", "intermediate_size", "vocab_size")
_FAMILIES = {"llama": "llama", "mistral": "llama", "phi3": "phi3"}


class Shape(BaseModel):
    """A decoder of the Llama or Phi-3 family: gated MLP, grouped-query attention, no biases."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Literal["llama", "phi3"] = "llama"
    """phi3 keeps query, key and value in one matrix, and gate and up in another."""
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool = False
    """Whether the vocabulary projection is the embedding matrix."""

    @property
    def linears(self) -> dict[str, tuple[int, int]]:
        """The linear modules of a block by the last part of their names: (inputs, outputs)."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        if self.family == "phi3":
            return {
                "qkv_proj": (self.hidden, queries + 2 * keys),
                "o_proj": (queries, self.hidden),
                "gate_up_proj": (self.hidden, 2 * self.intermediate),
                "down_proj": (self.intermediate, self.hidden),
            }
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }

    @property
    def block_parameters(self) -> int:
        """Number of parameters of one block: its linear modules and two norms."""
        return sum(inputs * outputs for inputs, outputs in self.linears.values()) + 2 * self.hidden

    @property
    def parameters(self) -> int:
        return self.layers * self.block_parameters + self.hidden + self.vocabulary * self.hidden * (1 if self.tied else 2)


def shape_of_folder(folder: Path) -> Shape | None:
    """The sizes in a model folder's `config.json`; None for a family that is not known here.

    Raises:
        DataError: it is broken.
    """
    config = read_config(folder)
    family = _FAMILIES.get(str(config.get("model_type", "")))
    if family is None or config.get("attention_bias") or config.get("mlp_bias"):
        return None
    if any(type(config.get(name)) is not int for name in _SIZES):
        # transformers has values of its own for what is not named.
        return None
    for name in ("num_key_value_heads", "head_dim"):
        if config.get(name) is not None and type(config[name]) is not int:
            raise DataError(f"{folder / 'config.json'}: {name} is {str(config[name])[:40]!r}, a whole number was expected")
    heads = config["num_attention_heads"]
    return Shape(
        family=family,  # type: ignore[arg-type]
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        intermediate=config["intermediate_size"],
        heads=heads,
        kv_heads=config.get("num_key_value_heads") or heads,
        head_dim=config.get("head_dim") or config["hidden_size"] // heads,
        vocabulary=config["vocab_size"],
        tied=bool(config.get("tie_word_embeddings", False)),
    )
