"""On an accelerator: scoring and LENS steps at the size of a paper's backbone, beside lm-eval and beside what the machine can do.

    make bench-accelerator                             # Llama-3-8B's architecture, random weights, bf16
    python bench/accelerator.py --backbone llama3-8b --layers 2 --device cpu --dtype float32 --side 1024 --limit 4 --rounds 1
    python bench/accelerator.py --parts use,profile    # utilisation alone, and where a device's time goes

Random weights give meaningless answers in honest time. Utilisation is the matrix-product FLOPs of what was computed, counted by
torch in a run of its own, over seconds, over the rate of one square matrix product measured here. The tokenizer is SmolLM2's: its
ids are among those of larger vocabularies.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import generation
import lens
import scoring
from measuring import machine, real_rows

GOAL = 0.5
"""Utilisation that is wanted."""
PARTS = ("use", "profile", "scoring", "variants", "generation")


def random_backbone(name: str, layers: int | None, device: str, dtype: str) -> Any:
    """A named backbone's architecture with random weights."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from lensbench.backbones import get_backbone
    from lensbench.backbones.load import LoadedBackbone, attend_at_any_shape
    from lensbench.backbones.resolve import find_checkpoint

    shape = get_backbone(name).shape
    if shape is None or shape.family != "llama":
        raise SystemExit(f"the sizes of {name} are not known, or it is no Llama")
    small = get_backbone("smollm2-135m")
    checkpoint = find_checkpoint(small, notify=print)
    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=layers or shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=8192,
        tie_word_embeddings=shape.tied,
    )
    attend_at_any_shape(device)
    torch.manual_seed(0)
    with torch.device(device):
        model = LlamaForCausalLM._from_config(config, dtype=getattr(torch, dtype)).eval()
    return LoadedBackbone(small, checkpoint, model, AutoTokenizer.from_pretrained(checkpoint.path))


