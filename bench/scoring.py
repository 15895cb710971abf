"""Seconds and memory of scoring: lm-eval's `hf` model beside lensbench, and many variants beside one, on the same rows.

    make bench-scoring                                        # real rows under LENSBENCH_REAL_DATA
    python bench/scoring.py --only xcopa:zh,sweep --limit 60 --rounds 1

Rounds go lm-eval, ours, lm-eval, ours in one process over the same loaded weights. Ratios are those of the medians: of seconds
that passed, and of seconds that processors worked, which is the one to read on a busy machine. Ours is the whole scoring stage as
a run calls it: encoding, the sample that measures noise, scoring, records. fp32 on the CPU.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measuring import Taken, Watch, like_lens, load_model, machine, ratios, real_rows

TASKS = {
    # row: (task, language, items, five examples in front, at least)
    "xcopa:zh": ("xcopa", "zh", 500, False, 1.5),
    "xstory_cloze:en": ("xstory_cloze", "en", 300, False, 1.7),
    "xwinograd:en": ("xwinograd", "en", 300, False, 1.5),
    "m_mmlu:en:5": ("m_mmlu", "en", 300, True, 4.5),
    "m_mmlu:en:0": ("m_mmlu", "en", 300, False, 1.15),
}
VARIANTS = {
    # row: (task, profile, first changed block of each variant, items, at most)
    "8-variants-letters": ("m_mmlu", "lens-paper", [28] * 8, 100, 1.6),
    "8-variants-continuations": ("xcopa", "lm-eval", [28] * 8, 100, 2.4),
    "sweep": ("m_mmlu", "lens-paper", list(range(22, 30)), 100, 2.2),
}
MEMORY = {"vocabulary": 128_000, "sequences": 16, "tokens": 512, "at most": 0.3}


HEAD = "| row | items | lm-eval, or one variant | lensbench | ratio | CPU ratio | wanted | tokens |\n" + "|---" * 8 + "|"


class Bench:
    """A backbone, lm-eval's model of it, and real rows."""

    def __init__(self, loaded: Any, data: Path, batch_size: int) -> None:
        from lm_eval.models.huggingface import HFLM

        from lensbench.datasets.sources import Folder
        from lensbench.engines.reference.lm import LensLM
        from lensbench.tasks import TaskRegistry

        self.loaded, self.backbone = loaded, loaded.backbone
        self.lm = LensLM(self.loaded, batch_size=batch_size)
        self.batch_size = batch_size
        self.hf = HFLM(pretrained=self.loaded.model, tokenizer=self.loaded.tokenizer, batch_size=batch_size)
        self.source, self.registry = Folder(data), TaskRegistry()

    def asked(self, name: str, code: str, profile: str, items: int, examples: bool = False) -> Any:
        """A task as the scoring stage takes it; with `examples`, five answered questions stand in front of every item."""
        from lensbench.plan.plan import PlannedTask
        from lensbench.plan.task_items import TaskItems
        from lensbench.tasks import resolve
        from lensbench.tasks.build import build_items, build_task

        chosen = self.registry.profile(profile)
        task = resolve(self.registry.find(name, profile), code, chosen, num_fewshot=0 if profile == "lm-eval" else None)
        spec = task.find_rows(self.source)
        rows = self.source.load(spec, task.language, task.split)
        built = build_task(task, rows)
        found = build_items(task, built, self.lm.apply_chat_template, items + 5 * examples)
        if examples:
            first, found = found[:5], found[5:]
            prefix = "".join(f"{item.requests[0][0]} {item.gold}\n\n" for item in first)
            found = [
                dataclasses.replace(item, requests=tuple((prefix + context, answer) for context, answer in item.requests))
                for item in found
            ]
        return TaskItems(PlannedTask(task, spec.rows), built, tuple(found), rows.origin)

    def ours(self, asked: Any, variants: list[Any] | None = None) -> tuple[Taken, dict[str, list[float]], Any]:
        """Seconds of the scoring stage, log-likelihoods of the first variant by item, and what was computed."""
        from lensbench.backbones.lazy import LazyBackbone
        from lensbench.engines.protocol import EngineSettings
        from lensbench.engines.registry import DEFAULT, open_engine
        from lensbench.engines.tree.scorer import TreeScorer
        from lensbench.methods.base import SilentProgress
        from lensbench.records import RecordLog
        from lensbench.records.log import read_objects
        from lensbench.spec import BASE
        from lensbench.stages.score import score_stage
        from lensbench.stages.variants import Variant

        variants = variants or [Variant(BASE)]
        progress = SilentProgress()
        engine = open_engine(DEFAULT, LazyBackbone.holding(self.loaded), EngineSettings(batch_size=self.batch_size))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "score.jsonl"
            watch = Watch()
            with RecordLog(path) as log:
                score_stage(engine, variants, [asked], log, progress)
            taken = watch.read()
            records = [value for _, value in read_objects(path)]
        if any("reference engine" in note for note in progress.notes):
            raise SystemExit(progress.notes)
        scores = {r["item"]: r["loglikelihoods"] for r in records if r["variant"] == variants[0].name}
        # The stage's own counts hold the noise sample too.
        scorer = TreeScorer(self.loaded, max_length=self.lm.max_length, batch_size=self.lm.batch_size)
        return taken, scores, scorer.estimate(self.requests(asked))

    def requests(self, asked: Any) -> list[Any]:
        first_token = asked.planned.task.profile.scoring == "first_token"
        return [self.lm.token_request(*r, first_token=first_token) for item in asked.items for r in item.requests]

    def theirs(self, asked: Any) -> tuple[Taken, dict[str, list[float]]]:
        """Seconds of lm-eval's `hf` model, and log-likelihoods by item."""
        from lm_eval.api.instance import Instance

        instances = [Instance("loglikelihood", {}, r, 0) for item in asked.items for r in item.requests]
        watch = Watch()
        found = iter(self.hf.loglikelihood(instances, disable_tqdm=True))
        taken = watch.read()
        return taken, {item.id: [next(found)[0] for _ in item.requests] for item in asked.items}

    def variants(self, starts: list[int]) -> list[Any]:
        from lensbench.stages.variants import Variant

        return [Variant(f"v{number}", delta) for number, delta in enumerate(like_lens(self.loaded, starts))]


