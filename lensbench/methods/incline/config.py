"""All settings of INCLINE. Defaults follow the paper's text where the released code differs (docs/incline.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator

from lensbench.backbones.shape import Shape
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.methods.config import MethodConfig
from lensbench.methods.corpora.parallel import check_pairs

__all__ = ["GRID", "PRESETS", "InclineConfig", "Site"]

Site = Literal["hidden", "attn", "mlp", "emb"]

GRID = tuple(round(step / 10, 1) for step in range(-10, 11))
"""Strengths that `alpha: dev` chooses from: the paper's -1, -0.9, ..., 1."""


class InclineConfig(MethodConfig):
    """Configuration of INCLINE; symbols of the paper in brackets."""

    preset: Literal["default", "paper", "released"] = "default"
    """What the values below started from: lensbench's reading, the paper's words, or the released code."""

    pairs: str = "bactrian_x"
    """Texts aligned with English: prompts of bactrian_x, news sentences of ntrex, or a path to a file (docs/data.md)."""
    n_pairs: int | None = Field(default=500, ge=1)
    """Pairs per language; None takes all there are."""
    sample: Literal["random", "first"] = "random"
    text: Literal["plain", "chat"] = "plain"
    """Read the bare sentence, or the sentence as a user's turn up to the generation prompt."""
    concat_trick: bool = False
    """Put the English text after both sides of every second pair."""
    max_tokens: int | None = Field(default=500, ge=1)
    """A pair with a longer side is passed over for the next one; None reads all."""

    site: Site = "hidden"
    """What is read and changed: block outputs, outputs of the attention or the MLP inside a block, or the embeddings."""
    pool: Literal["last", "mean"] = "last"
    """State of a text: that of its last token, or the mean over its tokens."""
    layers: str | tuple[int, ...] = "all"
    """`all`, `last:K`, or a list of blocks, counted from 1."""
    ridge: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """[rho] Added to the eigenvalues of X X^T; 0 is plain least squares of minimum norm."""

    alpha: Literal["dev"] | float | dict[str, float] = "dev"
    """[alpha] Strength: one number, one per language, or `dev`: the value of GRID at which the states of held-out pairs
    are most like their English states (mean cosine similarity). (The paper tunes it on each task's validation set.)"""
    n_dev: int = Field(default=50, ge=1)
    """Held-out pairs per language, for `alpha: dev` only."""
    values: Literal["clean", "running"] = "clean"
    """Mix the states of an untouched pass, or the states as the layers below have already changed them."""

    batch_size: int = Field(default=8, ge=1)
    """Texts per forward pass while fitting."""
    seed: int = 42

    @field_validator("layers")
    @classmethod
    def _layers(cls, value: str | tuple[int, ...]) -> str | tuple[int, ...]:
        if isinstance(value, str):
            head, _, tail = value.partition(":")
            if value != "all" and not (head == "last" and tail.isdigit() and int(tail) >= 1):
                raise ValueError(f"'{value}' is neither 'all', 'last:K' nor a list of block numbers")
            return value
        if not value or min(value) < 1:
            raise ValueError("give at least one block; blocks are counted from 1")
        return tuple(sorted(set(value)))

    @field_validator("alpha")
    @classmethod
    def _finite(cls, value: str | float | dict[str, float]) -> str | float | dict[str, float]:
        numbers = value.values() if isinstance(value, dict) else [] if isinstance(value, str) else [value]
        if not all(abs(number) < float("inf") for number in numbers):
            raise ValueError("must be a finite number")
        return value

    def check(self, targets: Sequence[str]) -> None:
        """At least one target, a strength for each, and layers that go with the site."""
        if not targets:
            raise UsageError("INCLINE needs a target language in addition to the central one", "Example: ``languages=sw``")
        check_pairs(self.pairs, targets)
        for code in targets:
            self.alpha_of(code)
        if self.site == "emb" and self.layers != "all":
            raise UsageError(
                f"site emb has no layers to choose from, found layers {self.layers}", "Use layers: all, or choose another site."
            )

    def floor_bytes(self, shape: Shape, weight_bytes: int) -> int | None:
        """Weights, and both sides' fp32 states of all pairs at every changed layer; None when all pairs there are are taken."""
        if self.n_pairs is None:
            return None
        pairs = self.n_pairs + (self.n_dev if self.alpha == "dev" else 0)
        return shape.parameters * weight_bytes + 2 * 4 * pairs * shape.hidden * len(self.layer_indices(shape.layers))

    def alpha_of(self, language: str) -> float | None:
        """Strength for a target language; None is to be chosen on held-out pairs.

        Raises:
            UsageError: strengths are given per language and this one is missing.
        """
        if self.alpha == "dev":
            return None
        if isinstance(self.alpha, dict):
            if language not in self.alpha:
                raise UsageError(
                    f"alpha has no value for '{language}' (it has {', '.join(self.alpha) or 'none'})",
                    f"Add one: ``overrides=alpha.{language}=0.2``",
                )
            return self.alpha[language]
        return float(self.alpha)

    def layer_indices(self, n_layers: int) -> tuple[int, ...]:
        """0-based indices of the changed blocks; `emb` has one place, index 0.

        Raises:
            UsageError: the model has no such block.
        """
        if self.site == "emb":
            return (0,)
        if self.layers == "all":
            return tuple(range(n_layers))
        if isinstance(self.layers, str):
            first = n_layers - int(self.layers.partition(":")[2])
            chosen = tuple(range(first, n_layers))
        else:
            chosen = tuple(number - 1 for number in self.layers)
        if chosen[0] < 0 or chosen[-1] >= n_layers:
            raise UsageError(f"layers {self.layers} is outside the model's {n_layers} blocks")
        return chosen


PRESETS: dict[str, JsonObject] = {
    "default": {},
    "paper": {"pairs": "ntrex"},
    "released": {"pairs": "ntrex", "sample": "first", "concat_trick": True, "site": "mlp", "pool": "mean"},
}
"""The paper's News Commentary is not shipped; the news sentences of ntrex are the nearest rows. Both presets leave `alpha` to
`dev`: the paper's choice needs the task's own items."""
