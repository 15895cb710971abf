"""Runs whose truth is known: right or wrong drawn item by item, from accuracies that a test sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scored_run import write_run

from lensbench.records import RunFolder

TARGETS = ("zh", "ja", "ko", "ar", "bn", "sw")
TASKS = ("xcopa", "xwinograd", "xstory_cloze", "m_mmlu")


def truth(
    path: Path,
    gains: Mapping[str, Mapping[str, float]],
    *,
    seed: int,
    items: int = 200,
    languages: Sequence[str] = ("en", *TARGETS),
    tasks: Sequence[str] = TASKS,
    base: float = 0.55,
) -> RunFolder:
    """A run of `base` and further variants.

    A share of the items, half of the gain and 10%, is answered anew by each variant, so that variant and base agree on the rest.

    Args:
        gains: Variant -> "en" or "targets" or a language -> true difference to base.
    """
    rng = np.random.default_rng(seed)
    scores: dict[tuple[str, str], np.ndarray] = {}
    for task in tasks:
        for code in languages:
            untouched = rng.random(items) < base
            scores[f"{task}/{code}", "base"] = untouched.astype(float)
            for variant, gain in gains.items():
                more = gain.get(code, 0.0 if code == "en" else gain.get("targets", 0.0))
                redone = rng.random(items) < 0.2
                right = np.where(redone, rng.random(items) < base + more / 0.2, untouched)
                scores[f"{task}/{code}", variant] = right.astype(float)
    return write_run(path, scores, named=())
