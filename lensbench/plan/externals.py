"""Other checkpoints that are variants of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lensbench.backbones import Backbone, get_backbone
from lensbench.errors import UsageError
from lensbench.plan.request import VariantRequest
from lensbench.plan.variant_text import is_variant_name
from lensbench.spec import BASE

__all__ = ["find_externals"]


def find_externals(wanted: Sequence[VariantRequest], taken: Iterable[str]) -> Mapping[str, tuple[str, Backbone]]:
    """Checkpoints by the name of their variant, as they were given and as they were found.

    Args:
        taken: Names of the run's other variants.

    Raises:
        UsageError: a name that cannot be one, that is given twice or taken; an unknown checkpoint.
    """
    used = {BASE, *taken}
    found: dict[str, tuple[str, Backbone]] = {}
    for variant in wanted:
        place = str(variant.checkpoint)
        name = variant.name or place
        if not is_variant_name(name):
            raise UsageError(
                f"``variants={variant.shown}``: '{name}' cannot name a variant", "Example: ``variants=mine=path/to/model``"
            )
        if name in found or name in used:
            raise UsageError(
                f"``variants={variant.shown}``: the run already has a variant '{name}'", "Give it another name before the '='."
            )
        backbone = get_backbone(place)
        found[name] = (str(Path(place).expanduser().resolve()) if backbone.path is not None else place, backbone)
    return found