def against_lm_eval(bench: Bench, row: str, limit: int | None, rounds: int) -> dict[str, Any]:
    name, code, items, examples, least = TASKS[row]
    asked = bench.asked(name, code, "lm-eval", min(filter(None, (items, limit))), examples)
    theirs, ours, off = [], [], 0.0
    for _ in range(rounds):
        taken, expected = bench.theirs(asked)
        theirs.append(taken)
        taken, found, counts = bench.ours(asked)
        ours.append(taken)
        off = max(off, *(abs(a - b) for key in expected for a, b in zip(expected[key], found[key], strict=True)))
    return {
        "row": row,
        "items": len(asked.items),
        "other": theirs,
        "ours": ours,
        **ratios(theirs, ours),
        "at_least": least,
        "largest_difference": off,
        **counts,
        "forwarded_per_unique": counts["forwarded_tokens"] / counts["unique_tokens"],
    }


def against_one(bench: Bench, row: str, limit: int | None, rounds: int) -> dict[str, Any]:
    name, profile, starts, items, most = VARIANTS[row]
    asked = bench.asked(name, "zh" if name == "xcopa" else "en", profile, min(filter(None, (items, limit))))
    variants = bench.variants(starts)
    one, many = [], []
    for _ in range(rounds):
        one.append(bench.ours(asked, variants[:1])[0])
        many.append(bench.ours(asked, variants)[0])
    return {"row": row, "items": len(asked.items), "other": one, "ours": many, **ratios(many, one), "at_most": most}


def memory() -> dict[str, Any]:
    """Peaks of two fresh processes, without what model and libraries held before."""
    peaks = {}
    for side in ("theirs", "ours"):
        command = [sys.executable, __file__, "--memory-of", side]
        peaks[side] = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])
    return {
        "row": "memory",
        "lm_eval_bytes": peaks["theirs"],
        "bytes": peaks["ours"],
        "ratio": peaks["ours"] / peaks["theirs"],
        "at_most": MEMORY["at most"],
    }


