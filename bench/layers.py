"""A sweep of LENS's first trained block beside one variant: fits, scores and answers of both, on the same rows and weights.

    make bench-layers                                        # SmolLM2, real rows under LENSBENCH_REAL_DATA
    python bench/layers.py --backbone llama3-8b --device cuda --dtype bfloat16   # its sizes, with random weights

The other side is the untouched backbone and one variant, whose last two blocks are trained. The floor of a ratio counts blocks:
the shared ones once, each variant's own ones for each. Utilisation is that of `bench/accelerator.py`, over a whole fit.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import accelerator
import generation
import scoring
from measuring import load_model, machine, real_rows

HEAD = "| stage | base + 1 variant | base + {many} variants | ratio | floor |\n" + "|---" * 5 + "|"


def jobs_of(source: Any, starts: Sequence[int], probing: int, prompts: int) -> list[tuple[Any, Any]]:
    """Training data and settings of a fit for each first trained block, 0-based."""
    from lensbench.methods.lens import METHOD, LensConfig

    configs = [
        LensConfig.model_validate({"start_layer": start + 1, "n_probe": probing, "n_parallel": prompts}) for start in starts
    ]
    corpora = METHOD.corpora(source, ("en", "zh"), configs[0])
    return [(corpora, config) for config in configs]


def fitted(loaded: Any, jobs: Sequence[tuple[Any, Any]]) -> list[Any]:
    """Deltas of several fits that share what they can."""
    from lensbench.methods.base import SilentProgress
    from lensbench.methods.lens import METHOD

    with METHOD.together(loaded, jobs) as fit:
        return [fit(loaded, *job, SilentProgress()) for job in jobs]


def variants_of(deltas: Sequence[Any]) -> list[Any]:
    from lensbench.spec import BASE
    from lensbench.stages.variants import Variant

    return [Variant(BASE), *(Variant(f"v{number}", delta) for number, delta in enumerate(deltas))]


def answering(loaded: Any, variants: Sequence[Any], prompts: Sequence[Any], tokens: int) -> Callable[[], None]:
    """Every variant answers every prompt, items of one prompt side by side."""
    from lensbench.backbones.lazy import LazyBackbone
    from lensbench.engines.protocol import AnswerRequest, EngineSettings
    from lensbench.engines.registry import DEFAULT, open_engine

    asked = [AnswerRequest(prompt, tokens, variant=place) for prompt in prompts for place in range(len(variants))]

    def work() -> None:
        engine = open_engine(DEFAULT, LazyBackbone.holding(loaded), EngineSettings(batch_size=len(prompts)))
        engine.answer(asked, variants, "zh", lambda index, answer: None)

    return work


def floor_of(blocks: int, one: int, starts: Sequence[int]) -> float:
    """Blocks that the base and all variants pass through, over those of the base and one variant that begins at block `one`."""
    return (blocks + sum(blocks - start for start in starts)) / (2 * blocks - one)


def main() -> int:
    from lensbench.quiet import quiet_libraries

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="data folder made by `lensbench data import`")
    parser.add_argument("--backbone", default="smollm2-135m", help="another than the embedded one has random weights")
    parser.add_argument("--layers", type=int, help="in place of the backbone's own number")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--variants", type=int, default=8, help="first trained blocks: so many of the last ones")
    parser.add_argument("--probing", type=int, default=300)
    parser.add_argument("--prompts", type=int, default=200)
    parser.add_argument("--items", type=int, default=200, help="scored, per task")
    parser.add_argument("--answers", type=int, default=16, help="prompts")
    parser.add_argument("--tokens", type=int, default=64, help="per answer")
    parser.add_argument("--side", type=int, default=8192, help="of the matrices whose product is the peak")
    parser.add_argument("--json", type=Path, help="write machine and table here")
    options = parser.parse_args()
    quiet_libraries()
    if options.backbone == "smollm2-135m" and options.layers is None:
        loaded = load_model(options.backbone, device=options.device)
    else:
        loaded = accelerator.random_backbone(options.backbone, options.layers, options.device, options.dtype)
    device, blocks = str(loaded.device), len(loaded.blocks)
    peak = accelerator.peak_flops(options.side, device, options.dtype)
    about = machine(backbone=options.backbone, layers=blocks, dtype=options.dtype, device=device, peak=peak)
    print(json.dumps(about), flush=True)
    starts, one = list(range(blocks - options.variants, blocks)), blocks - 2
    table: list[dict[str, Any]] = []

    def seconds_of(work: Callable[[], object]) -> float:
        accelerator.synchronise(device)
        watch = scoring.Watch()
        work()
        accelerator.synchronise(device)
        return watch.read()[0]

    def keep(stage: str, single: float, many: float, floor: float | None = None) -> None:
        table.append({"stage": stage, "one": single, "many": many, "ratio": many / single, "floor": floor})
        least = "" if floor is None else f"{floor:.2f}"
        print(f"| {stage} | {single:.2f} s | {many:.2f} s | {many / single:.2f} | {least} |", flush=True)
        if options.json:
            options.json.write_text(json.dumps({"machine": about, "rows": table}, indent=1) + "\n")

    print(HEAD.format(many=options.variants), flush=True)
    with real_rows(options.data) as data:
        bench = scoring.Bench(loaded, data, 16)
        alone = jobs_of(bench.source, [one], options.probing, options.prompts)
        # What is counted also warms up.
        flops = accelerator.counted_flops(lambda: fitted(loaded, alone))
        found: list[Any] = []
        single = seconds_of(lambda: found.extend(fitted(loaded, alone)))
        every = jobs_of(bench.source, starts, options.probing, options.prompts)
        deltas: list[Any] = []
        many = seconds_of(lambda: deltas.extend(fitted(loaded, every)))
        # Probing and frozen blocks once; three passes of the trained blocks for each.
        shared = options.probing * 2 * 64 + options.prompts * 2 * 64
        trained = 3 * options.prompts * 2 * 64
        floor = (shared * blocks + trained * sum(blocks - s for s in starts)) / (shared * blocks + trained * (blocks - one))
        keep("fit", single, many, floor)
        print(f"one fit: {flops / 1e12:.1f} TFLOP, {flops / single / peak:.0%} of {peak / 1e12:.0f} TFLOP/s", flush=True)
        sides = [variants_of(found), variants_of(deltas)]
        for name, code, profile in (("m_mmlu", "en", "lens-paper"), ("xcopa", "zh", "lm-eval")):
            asked = bench.asked(name, code, profile, options.items)
            for side in sides:
                bench.ours(asked, side)
            taken = [seconds_of(partial(bench.ours, asked, side)) for side in sides]
            keep(f"scores, {name} {code}", *taken, floor_of(blocks, one, starts))
        prompts = generation.questions(loaded)[: options.answers]
        taken = []
        for side in sides:
            answering(loaded, side, prompts[:2], 4)()
            taken.append(seconds_of(answering(loaded, side, prompts, options.tokens)))
        keep("answers", *taken, floor_of(blocks, one, starts))
        keep("all", sum(row["one"] for row in table), sum(row["many"] for row in table))
    return 0


if __name__ == "__main__":
    sys.exit(main())
