"""What a LENS step costs beside its floor, and a LENS fit beside a full xSFT fit on as many items.

    make bench-lens                                   # real rows under LENSBENCH_REAL_DATA
    python bench/lens.py --only step --rounds 5

The floor of a step is one pass without gradients of the frozen blocks over the same number of tokens, three passes of the trained
blocks (forward, and twice that for the gradients) and one of their frozen copy, by transformers' own blocks over rows of one
length, so without padding. Step, floor, step, floor in one process, over the same weights. fp32 on the CPU.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from measuring import Taken, Watch, load_model, machine, ratios, real_rows

STEPS, BATCH = 10, 8
HEAD = "| row | floor, or xSFT | LENS | ratio | CPU ratio | wanted |\n" + "|---" * 6 + "|"
AT_MOST = {"step": 1.2, "fit": 0.2}


class Stamps:
    """Progress that notes when each step of a stage ended."""

    def __init__(self) -> None:
        self.steps: list[Taken] = []

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Any]:
        watch, self.steps = Watch(), []
        before = [(0.0, 0.0)]

        def advance(n: int = 1, note: str = "") -> None:
            now = watch.read()
            self.steps.append((now[0] - before[0][0], now[1] - before[0][1]))
            before[0] = now

        yield advance

    def notify(self, text: str) -> None:
        raise SystemExit(text)


def steps(loaded: Any, corpora: Any, config: Any) -> list[Taken]:
    """Seconds of each optimiser step of a training from the backbone's own weights."""
    from lensbench.methods.lens.probe import probe
    from lensbench.methods.lens.states import ForkedBlocks
    from lensbench.methods.lens.train import train

    layer = len(loaded.blocks)
    subspaces = probe(loaded, corpora.probing, (layer,), config, Stamps())
    blocks = ForkedBlocks(loaded, config.start_index(layer), (layer,))
    progress = Stamps()
    train(loaded, blocks, subspaces, corpora.parallel, corpora.languages, config, progress)
    blocks.finish()
    return progress.steps


def floor(loaded: Any, tokens: int, rows: int, start: int) -> Taken:
    """Frozen blocks once, trained blocks four times, over `tokens` tokens in `rows` rows of one length."""
    import torch

    draw = torch.Generator().manual_seed(tokens)
    ids = torch.randint(3, loaded.model.config.vocab_size, (rows, round(tokens / rows)), generator=draw)
    every = loaded.decoder.layers

    def run(blocks: Any, **inputs: Any) -> tuple[Taken, Any]:
        norm, loaded.decoder.norm = loaded.decoder.norm, torch.nn.Identity()
        loaded.decoder.layers, kept = torch.nn.ModuleList(blocks), loaded.model.config.num_hidden_layers
        loaded.model.config.num_hidden_layers = len(blocks)
        try:
            watch = Watch()
            states = loaded.decoder(use_cache=False, **inputs).last_hidden_state
            return watch.read(), states
        finally:
            loaded.decoder.layers, loaded.decoder.norm, loaded.model.config.num_hidden_layers = every, norm, kept

    with torch.no_grad():
        below, states = run(every[:start], input_ids=ids)
        above = [run(every[start:], inputs_embeds=states)[0] for _ in range(4)]
    return tuple(below[i] + sum(taken[i] for taken in above) for i in (0, 1))  # type: ignore[return-value]


def tokens_of_a_step(loaded: Any, corpora: Any, config: Any) -> tuple[float, float]:
    """Tokens of the prompts of one optimiser step, and how many of them are left when shared beginnings count once."""
    import torch

    from lensbench.methods.lens.packed import Pack
    from lensbench.methods.lens.prompts import train_ids

    encoded = [train_ids(loaded, [prompt.text[code] for prompt in corpora.parallel], config) for code in corpora.languages]
    order = random.Random(config.seed).sample(range(len(corpora.parallel)), len(corpora.parallel))
    every = distinct = 0
    for begin in range(0, len(order), BATCH):
        rows = [own[index] for own in encoded for index in order[begin : begin + BATCH]]
        every += sum(map(len, rows))
        distinct += Pack(rows, whole=[True] * len(rows), device=torch.device("cpu")).tokens
    return every / STEPS, distinct / STEPS


