"""What a fit wrote down of itself, as far as the version that wrote it did."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lensbench.records.from_object import from_object

__all__ = ["FitCard", "FitCost"]


@dataclass(frozen=True)
class FitCost:
    """What fitting took (`methods.base.Cost`); None for what was not recorded, which is never a nought."""

    wall_seconds: float | None = None
    gpu_seconds: float | None = None
    peak_bytes: int | None = None
    floor_bytes: int | None = None
    trainable_share: float | None = None
    training_items: int | None = None
    training_tokens: int | None = None
    steps: int | None = None
    cached_seconds: float | None = None
    """Of the wall seconds, those that an earlier start, another fit or an earlier run spent."""
    reused_from: str | None = None
    """Where an earlier run fitted it; this run spent none of the cost then."""
    generated_tokens: int | None = None
    server_tokens: int | None = None
    translated_texts: int | None = None

    @property
    def spent_seconds(self) -> float | None:
        """Seconds without those that were spent before; None where the time is not recorded."""
        return None if self.wall_seconds is None else max(self.wall_seconds - (self.cached_seconds or 0.0), 0.0)

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> FitCost:
        """The cost that stands on a card or in `results.json`."""
        return from_object(cls, content)


@dataclass(frozen=True)
class FitCard:
    """`card.json` of an enhancement, as far as numbers are read beside it."""

    config: Mapping[str, Any] | None = None
    """Every setting of the fit; None where the card does not have them."""
    first_changed_layer: int | None = None
    """From 0; None where the method changes no block."""
    data: tuple[str, ...] = field(default=())
    """A line for each source of training data."""

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> FitCard:
        """The card in the content of its file."""
        return from_object(cls, {**content, "data": content.get("data") or ()})
