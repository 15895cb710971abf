"""What a run will need in memory, worked out from sizes alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lensbench.jsonio import JsonObject
from lensbench.plan.plan import Plan

__all__ = ["MemoryPlan", "plan_memory"]


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes by stage; a plan, not a measurement, and without activations."""

    weight_bytes: int
    """Of one parameter of the backbone as it is scored."""
    parameters: int
    scoring: int
    fits: dict[str, int | None]
    """By fitted variant; None where it cannot be told."""

    def as_dict(self) -> JsonObject:
        return asdict(self)


def plan_memory(plan: Plan) -> MemoryPlan | None:
    """None when the backbone's sizes are not known before it is fetched.

    Without `device` and `dtype` an accelerator and its 16-bit weights are assumed.
    """
    shape = plan.backbone.shape
    if shape is None:
        return None
    wide = plan.spec.dtype == "float32" or (plan.spec.dtype == "auto" and plan.spec.device == "cpu")
    weight_bytes = 4 if wide else 2
    fits = {name: variant.config.floor_bytes(shape, weight_bytes) for name, variant in plan.variants.items()}
    return MemoryPlan(weight_bytes, shape.parameters, shape.parameters * weight_bytes, fits)