def step_rows(loaded: Any, data: Path, rounds: int) -> list[dict[str, Any]]:
    from lensbench.datasets.sources import Folder
    from lensbench.methods.corpora.probing import load_corpora
    from lensbench.methods.lens import LensConfig

    corpora = load_corpora(
        Folder(data), ("en", "zh"), n_probe=16, n_parallel=STEPS * BATCH, seed=42, probe_text="inputs+targets", revisions=None
    )
    one, two = (LensConfig.model_validate({"epochs": n, "n_probe": 16, "n_parallel": STEPS * BATCH}) for n in (1, 2))
    start = one.start_index(len(loaded.blocks))
    every, distinct = tokens_of_a_step(loaded, corpora, one)
    taken: dict[str, list[Taken]] = {name: [] for name in ("first", "later", "floor", "floor of distinct")}
    for _ in range(rounds):
        taken["first"] += steps(loaded, corpora, one)
        taken["floor"] += [floor(loaded, round(every), 2 * BATCH, start) for _ in range(STEPS)]
        taken["later"] += steps(loaded, corpora, two)[STEPS:]
        taken["floor of distinct"] += [floor(loaded, round(distinct), 2 * BATCH, start) for _ in range(STEPS)]
    pairs = {
        f"step, floor of its {every:.0f} tokens": ("first", "floor"),
        f"step, floor of the {distinct:.0f} distinct ones": ("first", "floor of distinct"),
        "step of a later epoch, floor of all tokens": ("later", "floor"),
    }
    return [
        {"row": row, "ours": taken[ours], "other": taken[under], **ratios(taken[ours], taken[under]), "at_most": AT_MOST["step"]}
        for row, (ours, under) in pairs.items()
    ]


def fit_row(loaded: Any, rounds: int) -> dict[str, Any]:
    """128 items each, those of LENS in the paper's proportions: three probing texts, rows xSFT learns too, to one prompt."""
    from lensbench.datasets.sources import EMBEDDED, open_data
    from lensbench.methods import load_method
    from lensbench.plan.request import RunRequest
    from lensbench.plan.variants import plan_variants

    changes = (
        "xsft.n_aya=64",
        "xsft.max_length=1024",
        "lens.n_probe=48",
        "lens.n_parallel=32",
        "lens.epochs=1",
        "lens.start_layer=last:2",
    )
    request = RunRequest(backbone=loaded.backbone.backbone, methods=("xsft", "lens"), languages=("zh",), overrides=changes)
    configs = {name: variant.config for name, variant in plan_variants(request, (), loaded.backbone, ("zh",)).items()}
    taken: dict[str, list[Taken]] = {name: [] for name in configs}
    items = {}
    for _ in range(rounds):
        for name, config in configs.items():
            method = load_method(name)
            corpora = method.corpora(open_data(EMBEDDED), ("en", "zh"), config)
            progress = Stamps()
            progress.notify = lambda text: None  # type: ignore[method-assign]
            watch = Watch()
            cost = method.fit(loaded, corpora, config, progress).card["cost"]
            taken[name].append(watch.read())
            items[name] = cost["training_items"]
    return {
        "row": "fit, 128 items each",
        "items": items,
        "ours": taken["lens"],
        "other": taken["xsft"],
        **ratios(taken["lens"], taken["xsft"]),
        "at_most": AT_MOST["fit"],
    }


def line(row: dict[str, Any]) -> str:
    other, ours = (statistics.median(taken[0] for taken in row[side]) for side in ("other", "ours"))
    return f"| {row['row']} | {other:.2f} s | {ours:.2f} s | {row['ratio']:.2f} | {row['cpu_ratio']:.2f} | <= {row['at_most']} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="data folder made by `lensbench data import`")
    parser.add_argument("--backbone", default="smollm2-135m")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=("step", "fit"))
    parser.add_argument("--json", type=Path, help="write machine and table here")
    options = parser.parse_args()

    from lensbench.quiet import quiet_libraries

    quiet_libraries()
    loaded = load_model(options.backbone)
    about = machine(backbone=options.backbone, rounds=options.rounds)
    print(json.dumps(about))
    print(HEAD, flush=True)
    table = []
    if options.only != "fit":
        with real_rows(options.data) as data:
            table += step_rows(loaded, data, options.rounds)
        print("\n".join(map(line, table)), flush=True)
    if options.only != "step":
        table.append(fit_row(loaded, max(options.rounds - 2, 1)))
        print(line(table[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "rows": table}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
