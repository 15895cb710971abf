"""Reading results and samples files that lm-evaluation-harness wrote (lm_eval/result_schema.py, 0.4.13; `--log_samples`)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lensbench.errors import DataError, UsageError

__all__ = ["LmEvalModel", "LmEvalSample", "LmEvalTask", "holds_lm_eval", "read_lm_eval"]

_VERSION = re.compile(r"0\.4\.\d+")
_TABLES = ("group_subtasks", "configs", "versions", "n-shot", "n-samples", "config")
_BROKEN = "lm-eval does not write that; was the file edited?"
_NEEDED = (
    "doc_id", "doc", "target", "arguments", "filtered_resps", "filter", "metrics", "doc_hash", "prompt_hash", "target_hash",
)  # fmt: skip


@dataclass
class LmEvalSample:
    """One question under one model.

    Attributes:
        arguments: Of every request, as lm-eval wrote them.
        requests: (context, continuation) of every request; continuation "" where text was to be generated.
        answers: (log-likelihood, greedy) of every request; empty where text was generated.
        metrics: `METRIC,FILTER` -> value as it was written.
        texts: Filter -> what it left of the generated text.
    """

    doc_id: int
    doc: dict[str, Any]
    target: str
    hashes: tuple[str, str, str]
    arguments: list[dict[str, Any]]
    requests: list[tuple[str, str]]
    answers: list[tuple[float, bool]]
    metrics: dict[str, Any] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


@dataclass
class LmEvalTask:
    """One task of one results file.

    Attributes:
        num_fewshot: None where the file does not say (lm-eval: "n/a").
        numbers: `METRIC,FILTER` -> lm-eval's own aggregate, and `METRIC_stderr,FILTER` -> its standard error.
        samples: None where no samples were logged.
        planned: Items the task was to be asked; 0 where the file does not say.
        higher_is_better: Metric -> direction, of the metrics of which the file tells it.
    """

    name: str
    version: str
    num_fewshot: int | None
    config: dict[str, Any]
    numbers: dict[str, float]
    samples: list[LmEvalSample] | None
    planned: int
    higher_is_better: dict[str, bool] = field(default_factory=dict)


@dataclass
class LmEvalModel:
    """What one results file says.

    Attributes:
        groups: Names of groups, whose numbers are averages of tasks.
    """

    path: Path
    name: str
    version: str
    content: dict[str, Any]
    tasks: dict[str, LmEvalTask]
    groups: list[str]


def holds_lm_eval(path: Path) -> bool:
    """Whether a path is, or holds, results of lm-eval and no run of lensbench."""
    if (path / "run.json").is_file():
        return False
    return bool(_results_files(path))


def read_lm_eval(path: Path) -> list[LmEvalModel]:
    """Every results file at a path, the oldest first, each with the samples that were written with it.

    Args:
        path: A results file, the folder of one model, or lm-eval's `--output_path` with folders of models in it.

    Raises:
        UsageError: there is none, or it was written by a version that is not known here.
        DataError: a file is cut off or is not what lm-eval writes; names the file and, of samples, the line.
    """
    files = _results_files(path)
    if not files:
        raise UsageError(f"{path}: no results of lm-eval", "Looked for results_*.json there and one folder below.")
    return [_read_results(file) for file in files]


def _results_files(path: Path) -> list[Path]:
    if path.is_file():
        return [path] if path.suffix == ".json" else []
    found = [file for pattern in ("results*.json", "*/results*.json") for file in path.glob(pattern)]
    # lensbench's own runs have a results.json of another make.
    return sorted((f for f in found if not (f.parent / "run.json").is_file()), key=lambda f: (f.parent, f.name))


def _read_results(path: Path) -> LmEvalModel:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise DataError(
            f"{path}: not whole JSON ({error})", "lm-eval may have been stopped while it wrote; evaluate again."
        ) from None
    if not isinstance(content, dict) or not isinstance(content.get("results"), dict):
        raise DataError(f"{path}: not a results file of lm-eval: it has no 'results'")
    version = str(content.get("lm_eval_version") or "no version")
    if not _VERSION.match(version):
        raise UsageError(f"{path}: written by lm-eval {version}, which is not known here", "Files of lm-eval 0.4.x are read.")
    for key in _TABLES:
        if not isinstance(content.get(key) or {}, dict):
            raise DataError(f"{path}: '{key}' is no table of names and values but {_shown(content[key])}", _BROKEN)
    groups = [name for name, tasks in (content.get("group_subtasks") or {}).items() if tasks]
    tasks = {}
    for name, numbers in content["results"].items():
        if name not in groups:
            tasks[name] = _read_task(path, name, numbers, content)
    return LmEvalModel(path, str(content.get("model_name") or path.parent.name), version, content, tasks, groups)


def _read_task(path: Path, name: str, numbers: Any, content: dict[str, Any]) -> LmEvalTask:
    def about(key: str) -> Any:
        return (content.get(key) or {}).get(name)

    def count(what: str, value: Any) -> int | None:
        if value is None or (isinstance(value, str) and value.lower() == "n/a"):
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            raise DataError(f"{path}: {what} of task {name} is no whole number but {_shown(value)}", _BROKEN)
        return value

    tables = {"results": numbers, "configs": about("configs") or {}, "n-samples": about("n-samples") or {}}
    for key, table in tables.items():
        if not isinstance(table, dict):
            raise DataError(f"{path}: '{key}' of task {name} is no table of names and values but {_shown(table)}", _BROKEN)
    planned = count("'n-samples'", tables["n-samples"].get("effective")) or count("'sample_len'", numbers.get("sample_len"))
    samples = _samples_file(path, name)
    return LmEvalTask(
        name, str(about("versions")), count("'n-shot'", about("n-shot")), tables["configs"],
        {key: float(value) for key, value in numbers.items() if "," in key and isinstance(value, int | float)},
        None if samples is None else _read_samples(samples), planned or 0,
        _directions(about("higher_is_better"), tables["configs"]),
    )  # fmt: skip


def _directions(told: Any, config: dict[str, Any]) -> dict[str, bool]:
    """From the file's own table, which lm-eval writes since 0.4.3; else from the configuration of the task."""
    listed = config.get("metric_list")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    found = {str(entry.get("metric")): entry.get("higher_is_better") for entry in entries}
    found |= told if isinstance(told, dict) else {}
    return {str(name): value for name, value in found.items() if isinstance(value, bool)}


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _samples_file(results: Path, task: str) -> Path | None:
    """`results_DATE.json` goes with `samples_TASK_DATE.jsonl`, `results.json` with `samples_TASK.jsonl`."""
    date = results.stem.partition("_")[2]
    path = results.with_name(f"samples_{task}_{date}.jsonl" if date else f"samples_{task}.jsonl")
    return path if path.is_file() else None


