"""Memory that a run needs, computed from sizes alone."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lensbench.jsonio import JsonObject
from lensbench.plan.plan import Plan

__all__ = ["MemoryPlan", "plan_memory"]


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes by stage; a plan, not a measurement, and without activations."""

    weight_bytes: int
    """Bytes of one parameter of the backbone during scoring."""
    parameters: int
    scoring: int
    fits: dict[str, int | None]
    """Bytes by fitted variant; None if unknown."""

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
