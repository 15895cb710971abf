"""Tokens a second of the moving batch against one answer at a time, for 32 answers of mixed length, in one run.

    .venv/bin/python bench/generation.py [--backbone NAME] [--rounds 3]

Both paths answer the same embedded questions greedily on the same weights. Prints every round, the median ratio, and how many
answers differ; an answer that differs is checked for a numerical tie at the first token that differs.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

LENGTHS = (16, 32, 64, 128)
"""Cuts of the answers, in turn: a batch that waits for its longest answer would mostly be padding."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="smollm2-135m")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    from lensbench.backbones import get_backbone
    from lensbench.backbones.load import load_backbone
    from lensbench.backbones.resolve import find_checkpoint
    from lensbench.data.rows import load_rows_spec
    from lensbench.data.sources import EMBEDDED, open_data
    from lensbench.engine.chat import encode_prompt, render_chat
    from lensbench.engine.decode import AnswerRequest, generate_answers
    from lensbench.engine.generate import generate_reference
    from lensbench.languages import get_language
    from lensbench.quiet import quiet_libraries

    quiet_libraries()
    backbone = get_backbone(options.backbone)
    loaded = load_backbone(backbone, find_checkpoint(backbone, say=print), device="auto", dtype="float32")
    spec, source = load_rows_spec("open_questions"), open_data(EMBEDDED)
    questions = [row["turns"][0] for code in ("en", "zh") for row in source.load(spec, get_language(code), "test").rows[:16]]
    prompts = [
        tuple(
            encode_prompt(loaded.tokenizer, render_chat(loaded.tokenizer, [{"role": "user", "content": q}], backbone.system_text))
        )
        for q in questions
    ]
    cuts = [LENGTHS[i % len(LENGTHS)] for i in range(len(prompts))]
    print(f"{backbone.backbone} on {platform.machine()}, {os.cpu_count()} cores, {loaded.device}, fp32; {len(prompts)} answers")
    ratios = []
    for number in range(1, options.rounds + 1):
        started = time.perf_counter()
        fast = generate_answers(
            loaded, [AnswerRequest(p, n) for p, n in zip(prompts, cuts, strict=True)], batch_size=len(prompts)
        )
        fast_seconds = time.perf_counter() - started
        started = time.perf_counter()
        slow = [generate_reference(loaded, p, n) for p, n in zip(prompts, cuts, strict=True)]
        slow_seconds = time.perf_counter() - started
        rates = sum(a.tokens for a in fast) / fast_seconds, sum(a.tokens for a in slow) / slow_seconds
        ratios.append(rates[0] / rates[1])
        differing = [i for i, (a, b) in enumerate(zip(fast, slow, strict=True)) if a.text != b.text]
        ties = sum(_tie(loaded, prompts[i], fast[i].text, slow[i].text) for i in differing)
        print(
            f"round {number}: {rates[0]:.1f} tokens/s in the batch, {rates[1]:.1f} one by one, ratio {ratios[-1]:.2f}; "
            f"{len(differing)} answers differ, {ties} of them at a numerical tie"
        )
    print(f"median ratio {statistics.median(ratios):.2f}")


def _tie(loaded, prompt, one: str, other: str) -> bool:  # type: ignore[no-untyped-def]
    """Whether the two best tokens are within 1e-3 where two answers part."""
    import torch

    first, second = (loaded.tokenizer.encode(text, add_special_tokens=False) for text in (one, other))
    shared = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second)))
    with torch.inference_mode():
        best = loaded.model(torch.tensor([[*prompt, *first[:shared]]], device=loaded.device)).logits[0, -1].topk(2).values
    return float(best[0] - best[1]) < 1e-3


if __name__ == "__main__":
    main()
