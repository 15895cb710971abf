"""Choice of the engine for each variant: the run's engine if it supports the variant, otherwise the reference engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lensbench.engines.protocol import Engine
from lensbench.stages.variants import Variant

__all__ = ["engines_for"]


def engines_for(
    engine: Engine, reference: Callable[[], Engine], variants: Sequence[Variant], language: str
) -> list[tuple[Engine, list[Variant], str | None]]:
    """Variants together as engines do them.

    Args:
        reference: Opens the reference engine; called only where it is needed.

    Returns:
        Engine, its variants, and why the run's own engine does not do them; None for those it does.
    """
    by_reason: dict[str | None, list[Variant]] = {}
    for variant in variants:
        by_reason.setdefault(engine.supports(variant, language), []).append(variant)
    found: list[tuple[Engine, list[Variant], str | None]] = []
    if None in by_reason:
        found.append((engine, by_reason.pop(None), None))
    elif by_reason:
        # Nothing is left for it to do, and the reference engine may need the memory.
        engine.close()
    return found + [(reference(), group, reason) for reason, group in by_reason.items()]