def _read_samples(path: Path) -> list[LmEvalSample]:
    found: dict[int, LmEvalSample] = {}
    seen: set[tuple[int, str]] = set()
    with path.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line.decode("utf-8", "surrogatepass"))
                missing = [name for name in _NEEDED if name not in record]
            except (ValueError, TypeError) as error:
                raise DataError(
                    f"{path}, line {number}: not whole JSON ({error})",
                    "lm-eval may have been stopped while it wrote; evaluate again.",
                ) from None
            if missing:
                raise DataError(
                    f"{path}, line {number}: no {', '.join(missing)}", "Files of lm-eval 0.4.x with --log_samples have it."
                )
            place = (record["doc_id"], record["filter"])
            if place in seen:
                raise DataError(f"{path}, line {number}: document {place[0]} stands there twice (filter {place[1]})")
            seen.add(place)
            try:
                _take(found, record)
            except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
                raise DataError(f"{path}, line {number}: not a sample as lm-eval writes it ({error!r})") from None
    return [found[doc_id] for doc_id in sorted(found)]


def _take(found: dict[int, LmEvalSample], record: dict[str, Any]) -> None:
    """One line; a question has one for each filter."""
    arguments = [record["arguments"][f"gen_args_{i}"] for i in range(len(record["arguments"]))]
    requests = [(str(a["arg_0"]), a["arg_1"] if isinstance(a.get("arg_1"), str) else "") for a in arguments]
    replies = record["filtered_resps"]
    scored = bool(replies) and all(isinstance(reply, list) and len(reply) == 2 for reply in replies)
    answers = [(float(ll), str(greedy) == "True") for ll, greedy in replies] if scored else []
    hashes = (str(record["doc_hash"]), str(record["prompt_hash"]), str(record["target_hash"]))
    sample = found.setdefault(
        record["doc_id"],
        LmEvalSample(
            int(record["doc_id"]), dict(record["doc"]), str(record["target"]), hashes,
            arguments, requests, answers,
        ),
    )  # fmt: skip
    for metric in record["metrics"]:
        sample.metrics[f"{metric},{record['filter']}"] = record.get(metric)
    if not scored:
        sample.texts[record["filter"]] = str(replies[0] if isinstance(replies, list) and replies else replies)