def memory_of(side: str) -> None:
    """Print by how many bytes scoring raised this process's resident memory at its highest."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

    from lensbench.backbones import get_backbone
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.backbones.resolve import find_checkpoint
    from lensbench.memory import measure_peak, resident_bytes
    from lensbench.quiet import quiet_libraries

    quiet_libraries()
    from lm_eval.models.huggingface import HFLM

    from lensbench.engines.tree.lm import TreeLM

    backbone = get_backbone("smollm2-135m")
    checkpoint = find_checkpoint(backbone)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint.path)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4}
    config = LlamaConfig(vocab_size=MEMORY["vocabulary"], num_key_value_heads=4, max_position_embeddings=2048, **sizes)
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    draw = torch.randint(0, MEMORY["vocabulary"], (int(MEMORY["sequences"]), int(MEMORY["tokens"]) + 1)).tolist()
    asked = [(("a", "b"), ids[:-32], ids[-32:]) for ids in draw]
    lm: Any
    if side == "ours":
        lm = TreeLM(LoadedBackbone(backbone, checkpoint, model, tokenizer))
    else:
        lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=int(MEMORY["sequences"]))
    lm._loglikelihood_tokens([(("a", "b"), [1, 2, 3], [4])], disable_tqdm=True)
    before = resident_bytes()
    with measure_peak(torch.device("cpu")) as found:
        lm._loglikelihood_tokens(asked, disable_tqdm=True)
    if before is None or found.peak_bytes is None:
        raise SystemExit("this system does not tell a process's peak memory")
    print(found.peak_bytes - before)


def line(row: dict[str, Any]) -> str:
    """One row of the Markdown table."""
    wanted = f">= {row['at_least']}" if "at_least" in row else f"<= {row['at_most']}"
    if row["row"] == "memory":
        theirs, ours = (f"{row[name] / 2**20:.0f} MiB" for name in ("lm_eval_bytes", "bytes"))
        return f"| {row['row']} | | {theirs} | {ours} | {row['ratio']:.2f} | | {wanted} | |"
    other, ours = (statistics.median(taken[0] for taken in row[side]) for side in ("other", "ours"))
    counts = ""
    if "unique_tokens" in row:
        counts = (
            f"{row['unique_tokens']} unique, {row['forwarded_tokens']} forwarded ({row['forwarded_per_unique']:.3f}), "
            f"{row['head_positions']} at the head"
        )
    seconds = f"{other:.1f} s | {ours:.1f} s | {row['ratio']:.2f} | {row['cpu_ratio']:.2f}"
    return f"| {row['row']} | {row['items']} | {seconds} | {wanted} | {counts} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="data folder made by `lensbench data import`")
    parser.add_argument("--backbone", default="smollm2-135m")
    parser.add_argument("--limit", type=int, help="at most this many items per row")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", help="rows, by comma")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--json", type=Path, help="write machine and table here")
    parser.add_argument("--memory-of", choices=("ours", "theirs"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TQDM_DISABLE", "1")
    if options.memory_of:
        memory_of(options.memory_of)
        return 0

    from lensbench.quiet import quiet_libraries

    quiet_libraries()
    rows = [*TASKS, *VARIANTS, "memory"]
    wanted = options.only.split(",") if options.only else rows
    if unknown := set(wanted) - set(rows):
        parser.error(f"no row {', '.join(unknown)}; there are {', '.join(rows)}")
    about = machine(backbone=options.backbone, rounds=options.rounds)
    print(json.dumps(about))
    with contextlib.ExitStack() as stack:
        bench = None
        if wanted != ["memory"]:
            loaded = load_model(options.backbone)
            bench = Bench(loaded, stack.enter_context(real_rows(options.data)), options.batch_size)
        print(HEAD, flush=True)
        table = []
        for row in wanted:
            if row == "memory":
                table.append(memory())
            else:
                measure = against_lm_eval if row in TASKS else against_one
                assert bench is not None
                table.append(measure(bench, row, options.limit, options.rounds))
            table[-1]["load"] = os.getloadavg()[0]
            print(line(table[-1]), flush=True)
            if options.json:
                options.json.write_text(json.dumps({"machine": about, "rows": table}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
