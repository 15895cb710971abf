"""The fitted variants of a plan as a table: what each has of its own, and what they share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lensbench.api.rendering import Block, TextTable

if TYPE_CHECKING:
    from lensbench.plan.plan import Plan
    from lensbench.spec import VariantChoice

__all__ = ["configuration_lines", "variant_blocks", "work_line"]


def variant_blocks(variants: Sequence[VariantChoice]) -> list[Block]:
    """The number of variants, and a table of the settings in which those of one method differ; nothing for a single variant."""
    from lensbench.plan.variants import shown_value

    if len(variants) < 2:
        return []
    keys = _differing(variants)
    rows = [
        (choice.name, choice.method, *(shown_value(flat[key]) if key in flat else "" for key in keys))
        for choice, flat in zip(variants, map(_flat, variants), strict=True)
    ]
    return [TextTable(("variant", "method", *keys), rows, f"{len(variants)} variants to fit")]


def configuration_lines(variants: Sequence[VariantChoice]) -> list[str]:
    """Every setting of every fit; those that all variants of a method share are listed once."""
    lines = []
    for method in dict.fromkeys(choice.method for choice in variants):
        own = [choice for choice in variants if choice.method == method]
        if len(own) == 1:
            lines.append(f"configuration of {own[0].name}:")
            lines += [f"  {key}: {value}" for key, value in own[0].config.items()]
            continue
        differing = _differing(own)
        lines.append(f"configuration of {method}, the same for its {len(own)} variants:")
        lines += [f"  {key}: {value}" for key, value in _flat(own[0]).items() if key not in differing]
    return lines


def work_line(plan: Plan, counts: Sequence[int | None]) -> str:
    """Number of fits, and items times variants.

    Args:
        counts: Items by planned task; None where unknown.
    """
    fits = len(plan.variants)
    asked = 1 + fits + len(plan.externals)
    shown = f"{fits} fit{'' if fits == 1 else 's'}"
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        most = "" if plan.spec.limit is None else f", at most {plan.spec.limit:,} for each task and language"
        return f"work      {shown}; {asked} variants with base; items are not known before their rows are fetched{most}"
    items = sum(known)
    return f"work      {shown}; {items:,} items x {asked} variants with base = {items * asked:,} to score or answer"


def _flat(choice: VariantChoice) -> dict[str, Any]:
    from lensbench.plan.variants import flat_settings

    return flat_settings(choice.config)


def _differing(variants: Sequence[VariantChoice]) -> list[str]:
    """Settings in which variants of the same method differ, in the order of the method's configuration."""
    found: dict[str, None] = {}
    for method in dict.fromkeys(choice.method for choice in variants):
        configs = [_flat(choice) for choice in variants if choice.method == method]
        for key in dict.fromkeys(key for config in configs for key in config):
            if any(key not in config or config[key] != configs[0].get(key) for config in configs):
                found[key] = None
    return list(found)
