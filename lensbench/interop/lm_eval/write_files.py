"""The scores of a run in lm-evaluation-harness's own results and samples files, one set per variant, for its viewers."""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lensbench.interop.lm_eval.finding import is_ours_by_name
from lensbench.jsonio import JsonObject, json_text
from lensbench.records import ItemRecord, ScoreRecord, TaskKey
from lensbench.records.counting import last_scores
from lensbench.records.run_folder import RunFolder, write_atomically
from lensbench.safenames import checked_name, folder_name

__all__ = ["write_lm_eval_files"]


def write_lm_eval_files(folder: RunFolder, about: Mapping[str, Any], cells: Sequence[Any]) -> None:
    """Write `lm_eval/VARIANT/results_DATE.json` and `samples_TASK_DATE.jsonl` (lm_eval/result_schema.py).

    DATE is that of the run's last start, as lm-eval writes dates into its names (loggers/evaluation_tracker.py), so that its
    finders see the files. Those of an earlier start are removed: a run has one set.
    Only log-likelihood tasks are written: answers to open questions have no lm-eval metric.

    Raises:
        UsageError: a name in the run's files cannot be that of a file, or a link leads outside the folder.
    """
    provenance = folder.read_json("provenance.json")["starts"][-1]
    time = _time(provenance.get("time"))
    date = time.replace(tzinfo=None).isoformat(timespec="microseconds").replace(":", "-")
    items = {record.key: record for record in folder.records(ItemRecord)}
    spec = folder.spec()
    scores: dict[str, list[ScoreRecord]] = {}
    # Read once: a run may have hundreds of variants.
    for (_, by), record in last_scores(folder.records(ScoreRecord)).items():
        scores.setdefault(by, []).append(record)
    shown: dict[str, list[Any]] = {}
    for cell in cells:
        shown.setdefault(cell.variant, []).append(cell)
    for variant in about["variants"]:
        home = folder.own(Path("lm_eval") / checked_name(folder_name(variant), "variant", str(folder.path)))
        samples = _samples(scores.get(variant, []), items)
        written = {f"results_{date}.json"}
        for name, rows in samples.items():
            lines = "".join(json_text(row) + "\n" for row in rows)
            file = f"samples_{checked_name(name, 'task', str(folder.log_path('items')))}_{date}.jsonl"
            write_atomically(home / file, lines)
            written.add(file)
        results: dict[str, JsonObject] = {}
        directions: dict[str, dict[str, bool | None]] = {}
        for cell in shown.get(variant, []):
            name = f"{cell.task}_{cell.language}"
            if name not in samples or cell.value is None:
                continue
            n = cell.n - cell.failures
            # The formula is that of a share; a mean log-likelihood, for one, has none.
            share = n > 1 and 0 <= cell.value <= 1
            stderr = (cell.value * (1 - cell.value) / (n - 1)) ** 0.5 if share else "N/A"
            entry = results.setdefault(name, {"name": name, "alias": name, "sample_len": cell.n})
            directions.setdefault(name, {})[cell.metric] = cell.higher_is_better
            entry[f"{cell.metric},none"] = cell.value
            entry[f"{cell.metric}_stderr,none"] = stderr
        content = {
            "results": results,
            "group_subtasks": {name: [] for name in results},
            "configs": {name: {"task": name, "metadata": _told(name, about)} for name in results},
            "versions": {name: _told(name, about)["version"] for name in results},
            "n-shot": dict.fromkeys(results, spec.num_fewshot or 0),
            "higher_is_better": {name: _told(name, about).get("higher_is_better") or directions[name] for name in results},
            "n-samples": {
                name: {
                    "original": (_told(name, about)["origin"] or {}).get("rows", entry["sample_len"]),
                    "effective": entry["sample_len"],
                }
                for name, entry in results.items()
            },
            "config": {
                "model": "lensbench",
                "model_args": {"backbone": about["backbone"], "variant": variant},
                "model_dtype": about["dtype"],
                "device": about["device"],
                "limit": spec.limit,
            },
            "git_hash": (provenance["git"] or {}).get("commit"),
            "date": time.timestamp(),
            "transformers_version": provenance["packages"].get("transformers"),
            "lm_eval_version": provenance["packages"].get("lm_eval"),
            "model_source": "lensbench",
            "model_name": f"{about['backbone']}+{variant}",
            "model_name_sanitized": f"{about['backbone']}+{variant}".replace("/", "__"),
        }
        write_atomically(home / f"results_{date}.json", json_text(content, indent=1) + "\n")
        for path in [path for path in home.iterdir() if is_ours_by_name(path.name) and path.name not in written]:
            path.unlink(missing_ok=True)


def _time(told: Any) -> datetime.datetime:
    """When the run was last started, in UTC; now, as lm-eval takes it, where the run does not tell that as a date."""
    try:
        found = datetime.datetime.fromisoformat(str(told))
    except ValueError:
        return datetime.datetime.now(datetime.UTC)
    return found.replace(tzinfo=datetime.UTC) if found.tzinfo is None else found.astimezone(datetime.UTC)


def _told(name: str, about: Mapping[str, Any]) -> Mapping[str, Any]:
    """What `variants.json` says of a task in a language, by the name it has in lm-eval's files."""
    task, _, language = name.rpartition("_")
    found: Mapping[str, Any] = about["tasks"][str(TaskKey(task, language))]
    return found


def _samples(scores: Sequence[ScoreRecord], items: Mapping[str, ItemRecord]) -> dict[str, list[JsonObject]]:
    samples: dict[str, list[JsonObject]] = {}
    for record in scores:
        item = items.get(record.item)
        if item is None:
            continue
        responses = [[str(ll), str(greedy)] for ll, greedy in zip(record.loglikelihoods, record.greedy, strict=True)]
        responses += [[str(ll), str(greedy)] for ll, greedy in record.unconditional]
        prompts = [context + continuation for context, continuation in item.requests]
        gold = "" if item.gold is None else str(item.gold)
        samples.setdefault(f"{item.task}_{item.language}", []).append(
            {
                "doc_id": item.doc_id,
                "doc": item.doc,
                "target": gold,
                "arguments": {
                    f"gen_args_{i}": {"arg_0": context, "arg_1": continuation}
                    for i, (context, continuation) in enumerate(item.requests)
                },
                "resps": [[response] for response in responses],
                "filtered_resps": responses,
                "filter": "none",
                "metrics": list(record.metrics),
                "doc_hash": _sha256(json.dumps(item.doc, ensure_ascii=False)),
                "prompt_hash": _sha256(prompts[0]),
                "target_hash": _sha256(gold),
                **record.metrics,
            }
        )
    for rows in samples.values():
        rows.sort(key=lambda row: row["doc_id"])
    return samples


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
