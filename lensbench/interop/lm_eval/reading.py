"""Reading results files that lm-evaluation-harness wrote (lm_eval/result_schema.py, 0.4.13), of 0.4.0 and all later.

lm-eval writes its version since 0.4.9 only, and an error text where it ran from a checkout, so a file is known by its content:
numbers under `METRIC,FILTER`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lensbench.errors import DataError, UsageError
from lensbench.interop.lm_eval.finding import results_files, samples_file
from lensbench.interop.lm_eval.samples import LmEvalSample, read_samples
from lensbench.jsonio import JsonObject, json_text, read_json_file
from lensbench.metrics import LM_EVAL

__all__ = ["LmEvalModel", "LmEvalSample", "LmEvalTask", "holds_lm_eval", "read_lm_eval"]

_VERSION = re.compile(r"\d+\.\d+")
_TABLES = ("group_subtasks", "configs", "versions", "n-shot", "n-samples", "config", "higher_is_better", "task_hashes")
_BROKEN = "lm-eval does not write that; was the file edited?"
_CUT = "Was lm-eval stopped while it wrote, or the file edited since?"
NOT_TOLD = "0.4 (the file does not say which)"


@dataclass
class LmEvalTask:
    """One task of one results file.

    Attributes:
        num_fewshot: None where the file does not say (lm-eval: "n/a").
        numbers: `METRIC,FILTER` -> lm-eval's own aggregate, and `METRIC_stderr,FILTER` -> its standard error.
        samples: None where no samples were logged.
        planned: Items the task was to be asked; 0 where the file does not say.
        higher_is_better: Metric -> direction, of the metrics of which the file tells it.
        passed_over: Names of samples files that lie there for the task and were written at another time.
    """

    name: str
    version: str
    num_fewshot: int | None
    config: JsonObject
    numbers: dict[str, float]
    samples: list[LmEvalSample] | None
    planned: int
    higher_is_better: dict[str, bool] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()


@dataclass
class LmEvalModel:
    """Content of one results file.

    Attributes:
        version: As the file has it; a sentence where it does not say.
        groups: Names of groups, whose numbers are averages of tasks.
    """

    path: Path
    name: str
    version: str
    content: JsonObject
    tasks: dict[str, LmEvalTask]
    groups: list[str]


def holds_lm_eval(path: Path) -> bool:
    """Whether a path is or contains results of lm-eval, and is not a run of lensbench."""
    if (path / "run.json").is_file():
        return False
    return bool(results_files(path))


def read_lm_eval(path: Path) -> list[LmEvalModel]:
    """Every results file at a path, the oldest first, each with the samples that were written with it.

    Args:
        path: A results file, the folder of one model, or lm-eval's `--output_path` with folders of models in it.

    Raises:
        UsageError: there is none, or it was written by a version that is not known here.
        DataError: a file is cut off or is not what lm-eval writes; names the file and, of samples, the line.
    """
    files = results_files(path)
    if not files:
        seen = sorted(file.name for file in path.glob("*.json")) if path.is_dir() else []
        there = f" The JSON files there hold none: {', '.join(seen[:5])}{' ...' if len(seen) > 5 else ''}." if seen else ""
        raise UsageError(
            f"{path}: no results of lm-eval", f"Looked there and one folder below for JSON files with results of tasks.{there}"
        )
    return [_read_results(file) for file in files]


def _read_results(path: Path) -> LmEvalModel:
    try:
        content = read_json_file(path)
    except DataError as error:
        raise DataError(error.message, error.hint or _CUT) from None
    if not isinstance(content, dict) or not isinstance(content.get("results"), dict):
        raise DataError(f"{path}: not a results file of lm-eval: it has no 'results'")
    version = _version(path, content)
    for key in _TABLES:
        if not isinstance(content.get(key) or {}, dict):
            raise DataError(f"{path}: '{key}' must be a table of names and values, found {_shown(content[key])}", _BROKEN)
    groups = [name for name, tasks in (content.get("group_subtasks") or {}).items() if tasks]
    tasks: dict[str, LmEvalTask] = {}
    for name, numbers in content["results"].items():
        if name not in groups:
            tasks[name] = _read_task(path, name, numbers, content)
    return LmEvalModel(path, _model_name(path, content), version, content, tasks, groups)


def _version(path: Path, content: JsonObject) -> str:
    """
    Raises:
        UsageError: the content is not of lm-eval 0.4 or the file says that it is of another version.
    """
    told = str(content.get("lm_eval_version") or "")
    if _VERSION.match(told) and not told.startswith("0.4."):
        raise UsageError(f"{path}: written by lm-eval {told}, which lensbench does not know", "Files of lm-eval 0.4.x are read.")
    tables = [numbers for numbers in content["results"].values() if isinstance(numbers, dict)]
    plain = [key for numbers in tables for key, value in numbers.items() if isinstance(value, int | float) and "," not in key]
    if not any("," in key for numbers in tables for key in numbers) and any(name in LM_EVAL for name in plain):
        raise UsageError(
            f"{path}: its numbers have names without a filter ({plain[0]}), as lm-eval wrote them before 0.4",
            "Files of lm-eval 0.4.x are read; their numbers have the names METRIC,FILTER.",
        )
    return told if _VERSION.match(told) else NOT_TOLD


def _model_name(path: Path, content: JsonObject) -> str:
    """The value in the file; before 0.4.3 only the model's arguments have it."""
    if content.get("model_name"):
        return str(content["model_name"])
    arguments = (content.get("config") or {}).get("model_args")
    if isinstance(arguments, dict):
        named = arguments.get("pretrained") or arguments.get("model")
    else:
        found = re.search(r"(?:^|,)(?:pretrained|model)=([^,]+)", str(arguments or ""))
        named = found[1] if found else None
    return str(named or path.parent.name)


def _read_task(path: Path, name: str, numbers: Any, content: JsonObject) -> LmEvalTask:
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
            raise DataError(f"{path}: '{key}' of task {name} must be a table of names and values, found {_shown(table)}", _BROKEN)
    planned = count("'n-samples'", tables["n-samples"].get("effective")) or count("'sample_len'", numbers.get("sample_len"))
    samples, passed_over = samples_file(path, name)
    try:
        numbers_of = {
            key: float(v) for key, v in numbers.items() if "," in key and isinstance(v, int | float) and not isinstance(v, bool)
        }
    except OverflowError:
        raise DataError(f"{path}: a number of task {name} is too large", _BROKEN) from None
    filters = _filters(tables["configs"], numbers_of)
    return LmEvalTask(
        name,
        str(about("versions")),
        count("'n-shot'", about("n-shot")),
        tables["configs"],
        numbers_of,
        None if samples is None else read_samples(samples, tables["configs"].get("output_type"), filters),
        planned or 0,
        _directions(about("higher_is_better"), tables["configs"]),
        passed_over,
    )


def _directions(told: Any, config: JsonObject) -> dict[str, bool]:
    """From the file's own table, which lm-eval writes since 0.4.3; else from the configuration of the task."""
    listed = config.get("metric_list")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    found = {str(entry.get("metric")): entry.get("higher_is_better") for entry in entries}
    found |= told if isinstance(told, dict) else {}
    return {str(name): value for name, value in found.items() if isinstance(value, bool)}


def _filters(config: JsonObject, numbers: dict[str, float]) -> tuple[str, ...]:
    """Names of the filters in the order in which lm-eval applies them."""
    listed = config.get("filter_list")
    named = [str(entry.get("name")) for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    return tuple(named or dict.fromkeys(key.partition(",")[2] for key in numbers) or ("none",))


def _shown(value: Any) -> str:
    text = json_text(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
