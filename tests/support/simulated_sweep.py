"""Simulated sweeps whose truth is known: a gain and a loss in English for every setting, and an effect of the seeds."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

from simulated_run import Truth, simulate

from lensbench.records import RunFolder

LAYERS, PUSHES, SEEDS = (26, 27, 28, 29), (0.25, 0.5, 1.0), (0, 1, 2)
BASE_RIGHT, BASE_ON_TARGET = 0.5, 0.6
FIXED = {"rank": 1, "epochs": 2, "probe_text": "inputs"}


def gain(values: Mapping[str, Any]) -> float:
    """Over the targets: best at block 28 and a push of 0.5."""
    return 0.10 - 0.02 * abs(values.get("start_layer", 28) - 28) - 0.08 * abs(values.get("push_strength", 0.5) - 0.5)


def loss(values: Mapping[str, Any]) -> float:
    """In English: the stronger the push, the larger."""
    return -0.10 * values.get("push_strength", 0.5) + 0.02


def name_of(values: Mapping[str, Any], seed: int | None) -> str:
    written = [f"{key}={value:g}" if isinstance(value, float) else f"{key}={value}" for key, value in values.items()]
    return f"lens[{','.join([*written, *([] if seed is None else [f'seed={seed}'])])}]"


def sweep_run(
    path: Path,
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]] = {"start_layer": LAYERS, "push_strength": PUSHES},
    seeds: Sequence[int] = SEEDS,
    *,
    items: int = 60,
    languages: Sequence[str] = ("en", "zh", "ja"),
    tasks: Sequence[str] = ("xcopa", "m_mmlu", "open_questions"),
    seed_effect: float = 0.02,
    failed: Sequence[str] = (),
    left_out: Callable[[Mapping[str, Any]], bool] = lambda values: False,
    further: Mapping[str, tuple[str, dict[str, Any]]] = {},
) -> RunFolder:
    """A finished run of `base` and every setting of a grid with every seed.

    Args:
        grid: Switch -> values, each combined with each; or the settings one by one.
        seed_effect: Standard deviation of what a seed adds to the share of right answers.
        failed: Names of variants that could not be fitted.
        left_out: Settings that the run does not try.
        further: Variants beside the grid, with method and configuration.
    """
    listed = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())] if isinstance(grid, Mapping) else grid
    settings = [dict(values) for values in listed if not left_out(values)]
    several = len(seeds) > 1
    draw = random.Random(11)
    fits: dict[str, tuple[str, dict[str, Any]]] = {}
    truths: dict[str, tuple[float, float]] = {}
    for values in settings:
        for seed in seeds:
            name = name_of(values, seed if several else None)
            fits[name] = ("lens", {**FIXED, **values, "seed": seed})
            effect = draw.gauss(0, seed_effect)
            truths[name] = gain(values) + effect, loss(values) + effect / 2
    fits |= further

    def right(variant: str, code: str) -> float:
        return BASE_RIGHT + truths.get(variant, (0.0, 0.0))[code == "en"]

    def on_target(variant: str, code: str) -> float:
        return BASE_ON_TARGET + 3 * max(0.0, truths.get(variant, (0.0, 0.0))[0]) if code != "en" else 0.98

    why = "the loss is not finite at step 12"
    truth = Truth(right, on_target, fits, dict.fromkeys(failed, why))
    variants = ["base", *(name for name in fits if name not in failed)]
    return simulate(path, items=items, variants=variants, languages=languages, tasks=tasks, truth=truth)