def peak_flops(side: int, device: str, dtype: str) -> float:
    """FLOP/s of a product of two square matrices, the median of ten after a few to warm up."""
    import torch

    one, two = (torch.randn(side, side, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    seconds = []
    for number in range(13):
        synchronise(device)
        started = time.perf_counter()
        one @ two
        synchronise(device)
        if number >= 3:
            seconds.append(time.perf_counter() - started)
    return 2 * side**3 / statistics.median(seconds)


def synchronise(device: str) -> None:
    import torch

    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def counted_flops(work: Callable[[], object]) -> float:
    """Matrix-product FLOPs of some work, backward passes included."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops())


def scoring_work(bench: Any, items: int) -> Callable[[], None]:
    """Scores MMLU en by letters with the tree engine."""
    from lensbench.engines.tree.scorer import TreeScorer

    requests = bench.requests(bench.asked("m_mmlu", "en", "lens-paper", items))
    engine = TreeScorer(bench.loaded, max_length=bench.lm.max_length, batch_size=bench.lm.batch_size)

    def work() -> None:
        for _ in engine.score(requests):
            pass

    return work


def profile_of_scoring(bench: Any, items: int) -> str:
    work = scoring_work(bench, items)
    work()
    return profiled(work, str(bench.loaded.device))


def profile_of_lens(loaded: Any, data: Path, prompts: int) -> str:
    corpora, config = lens_work(data, prompts)
    lens.steps(loaded, corpora, config)
    return profiled(lambda: lens.steps(loaded, corpora, config), str(loaded.device))


def utilisation_of_scoring(bench: Any, items: int, rounds: int, peak: float) -> dict[str, Any]:
    work = scoring_work(bench, items)
    work()
    flops = counted_flops(work)
    seconds = []
    for _ in range(rounds):
        synchronise(str(bench.loaded.device))
        started = time.perf_counter()
        work()
        synchronise(str(bench.loaded.device))
        seconds.append(time.perf_counter() - started)
    return _utilised("scoring, MMLU en by letters", items, flops, seconds, peak)


def profiled(work: Callable[[], object], device: str) -> str:
    """Where a device's time goes: kernels by their share, and how long the device was busy."""
    from torch.profiler import ProfilerActivity, profile

    kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if torch_device(device) == "cuda" else [])
    with profile(activities=kinds) as found:
        started = time.perf_counter()
        work()
        synchronise(device)
        seconds = time.perf_counter() - started
    averages = found.key_averages()
    busy = sum(getattr(event, "self_device_time_total", 0) for event in averages) / 1e6
    order = "self_cuda_time_total" if torch_device(device) == "cuda" else "self_cpu_time_total"
    rows = averages.table(sort_by=order, row_limit=25, max_name_column_width=60)
    return f"{seconds:.2f} s under the profiler, device busy {busy:.2f} s\n{rows}"


def torch_device(device: str) -> str:
    import torch

    return torch.device(device).type


def lens_work(data: Path, prompts: int) -> tuple[Any, Any]:
    """Corpora and settings of a LENS training of one epoch over some parallel prompts."""
    from lensbench.datasets.sources import Folder
    from lensbench.methods.corpora.probing import load_corpora
    from lensbench.methods.lens import LensConfig

    corpora = load_corpora(
        Folder(data), ("en", "zh"), n_probe=16, n_parallel=prompts, seed=42, probe_text="inputs+targets", revisions=None
    )
    return corpora, LensConfig.model_validate({"n_probe": 16, "n_parallel": prompts, "warmup_ratio": 0})


def utilisation_of_lens(loaded: Any, data: Path, rounds: int, peak: float, prompts: int) -> dict[str, Any]:
    corpora, config = lens_work(data, prompts)
    steps = -(-prompts // config.batch_size)
    lens.steps(loaded, corpora, config)
    counts: list[float] = []
    seconds: list[float] = []
    for number in range(rounds + 1):
        if number:
            # Frozen blocks read ahead, in the first of several steps: only all steps together have a rate.
            seconds.append(sum(taken[0] for taken in lens.steps(loaded, corpora, config)) / steps)
        else:
            counts.append(lens_flops(loaded, corpora, config) / steps)
    return _utilised("LENS step", config.batch_size, counts[0], seconds, peak)


def lens_flops(loaded: Any, corpora: Any, config: Any) -> float:
    """Of all steps together; probing is counted away."""
    from lensbench.methods.base import SilentProgress
    from lensbench.methods.lens.probe import probe

    probing = counted_flops(lambda: probe(loaded, corpora.probing, (len(loaded.blocks),), config, SilentProgress()))
    return counted_flops(lambda: lens.steps(loaded, corpora, config)) - probing


def _utilised(row: str, items: int, flops: float, seconds: list[float], peak: float) -> dict[str, Any]:
    return {
        "row": row,
        "items": items,
        "flops": flops,
        "seconds": seconds,
        "utilisation": flops / statistics.median(seconds) / peak,
        "goal": GOAL,
    }


def main() -> int:
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="data folder made by `lensbench data import`")
    parser.add_argument("--backbone", default="llama3-8b", help="whose sizes are taken")
    parser.add_argument("--layers", type=int, help="in place of the backbone's own number")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--side", type=int, default=8192, help="of the square matrices of the measured product")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--limit", type=int, help="at most this many items per row")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--parts", default="use,scoring,variants,generation", help=f"of {', '.join(PARTS)}, by comma")
    parser.add_argument("--json", type=Path, help="write machine and table here")
    options = parser.parse_args()
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if torch.device(options.device).type == "cuda" and not torch.cuda.is_available():
        raise SystemExit("no accelerator is at hand: nothing was measured (--device cpu --layers 2 tries the script out)")

    from lensbench.quiet import quiet_libraries

    quiet_libraries()
    loaded = random_backbone(options.backbone, options.layers, options.device, options.dtype)
    peak = peak_flops(options.side, options.device, options.dtype)
    about = machine(backbone=options.backbone, layers=len(loaded.blocks), dtype=options.dtype, rounds=options.rounds, peak=peak)
    if torch.cuda.is_available():
        about["accelerator"] = torch.cuda.get_device_name(options.device)
    print(json.dumps(about))
    print(f"one product of two {options.side} x {options.side} matrices: {peak / 1e12:.2f} TFLOP/s")
    table: list[dict[str, Any]] = []

    def keep(row: dict[str, Any]) -> None:
        table.append(row)
        if options.json:
            options.json.write_text(json.dumps({"machine": about, "rows": table}, indent=1) + "\n")

    with real_rows(options.data) as data:
        bench = scoring.Bench(loaded, data, options.batch_size)
        if "use" in parts:
            print("| row | items | TFLOP | seconds | utilisation | wanted |\n" + "|---" * 6 + "|")
            for measure in (
                lambda: utilisation_of_scoring(bench, options.limit or 300, options.rounds, peak),
                lambda: utilisation_of_lens(loaded, data, options.rounds, peak, 8 if options.limit else 80),
            ):
                keep(measure())
                print(used_line(table[-1]), flush=True)
        if "profile" in parts:
            print(profile_of_scoring(bench, options.limit or 100), flush=True)
            print(profile_of_lens(loaded, data, 8 if options.limit else 40), flush=True)
        # The tables of the other benchmark start from the last blocks of its own model.
        top = len(loaded.blocks)
        if "scoring" in parts or "variants" in parts:
            print(scoring.HEAD, flush=True)
        for row in scoring.TASKS if "scoring" in parts else ():
            keep(scoring.against_lm_eval(bench, row, options.limit, options.rounds))
            print(scoring.line(table[-1]), f"largest difference {table[-1]['largest_difference']:.2g}", flush=True)
        for row, (task, profile, starts, items, most) in scoring.VARIANTS.items() if "variants" in parts else ():
            own = [max(top - (30 - start), 1) for start in starts]
            scoring.VARIANTS[row] = (task, profile, own, items, most)
            keep(scoring.against_one(bench, row, options.limit, options.rounds))
            print(scoring.line(table[-1]), flush=True)
    if "generation" in parts:
        print(generation.HEAD, flush=True)
        prompts = generation.questions(loaded)[: options.limit]
        for measure_answers in (generation.batch_row, generation.variants_row):
            keep(measure_answers(loaded, prompts, 1))
            print(generation.line(table[-1]), flush=True)
    return 0


def used_line(found: dict[str, Any]) -> str:
    seconds = statistics.median(found["seconds"])
    cells = (found["row"], found["items"], f"{found['flops'] / 1e12:.2f}", f"{seconds:.2f}", f"{found['utilisation']:.0%}")
    return "| " + " | ".join(map(str, (*cells, f"{GOAL:.0%}"))) + " |"


if __name__ == "__main__":
    sys.exit(main())
