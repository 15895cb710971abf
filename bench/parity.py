"""Compare both engines with lm-eval's own `hf` model, side by side, on the same rows.

    make parity                                               # real rows under LENSBENCH_REAL_DATA
    python bench/parity.py --data DATA --only xcopa:zh --limit 50 --engine tree

lm-eval's side builds its requests from lm-eval's own task definition; only the rows are handed to it. So a difference in the
prompts would show as well as one in the numbers. fp32, one process, both on the same loaded weights. Exits 1 when an accuracy
differs, a prompt differs, or a log-likelihood is off by more than 1e-3.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TQDM_DISABLE", "1")

from measuring import load_model, real_rows

TASKS = {
    # task, language: items (None for all), lm-eval's definition below lm_eval/tasks
    ("xcopa", "zh"): (None, "xcopa/default_zh.yaml"),
    ("xcopa", "sw"): (None, "xcopa/default_sw.yaml"),
    ("xcopa", "it"): (None, "xcopa/default_it.yaml"),
    ("xstory_cloze", "en"): (300, "xstorycloze/default_en.yaml"),
    ("xwinograd", "en"): (300, "xwinograd/xwinograd_en.yaml"),
    ("xwinograd", "ja"): (300, "xwinograd/xwinograd_jp.yaml"),
    ("m_mmlu", "en"): (300, "okapi/mmlu_multilingual/m_mmlu_en.yaml"),
    ("m_mmlu", "ar"): (300, "okapi/mmlu_multilingual/m_mmlu_ar.yaml"),
}
TOLERANCE = 1e-3


def their_task(definition: str, split: str, rows: list[dict[str, Any]]) -> Any:
    """lm-eval's task object from its own definition, over given rows."""
    import datasets
    import lm_eval
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks._yaml_loader import load_yaml

    config = load_yaml(Path(lm_eval.__file__).parent / "tasks" / definition)
    config.pop("tag", None)
    for key in ("training_split", "validation_split", "test_split", "fewshot_split"):
        if config.get(key) != split:
            config.pop(key, None)
    table = datasets.DatasetDict({split: datasets.Dataset.from_list(rows)})
    task = ConfigurableTask(config={**config, "custom_dataset": lambda **_: table})
    task.set_fewshot_seed(1234)
    return task


def compare(
    loaded: Any,
    hf: Any,
    source: Any,
    name: str,
    code: str,
    items: int | None,
    definition: str,
    batch_size: int,
    engines: list[str],
) -> list[dict[str, Any]]:
    """Rows of the table, one for each engine."""
    from lensbench.engines.reference.lm import LensLM
    from lensbench.engines.tree.lm import TreeLM
    from lensbench.tasks import TaskRegistry, resolve
    from lensbench.tasks.build import build_items, build_task

    registry = TaskRegistry()
    task = resolve(registry.find(name, "lm-eval"), code, registry.profile("lm-eval"))
    spec = task.find_rows(source)
    rows = source.load(spec, task.language, task.split)
    lm = LensLM(loaded, batch_size=batch_size)
    built = build_task(task, rows)
    ours = build_items(task, built, lm.apply_chat_template, items)

    theirs = their_task(definition, task.split, rows.rows)
    theirs.build_all_requests(limit=items)
    asked = [request for item in ours for request in item.requests]
    same_prompts = asked == [tuple(instance.args) for instance in theirs.instances]

    started = time.perf_counter()
    their_scores = hf.loglikelihood(theirs.instances, disable_tqdm=True)
    their_seconds = time.perf_counter() - started
    found = []
    for engine in engines:
        side = {"tree": TreeLM, "reference": LensLM}[engine](loaded, batch_size=batch_size)
        started = time.perf_counter()
        our_scores = side.score_tokens(side.token_requests(asked))
        our_seconds = time.perf_counter() - started
        our_right, their_right = [], []
        position = 0
        for item in ours:
            part = slice(position, position + len(item.requests))
            position += len(item.requests)
            our_right.append(built.process_results(item.doc, our_scores[part])["acc"])
            their_right.append(theirs.process_results(item.doc, their_scores[part])["acc"])
        difference = max(abs(a[0] - b[0]) for a, b in zip(our_scores, their_scores, strict=True))
        found.append(
            {
                "task": name,
                "language": code,
                "engine": engine,
                "items": len(ours),
                "requests": len(asked),
                "same_prompts": same_prompts,
                "accuracy": sum(our_right) / len(ours),
                "accuracy_lm_eval": sum(their_right) / len(ours),
                "items_judged_differently": sum(a != b for a, b in zip(our_right, their_right, strict=True)),
                "largest_difference": difference,
                "seconds": our_seconds,
                "seconds_lm_eval": their_seconds,
                "equal": same_prompts and our_right == their_right and difference <= TOLERANCE,
            }
        )
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="data folder made by `lensbench data import`")
    parser.add_argument("--backbone", default="smollm2-135m")
    parser.add_argument("--limit", type=int, help="at most this many items per task")
    parser.add_argument("--only", help="task:language, by comma")
    parser.add_argument("--engine", choices=("tree", "reference"), help="one of the two")
    parser.add_argument("--batch-size", type=int, default=16)
    parser.add_argument("--json", type=Path, help="write the table here as JSON")
    options = parser.parse_args()
    from lensbench.datasets.sources import Folder
    from lensbench.quiet import quiet_libraries

    quiet_libraries()
    from lm_eval.models.huggingface import HFLM

    wanted = set((options.only or ",".join(":".join(key) for key in TASKS)).split(","))
    with real_rows(options.data) as data:
        loaded = load_model(options.backbone)
        hf = HFLM(pretrained=loaded.model, tokenizer=loaded.tokenizer, batch_size=options.batch_size)
        print(f"{loaded.backbone.title} on {platform.processor() or platform.machine()}, {os.cpu_count()} cores, fp32")
        head = (
            "task",
            "lang",
            "engine",
            "items",
            "requests",
            "prompts",
            "acc ours",
            "acc lm-eval",
            "max |diff|",
            "s ours",
            "s lm-eval",
        )
        form = "{:14}{:5}{:10}{:>6}{:>9} {:8}{:>9}{:>12}{:>11}{:>8}{:>10}  {}"
        print(form.format(*head, ""), flush=True)
        table = []
        for (name, code), (items, definition) in TASKS.items():
            if f"{name}:{code}" not in wanted:
                continue
            most = min(filter(None, (items, options.limit)), default=None)
            engines = [options.engine] if options.engine else ["reference", "tree"]
            for row in compare(loaded, hf, Folder(data), name, code, most, definition, options.batch_size, engines):
                table.append(row)
                print(
                    form.format(
                        name,
                        code,
                        row["engine"],
                        row["items"],
                        row["requests"],
                        "same" if row["same_prompts"] else "DIFFER",
                        f"{row['accuracy']:.4f}",
                        f"{row['accuracy_lm_eval']:.4f}",
                        f"{row['largest_difference']:.1e}",
                        f"{row['seconds']:.1f}",
                        f"{row['seconds_lm_eval']:.1f}",
                        "equal" if row["equal"] else "NOT EQUAL",
                    ),
                    flush=True,
                )
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")
    return 0 if table and all(row["equal"] for row in table) else 1


if __name__ == "__main__":
    sys.exit(main())
