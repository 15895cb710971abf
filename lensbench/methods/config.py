"""Base class of every method's configuration. A dry run imports it, so it imports no large package."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from lensbench.backbones.shape import Shape

__all__ = ["MethodConfig"]


class MethodConfig(BaseModel):
    """Base of a method's configuration model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def check(self, targets: Sequence[str]) -> None:
        """Check what depends on the target languages; called before anything is loaded.

        Raises:
            UsageError: a value is missing or out of range for these languages.
        """

    def floor_bytes(self, shape: Shape, weight_bytes: int) -> int | None:
        """The least memory that a fit can hold: weights, and for what is trained gradients and optimiser
        states; without activations. A plan, made before anything is loaded.

        Args:
            weight_bytes: Of one frozen parameter.

        Returns:
            None where the method does not say.
        """
        return None
