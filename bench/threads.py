"""Seconds of scoring, fitting and answering with one thread and with two or more, on a machine that is quiet and on a busy one.

    python bench/threads.py                   # 1 and 2 threads, in turns
    python bench/threads.py --busy 8          # beside eight processes that compute

Scores, answers and the weights that LENS leaves are compared between the numbers of threads.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from measuring import Taken, Watch, load_model, machine

ANSWERS, TOKENS, ITEMS, PROMPTS = 16, 24, 24, 16
HEAD = "| work | threads | seconds | processor seconds |\n" + "|---" * 4 + "|"


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many processes that do nothing but compute."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        time.sleep(1 if count else 0)
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def scoring(loaded: Any) -> Any:
    """Log-likelihoods of XCOPA in Chinese, as a run scores them."""
    from lensbench.backbones.lazy import LazyBackbone
    from lensbench.datasets.sources import EMBEDDED, open_data
    from lensbench.engines.encoding import RequestEncoder
    from lensbench.engines.tree.scorer import TreeScorer
    from lensbench.tasks import TaskRegistry, resolve
    from lensbench.tasks.build import build_items, build_task

    registry, source = TaskRegistry(), open_data(EMBEDDED)
    task = resolve(registry.find("xcopa", "lm-eval"), "zh", registry.profile("lm-eval"), num_fewshot=0)
    spec = task.find_rows(source)
    rows = source.load(spec, task.language, task.split)
    encoder = RequestEncoder.of(LazyBackbone.holding(loaded))
    items = build_items(task, build_task(task, rows), encoder.apply_chat_template, ITEMS)
    requests = encoder.token_requests([r for item in items for r in item.requests])
    return list(TreeScorer(loaded, max_length=2048).score(requests))


def answering(loaded: Any) -> Any:
    """Greedy answers in a moving batch."""
    from generation import questions

    from lensbench.engines.generation.decode import generate_answers
    from lensbench.engines.protocol import AnswerRequest

    requests = [AnswerRequest(prompt, TOKENS) for prompt in questions(loaded)[-ANSWERS:]]
    return [answer.text for answer in generate_answers(loaded, requests, batch_size=ANSWERS)]


def fitting(loaded: Any) -> Any:
    """LENS on few prompts: the norm of each tensor that it leaves."""
    from lensbench.datasets.sources import EMBEDDED, open_data
    from lensbench.methods.base import SilentProgress
    from lensbench.methods.lens.config import LensConfig
    from lensbench.methods.lens.fit import fit_lens
    from lensbench.methods.lens.method import Lens

    config = LensConfig(
        start_layer="last:4", n_probe=PROMPTS, n_parallel=PROMPTS, learning_rate=2e-4, epochs=1, retain_pool="last"
    )
    corpora = Lens().corpora(open_data(EMBEDDED), ("en", "zh"), config, {})
    delta = fit_lens(loaded, corpora, config, SilentProgress())
    return {name: tensor.clone() for name, tensor in delta.tensors.items()}


WORK = {"scoring": scoring, "fitting": fitting, "answering": answering}


def difference(one: Any, other: Any) -> str:
    """How far two results of one kind of work are apart."""
    if isinstance(one, dict):
        return f"largest difference of a weight {max(float((one[k] - other[k]).abs().max()) for k in one):.1e}"
    return f"{sum(a != b for a, b in zip(one, other, strict=True))} of {len(one)} differ"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="smollm2-135m")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--busy", type=int, default=0, help="processes beside it")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--only", choices=list(WORK))
    options = parser.parse_args()

    import torch

    from lensbench.quiet import quiet_libraries

    quiet_libraries()
    loaded = load_model(options.backbone)
    numbers = [int(number) for number in options.threads.split(",")]
    print(json.dumps(machine(backbone=options.backbone, busy=options.busy, wait=os.environ.get("OMP_WAIT_POLICY"))))
    print(HEAD, flush=True)
    for name, work in WORK.items():
        if options.only not in (None, name):
            continue
        work(loaded)
        taken: dict[int, list[Taken]] = {number: [] for number in numbers}
        found = {}
        with busy(options.busy):
            for _ in range(options.rounds):
                for number in numbers:
                    torch.set_num_threads(number)
                    watch = Watch()
                    found[number] = work(loaded)
                    taken[number].append(watch.read())
        for number in numbers:
            wall, cpu = (statistics.median(t[i] for t in taken[number]) for i in (0, 1))
            print(f"| {name} | {number} | {wall:.2f} | {cpu:.2f} |", [f"{t[0]:.1f}/{t[1]:.1f}" for t in taken[number]])
        print(f"  {name}: " + difference(found[numbers[0]], found[numbers[-1]]), "load", os.getloadavg()[0], flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
