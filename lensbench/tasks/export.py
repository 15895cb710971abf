"""Writing tasks as lm-eval YAML that lm-eval itself runs: one file per language, over the hub's rows or a data folder's."""

from __future__ import annotations

from pathlib import Path

import yaml

from lensbench.errors import UsageError
from lensbench.jsonio import JsonObject
from lensbench.records.run_folder import write_atomically
from lensbench.tasks.package_metrics import for_lm_eval
from lensbench.tasks.resolve import TaskInLanguage

__all__ = ["export_task"]


def export_task(task: TaskInLanguage, folder: Path, data: Path | None = None) -> Path:
    """Write one language of a task as lm-eval YAML.

    Args:
        data: A data folder whose file is named in place of the hub's data set.

    Raises:
        UsageError: the definition is lm-eval's own already, or the data folder has no rows.
    """
    name = f"lensbench_{task.name}_{task.language.code}"
    if task.upstream is not None:
        _refuse_upstream(task)
    config: JsonObject = {key: value for key, value in task.config.items() if not callable(value)}
    config["task"] = name
    config["metadata"] = {
        **(config.get("metadata") or {}),
        "profile": task.profile.profile,
        "protocol": task.protocol_hash(),
        "language": task.language.code,
    }
    specs = task.rows_specs()
    if data is not None:
        file = next(
            (f for spec in specs if spec.adapts is None and (f := _file(data, spec.rows, task, spec.config_of(task.language)))),
            None,
        )
        if file is None:
            others = [
                spec.rows
                for spec in specs
                if spec.adapts is not None and _file(data, spec.rows, task, spec.config_of(task.language))
            ]
            why = f"; those of {others[0]} have other columns, which lensbench renames as it reads them" if others else ""
            raise UsageError(f"{data} has no rows for '{task.name}' in '{task.language.code}' (split {task.split}){why}")
        config["dataset_path"] = "parquet" if file.suffix == ".parquet" else "json"
        config["dataset_kwargs"] = {"data_files": {task.split: str(file.resolve())}}
        config.pop("dataset_name", None)
        for key in ("training_split", "validation_split", "test_split", "fewshot_split"):
            if config.get(key) not in (None, task.split):
                config.pop(key)
    elif specs:
        spec = next((s for s in specs if s.on_hub(task.language) and s.adapts is None), None)
        if spec is None:
            others = [s.rows for s in specs if s.on_hub(task.language)]
            why = f" in the columns it names (those of {others[0]} are renamed as lensbench reads them)" if others else ""
            raise UsageError(
                f"the hub has no rows for '{task.name}' in '{task.language.code}'{why}", "Export over a data folder: ``data=DIR``"
            )
        config["dataset_path"] = spec.hub
        config["dataset_name"] = spec.config_of(task.language)
        if spec.revision != "main":
            config["dataset_kwargs"] = {"revision": spec.revision}
    if task.profile.generation is not None:
        generation = task.profile.generation
        config["generation_kwargs"] = {
            "max_gen_toks": generation.max_new_tokens,
            "do_sample": generation.temperature > 0,
            "temperature": generation.temperature,
            "until": [],
        }
    path = folder / f"{name}.yaml"
    head = f"# Exported by lensbench: {task.title}, profile {task.profile.profile}.\n"
    if task.metrics:
        config["metric_list"] = for_lm_eval(config["metric_list"], task.metrics)
        head += f"# Without what installed packages compute in lensbench: {', '.join(metric.name for metric in task.metrics)}.\n"
    if task.profile.chat:
        letters = "" if task.profile.generates else "; lensbench scores the first token of each letter only"
        head += f"# Run it with lm-eval's --apply_chat_template{letters}.\n"
    if task.entry.file.turns:
        head += "# The first turn only: lm-eval asks no follow-up question, and has one temperature for all categories.\n"
    write_atomically(path, head + yaml.safe_dump(config, allow_unicode=True, sort_keys=False, width=1000))
    return path


def _refuse_upstream(task: TaskInLanguage) -> None:
    """Nothing is exported where lm-eval has the task itself, nor what a YAML file of ours cannot carry."""
    assert task.upstream is not None
    code, file = task.language.code, task.upstream.name
    first = next(c for c, entry in task.entry.file.languages.items() if entry.upstream and entry.upstream.endswith(file))
    if first == code:
        raise UsageError(f"'{task.name}' in '{code}' is lm-eval's own task ({file}); there is nothing to export")
    if any(callable(value) for value in task.config.values()):
        raise UsageError(
            f"lm-eval has no '{task.name}' in '{code}': lensbench uses the functions of {file}, which YAML cannot contain",
            "Use `lensbench run`, or export profile lens-paper.",
        )


def _file(data: Path, rows: str, task: TaskInLanguage, config: str | None) -> Path | None:
    for code in (config, task.language.code):
        for ending in ("parquet", "jsonl"):
            path = data / rows / str(code) / f"{task.split}.{ending}"
            if code and path.is_file():
                return path
    return None
