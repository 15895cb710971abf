"""Answers in one moving batch beside one at a time, and of many variants in one batch beside one after the other.

    make bench-generation
    python bench/generation.py --only variants --rounds 1

The same embedded questions, greedily, on the same weights, in one process: one way, the other, one way, the other. An answer
that differs between the two ways is looked at: at a numerical tie, either is right.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import statistics
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from measuring import Taken, Watch, like_lens, load_model, machine, ratios

LENGTHS = (16, 32, 64, 128)
"""Cuts of the answers, in turn: a batch that waits for its longest answer would mostly be padding."""
VARIANTS, BLOCKS = 8, 2
"""LENS-like variants, and how many of the last blocks each exchanges."""
HEAD = "| row | answers | one by one | in one batch | ratio | CPU ratio | differ, of them tied |\n" + "|---" * 7 + "|"

Prompt = tuple[int, ...]


def questions(loaded: Any) -> list[Prompt]:
    """32 questions in English and Chinese as chat prompts of a backbone."""
    from lensbench.datasets.rows import load_rows_spec
    from lensbench.datasets.sources import EMBEDDED, open_data
    from lensbench.engines.chat import encode_prompt, render_chat
    from lensbench.languages import get_language

    spec, source = load_rows_spec("open_questions"), open_data(EMBEDDED)
    asked = [row["turns"][0] for code in ("en", "zh") for row in source.load(spec, get_language(code), "test").rows[:16]]
    rendered = [render_chat(loaded.tokenizer, [{"role": "user", "content": q}], loaded.backbone.system_text) for q in asked]
    return [tuple(encode_prompt(loaded.tokenizer, text)) for text in rendered]


def batch_row(loaded: Any, prompts: list[Prompt], rounds: int) -> dict[str, Any]:
    """The moving batch beside transformers' own `generate`, for answers of mixed length."""
    from lensbench.engines.generation.decode import generate_answers
    from lensbench.engines.generation.generate import generate_reference
    from lensbench.engines.protocol import AnswerRequest

    requests = [AnswerRequest(prompt, LENGTHS[i % len(LENGTHS)]) for i, prompt in enumerate(prompts)]
    ours, other, differ, ties = [], [], 0, 0
    for _ in range(rounds):
        watch = Watch()
        slow = [generate_reference(loaded, request.prompt, request.max_new_tokens) for request in requests]
        other.append(watch.read())
        watch = Watch()
        fast = generate_answers(loaded, requests, batch_size=len(requests))
        ours.append(watch.read())
        unlike = [i for i, (one, two) in enumerate(zip(fast, slow, strict=True)) if one.text != two.text]
        differ, ties = len(unlike), sum(_tie(loaded, prompts[i], fast[i].text, slow[i].text) for i in unlike)
    return _row("moving batch", len(requests), ours, other, differ, ties, sum(answer.tokens for answer in fast))


def variants_row(loaded: Any, prompts: list[Prompt], rounds: int) -> dict[str, Any]:
    """Variants that share all but the last blocks, in one batch, beside a moving batch for each."""
    from lensbench.engines.generation.decode import generate_answers
    from lensbench.engines.layer_sharing import branch_of
    from lensbench.engines.protocol import AnswerRequest

    start = len(loaded.blocks) - BLOCKS
    deltas = like_lens(loaded, [start] * VARIANTS)
    branches = [branch_of(loaded, functools.partial(delta.applied, loaded, "zh"), start) for delta in deltas]
    # 16 of the 32 questions under each variant; items of one question are neighbours, as in a run.
    asked = [(prompt, LENGTHS[i % len(LENGTHS)]) for i, prompt in enumerate(prompts[::2])]
    together = [AnswerRequest(prompt, cut, variant=variant) for prompt, cut in asked for variant in range(VARIANTS)]
    ours, other, differ, ties = [], [], 0, 0
    for _ in range(rounds):
        watch, slow = Watch(), {}
        for variant, delta in enumerate(deltas):
            with delta.applied(loaded, "zh"):
                found = generate_answers(loaded, [AnswerRequest(prompt, cut) for prompt, cut in asked], batch_size=len(asked))
            slow.update({(place, variant): answer for place, answer in enumerate(found)})
        other.append(watch.read())
        watch = Watch()
        fast = generate_answers(loaded, together, batch_size=len(together), branches=branches)
        ours.append(watch.read())
        unlike = [
            (index, slow[index // VARIANTS, index % VARIANTS])
            for index, answer in enumerate(fast)
            if answer.text != slow[index // VARIANTS, index % VARIANTS].text
        ]
        differ, ties = len(unlike), 0
        for index, answer in unlike:
            with deltas[together[index].variant].applied(loaded, "zh"):
                ties += _tie(loaded, together[index].prompt, fast[index].text, answer.text)
    return _row(f"{VARIANTS} variants", len(together), ours, other, differ, ties, sum(answer.tokens for answer in fast))


def _row(name: str, answers: int, ours: list[Taken], other: list[Taken], differ: int, ties: int, tokens: int) -> dict[str, Any]:
    return {
        "row": name,
        "answers": answers,
        "tokens": tokens,
        "ours": ours,
        "other": other,
        **ratios(other, ours),
        "differ": differ,
        "tied": ties,
    }


def _tie(loaded: Any, prompt: Prompt, one: str, other: str) -> bool:
    """Whether the two best tokens are within 1e-3 where two answers part."""
    import torch

    first, second = (loaded.tokenizer.encode(text, add_special_tokens=False) for text in (one, other))
    shared = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    with torch.inference_mode():
        best = loaded.model(torch.tensor([[*prompt, *first[:shared]]], device=loaded.device)).logits[0, -1].topk(2).values
    return float(best[0] - best[1]) < 1e-3


def line(row: dict[str, Any]) -> str:
    """One row of the Markdown table."""
    other, ours = (statistics.median(taken[0] for taken in row[side]) for side in ("other", "ours"))
    rates = f"{row['tokens'] / other:.0f} tokens/s | {row['tokens'] / ours:.0f} tokens/s"
    found = f"{row['ratio']:.2f} | {row['cpu_ratio']:.2f} | {row['differ']}, {row['tied']}"
    return f"| {row['row']} | {row['answers']} | {rates} | {found} |"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="smollm2-135m")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--only", choices=("batch", "variants"))
    parser.add_argument("--json", type=Path, help="write machine and table here")
    options = parser.parse_args()

    from lensbench.quiet import quiet_libraries

    quiet_libraries()
    loaded = load_model(options.backbone, device="auto")
    prompts = questions(loaded)
    about = machine(backbone=options.backbone, rounds=options.rounds)
    print(json.dumps(about))
    print(HEAD, flush=True)
    table = []
    for name, measure in (("batch", batch_row), ("variants", variants_row)):
        if options.only in (None, name):
            table.append(measure(loaded, prompts, options.rounds))
            print(line(table[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"machine": about, "rows": table}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
