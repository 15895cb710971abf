"""The switches of shift."""

from pydantic import Field

from lensbench import MethodConfig


class ShiftConfig(MethodConfig):
    """Configuration of shift."""

    layer: int = Field(default=-2, lt=0)
    """Block whose output is changed, counted from the end."""
    strength: float = 1.0
    """Times the mean difference; 0 changes nothing."""
    n_pairs: int | None = Field(default=32, ge=1)
    """Parallel prompts; None takes all there are."""
    seed: int = 42
