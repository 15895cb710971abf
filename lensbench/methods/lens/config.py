"""Every switch of LENS. Defaults follow the rule of the ambiguity register: the code that produced the numbers, save where it is
evidently an artefact (padding, truncation, second BOS, fp16 means), then the paper's words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, field_validator

from lensbench.backbones.shape import Shape
from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.methods.config import MethodConfig

__all__ = ["PRESETS", "LensConfig"]


class LensConfig(MethodConfig):
    """Configuration of LENS; symbols of the paper in brackets."""

    preset: Literal["default", "paper", "official"] = "default"
    """What the values below started from: lensbench's reading, the paper's words, or the released code with its artefacts."""

    start_layer: int | str = "last:2"
    """First trained block, 1-based as in Table 2 of the paper, or `last:K`. The last block is always the end."""
    rank: int | None = Field(default=None, ge=1)
    """[r] Rank of the specific subspace; None is the number of languages less one."""
    alignment_weight: float = Field(default=1.0, ge=0)
    """[lambda_1] Weight of the pull in the agnostic subspace (eq. 4; called push_weight in the released code)."""
    push_strength: float | dict[str, float] = 1.0
    """[lambda_l] How far each target is pushed along its direction, one number or one per language (eq. 5)."""
    push_weight: float = Field(default=1.0, ge=0)
    retain_weight: float = Field(default=1.0, ge=0)
    """[lambda_3] Weight of keeping the central language where it was (eq. 6)."""
    loss_layer: Literal["final_norm", "all_trainable"] = "final_norm"
    reduction: Literal["mean", "norm"] = "mean"
    """"mean" over hidden dimension and batch, or the squared "norm" averaged over the batch only."""
    retain_pool: Literal["mean", "last", "all_positions"] = "mean"
    """States retained: mean over real tokens, the last token, or the mean over all positions, padding included."""
    detach_central: bool = False
    """Whether the alignment loss leaves the central language's states alone."""

    probe_text: Literal["inputs+targets", "inputs"] = "inputs+targets"
    readout: Literal["last_real_token", "official"] = "last_real_token"
    """"official" reads index -1 of rows cut at `probe_tokens` in all and padded on the tokenizer's own side."""
    extra_bos: bool = False
    mean_dtype: Literal["float64", "float16"] = "float64"
    n_probe: int | None = Field(default=300, ge=1)
    """Probing texts per language; None takes all there are."""
    n_parallel: int | None = Field(default=200, ge=1)
    """Parallel prompts for training; None takes all there are."""
    probe_tokens: int = Field(default=64, ge=1)
    train_tokens: int = Field(default=128, ge=1)
    train_truncation: Literal["content", "row"] = "content"
    """Cut the content and keep the template's tail, or keep the first tokens of the whole row."""
    probe_system: Literal["shared", "helpful", "empty"] = "shared"
    train_system: Literal["shared", "helpful", "empty"] = "shared"

    learning_rate: float = Field(default=1e-5, gt=0)
    epochs: int = Field(default=1, ge=1)
    batch_size: int = Field(default=8, ge=1)
    micro_batch: int | None = Field(default=None, ge=1)
    """Items whose gradients are computed at a time; they add up to `batch_size`. Fewer need less memory. None is 2 on a
    processor, and the whole batch on an accelerator, where many small passes would leave it idle."""
    warmup_ratio: float = Field(default=0.05, ge=0, le=1)
    weight_decay: float = Field(default=0.1, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0)
    seed: int = 42

    @field_validator("start_layer")
    @classmethod
    def _start(cls, value: int | str) -> int | str:
        if isinstance(value, str):
            if value.isdigit():
                return int(value)
            head, _, tail = value.partition(":")
            if head != "last" or not tail.isdigit() or int(tail) < 1:
                raise ValueError(f"'{value}' is neither a block number from 1 nor 'last:K'")
        elif value < 1:
            raise ValueError("blocks are counted from 1")
        return value

    def check(self, targets: Sequence[str]) -> None:
        """At least one target, a push strength for each, and a rank that so many languages have."""
        if not targets:
            raise UsageError("LENS needs a target language in addition to the central one", "Example: ``languages=zh``")
        for code in targets:
            self.strength_of(code)
        if self.rank is not None and self.rank > len(targets):
            raise UsageError(
                f"rank {self.rank} is out of range: with {len(targets) + 1} languages it must be from 1 to {len(targets)}"
            )

    def start_index(self, n_layers: int) -> int:
        """0-based index of the first trained block.

        Raises:
            UsageError: the model has no such block.
        """
        if isinstance(self.start_layer, str):
            index = n_layers - int(self.start_layer.partition(":")[2])
        else:
            index = self.start_layer - 1
        if not 0 <= index < n_layers:
            raise UsageError(f"start_layer {self.start_layer} is outside the model's {n_layers} blocks")
        return index

    def has_start(self, n_layers: int) -> bool:
        """Whether a model with so many blocks has the first trained block."""
        try:
            self.start_index(n_layers)
        except UsageError:
            return False
        return True

    def micro_batch_on(self, device_type: str) -> int:
        """Items whose gradients are computed at a time on a kind of device."""
        return self.micro_batch or (2 if device_type == "cpu" else self.batch_size)

    def floor_bytes(self, shape: Shape, weight_bytes: int) -> int:
        """Frozen weights, and 16 bytes for each parameter of the trained blocks."""
        trained = (shape.layers - self.start_index(shape.layers)) * shape.block_parameters
        return (shape.parameters - trained) * weight_bytes + 16 * trained

    def strength_of(self, language: str) -> float:
        """lambda_l of one target language.

        Raises:
            UsageError: strengths are given per language and this one is missing.
        """
        if isinstance(self.push_strength, dict):
            if language not in self.push_strength:
                raise UsageError(
                    f"push_strength has no value for '{language}' (it has {', '.join(self.push_strength)})",
                    f"Add one: ``overrides=push_strength.{language}=0.2``",
                )
            return self.push_strength[language]
        return self.push_strength


PRESETS: dict[str, JsonObject] = {
    "default": {},
    "paper": {"loss_layer": "all_trainable", "reduction": "norm", "retain_pool": "last"},
    "official": {
        "readout": "official",
        "extra_bos": True,
        "mean_dtype": "float16",
        "retain_pool": "all_positions",
        "train_truncation": "row",
        "probe_system": "helpful",
    },
}
"""The released code's other training half (machine-translated harmful requests) is not shipped and not part of `official`: a
known deviation."""
