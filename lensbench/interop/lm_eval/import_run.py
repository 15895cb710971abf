"""Results of lm-evaluation-harness as a run: every model is a variant, every sample an item record."""

from __future__ import annotations

import datetime
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lensbench.datasets.rows import row_hash
from lensbench.errors import UsageError, in_words, unknown_name
from lensbench.interop.lm_eval.item_records import (
    Asked,
    given_cells,
    identity,
    item_record,
    score_record,
    settings,
    share_metrics,
)
from lensbench.interop.lm_eval.reading import NOT_TOLD, LmEvalModel, LmEvalTask, read_lm_eval
from lensbench.jsonio import JsonObject
from lensbench.languages import CENTRAL, get_language
from lensbench.numbers.results import collect_results
from lensbench.records import RowsKey, RunFolder, TaskKey
from lensbench.records.log import write_failed
from lensbench.records.missing import note_counts
from lensbench.spec import BASE, ExternalChoice, RunSpec, TaskChoice
from lensbench.stages.results import store_results
from lensbench.tasks import TaskRegistry
from lensbench.tasks.lm_eval_names import UNKNOWN, NamedTask, named_task
from lensbench.version import __version__

__all__ = ["Imported", "import_lm_eval"]

_PROFILE = "lm-eval"
_TEMPLATES = ("chat_template_sha", "system_instruction_sha", "fewshot_as_multiturn")
_WEIGHTS = ("model_revision", "model_sha", "peft_sha", "delta_sha")


@dataclass(frozen=True)
class _Way:
    """How a variant was asked a task.

    Attributes:
        items: Identities of its samples; empty where none were logged.
    """

    variant: str
    items: set[tuple[Any, ...]]
    settings: dict[str, str]
    templates: list[Any]
    directions: dict[str, bool]


@dataclass
class Imported:
    """A run made of lm-eval's files.

    Attributes:
        notes: What could not be matched, taken over or told; also part of the run.
    """

    folder: RunFolder
    variants: dict[str, str]
    items: int
    notes: list[str] = field(default_factory=list)


def import_lm_eval(
    sources: Sequence[tuple[str | None, Path]], target: Path, languages: Mapping[str, str] | None = None
) -> Imported:
    """Write a run folder from results of lm-eval.

    The first model is the variant `base`, which the others are compared with. Two models' samples are one item where document,
    requests and target are equal. A task that a model was asked in other words, with other options or settings, or on other
    documents, than `base` (or the first model that has it) stands apart under a name of its own.

    Args:
        sources: Name of the variant (None takes it from the model's) and a results file or a folder with some.
        target: A folder that does not exist yet, or is empty.
        languages: lm-eval's name of a task -> language code, where the name does not tell.

    Raises:
        UsageError: nothing to read, names that clash, several revisions in one folder, a target that is in use, an unknown
            language or task.
        DataError: a file is cut off or is not what lm-eval writes.
        RunError: the folder cannot be written.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} is not an empty folder", "Give another ``to``.")
    notes: list[str] = []
    models = _models(sources, notes)
    names = _places(models, languages or {}, notes)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        folder = RunFolder(partial)
        items = _write(folder, models, names, notes)
        if target.exists():
            target.rmdir()
        partial.replace(target)
    except OSError as error:
        raise write_failed(target, error) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Imported(RunFolder(target), {name: found[0].name for name, found in models.items()}, items, notes)


def _models(sources: Sequence[tuple[str | None, Path]], notes: list[str]) -> dict[str, list[LmEvalModel]]:
    """Variant -> its results files, the newest last."""
    found: dict[str, list[LmEvalModel]] = {}
    for given, path in sources:
        own: dict[tuple[str, Path], list[LmEvalModel]] = {}
        for model in read_lm_eval(path):
            own.setdefault((model.name, model.path.parent), []).append(model)
        if given is not None and len(own) > 1:
            raise UsageError(
                f"'{given}' names {len(own)} models: {', '.join(name for name, _ in own)}", "Name a folder of one model."
            )
        for (name, _), files in own.items():
            _one_revision(name, files)
            variant = BASE if not found else given or _variant_name(name)
            if variant in found or (given == BASE and found):
                raise UsageError(
                    f"two models would be called '{variant}'", "Name them: lensbench import-lm-eval A mine=B ``to=RUN``"
                )
            found[variant] = files
            groups = list(dict.fromkeys(group for file in files for group in file.groups))
            if groups:
                notes.append(f"{variant}: lm-eval's own averages of groups ({', '.join(groups)})")
    return found


def _one_revision(name: str, files: Sequence[LmEvalModel]) -> None:
    """lm-eval names its folder by the model alone, so evaluations of several revisions may lie in one."""
    for key in _WEIGHTS:
        told = {str(value): file.path for file in files if (value := (file.content.get("config") or {}).get(key))}
        if len(told) > 1:
            raise UsageError(
                f"{files[0].path.parent}: evaluations of different weights of {name}: {key} {' and '.join(told)}",
                f"Name a results file of each: {' '.join(str(path) for path in told.values())}",
            )


def _variant_name(model: str) -> str:
    name = model.rstrip("/").rpartition("/")[2]
    return "".join(char if char.isalnum() or char in "._+-" else "-" for char in name).lstrip("._+-") or "model"


def _config(name: str, models: Mapping[str, list[LmEvalModel]]) -> Mapping[str, Any] | None:
    """A task's configuration in the newest results file."""
    for file in (file for files in models.values() for file in reversed(files)):
        found = (file.content.get("configs") or {}).get(name)
        if isinstance(found, Mapping):
            return found
    return None


def _places(models: Mapping[str, list[LmEvalModel]], languages: Mapping[str, str], notes: list[str]) -> dict[str, NamedTask]:
    """lm-eval's name -> task and language; two names never share a place."""
    registry = TaskRegistry()
    configs = {name: task.config for files in models.values() for file in files for name, task in file.tasks.items()}
    known = list(configs)
    for name in languages:
        if name not in known:
            raise unknown_name("task", name, known)
    found: dict[str, NamedTask] = {}
    for name in known:
        place = named_task(name, registry, _config(name, models))
        if name in languages:
            place = NamedTask(place.task, get_language(languages[name]).code, place.title)
        if any((p.task, p.language) == (place.task, place.language) for p in found.values()):
            place = NamedTask(name, place.language, name)
        found[name] = place
    unknown = [name for name, place in found.items() if place.language == UNKNOWN]
    if unknown:
        notes.append(
            f"the language of {', '.join(unknown)}: the name does not tell it ('{UNKNOWN}'; ``language=TASK=CODE`` says it)"
        )
    return found


def _write(folder: RunFolder, models: Mapping[str, list[LmEvalModel]], names: Mapping[str, NamedTask], notes: list[str]) -> int:
    asked, tasks = _asked(models, names, notes)
    first = models[BASE][-1]
    folder.begin(
        RunSpec(
            lensbench=__version__,
            externals=tuple(ExternalChoice(variant=v, backbone=files[-1].name) for v, files in models.items() if v != BASE),
            backbone=first.name,
            languages=tuple(dict.fromkeys(a.place.language for a in asked if a.place.language not in (CENTRAL, UNKNOWN))),
            profile=_PROFILE,
            tasks=tuple(
                TaskChoice(task=key.task, language=key.language, profile=_PROFILE, protocol=about["protocol"], rows=None)
                for key, about in ((TaskKey.parse(text), about) for text, about in tasks.items())
            ),
            data="lm-eval",
        )
    )
    keys: set[str] = set()
    with folder.log("items") as items, folder.log("score") as scores:
        for one in asked:
            metrics, refused = share_metrics(one.task)
            if refused:
                notes.append(f"{one.key} of {one.variant}: {', '.join(refused)} (no share of 0 to 1 per item)")
            records = [(item_record(one, sample), sample) for sample in one.task.samples or ()]
            items.append(record for record, _ in records)
            scores.append(score_record(one, sample, record.key, metrics) for record, sample in records)
            keys.update(record.key for record, _ in records)
    folder.write_json("given_cells.json", given_cells(asked, tasks, notes))
    folder.write_json(
        "variants.json",
        {
            "lensbench": __version__,
            "backbone": first.name,
            "backbone_origin": _origin(first),
            "backbone_digest": _origin(first)["digest"],
            "dtype": str((first.content.get("config") or {}).get("model_dtype")).removeprefix("torch."),
            "device": str((first.content.get("config") or {}).get("device")),
            "tokenizer_digest": "not told by lm-eval",
            "variants": {
                v: {
                    "digest": BASE if v == BASE else _origin(files[-1])["digest"],
                    "method": None,
                    "note": f"{files[-1].name}, scored by lm-eval {files[-1].version}",
                }
                for v, files in models.items()
            },
            "failed": {},
            "tasks": tasks,
            "gaps": [in_words(note) for note in notes],
        },
    )
    folder.write_json("provenance.json", {"starts": [_start(file) for files in models.values() for file in files]})
    note_counts(folder)
    store_results(folder, collect_results(folder))
    return len(keys)


def _asked(
    models: Mapping[str, list[LmEvalModel]], names: Mapping[str, NamedTask], notes: list[str]
) -> tuple[list[Asked], dict[str, JsonObject]]:
    """Every task of every model with the place it has in the run, and what `variants.json` says of those places."""
    asked: list[Asked] = []
    tasks: dict[str, JsonObject] = {}
    ways: dict[str, _Way] = {}
    for variant, files in models.items():
        newest: dict[str, tuple[LmEvalModel, LmEvalTask]] = {}
        for file in files:
            for name, task in file.tasks.items():
                if name in newest:
                    notes.append(f"{variant}: an older evaluation of {name} ({newest[name][0].path.name}); the newest is taken")
                newest[name] = (file, task)
        for name, (file, task) in newest.items():
            own = {identity(s) for s in task.samples or ()}
            way = _Way(variant, own, settings(task), [file.content.get(k) for k in _TEMPLATES], task.higher_is_better)
            place = _apart(names[name], way, ways.setdefault(name, way), notes)
            key = str(TaskKey(place.task, place.language))
            asked.append(Asked(variant, place, task))
            tasks.setdefault(key, _about(place, file, task))
            tasks[key]["items"] = max(tasks[key]["items"], len(own) or task.planned)
    return asked, tasks


def _apart(place: NamedTask, own: _Way, first: _Way, notes: list[str]) -> NamedTask:
    """The place of a task, another one if it was not asked as the first variant that has it was; notes what differs."""
    where, shared = TaskKey(place.task, place.language), own.items & first.items
    unlike = [_differs(name, own.settings[name], value) for name, value in first.settings.items() if own.settings[name] != value]
    shared_metrics = own.directions.keys() & first.directions.keys()
    unlike += [f"direction of {name}" for name in sorted(shared_metrics) if own.directions[name] != first.directions[name]]
    logged = bool(own.items and first.items)
    # With samples, all that templates do stands in the requests.
    if not logged and own.templates != first.templates:
        unlike.append("chat template or system instruction")
    if not unlike and (not logged or shared == own.items == first.items):
        return place
    compared = f"the difference of {own.variant}" if first.variant == BASE else f"{own.variant} beside {first.variant}"
    documents = len({item[1] for item in own.items} & {item[1] for item in first.items})
    if shared and not unlike:
        alone = len(first.items - shared)
        notes.append(
            f"{compared} on {where} but for {len(shared)} items: {len(own.items - shared)} of its {len(own.items)} and "
            f"{alone} of {len(first.items)} of {first.variant} have no partner ({documents} documents in common)"
        )
        return place
    why = [f"other settings ({', '.join(unlike)})"] if unlike else []
    if logged and not documents:
        why.append("no document in common")
    elif logged and not shared:
        prompts = {item[:4] for item in own.items} & {item[:4] for item in first.items}
        what = "other options or generation settings" if prompts else "other prompts or targets"
        why.append(f"{what} ({documents} documents in common)")
    name = f"{place.task}@{own.variant}"
    notes.append(f"{compared} on {where}: {'; '.join(why)}; it stands apart as {name}")
    return NamedTask(name, place.language, f"{place.title} as {own.variant} was asked")


def _differs(name: str, own: str, first: str) -> str:
    return f"{name} {own}, not {first}" if name in ("version", "num_fewshot") else name


def _about(place: NamedTask, file: LmEvalModel, task: LmEvalTask) -> JsonObject:
    templates = [file.content.get(k) for k in _TEMPLATES]
    protocol = row_hash([settings(task), templates])[:12]
    documents = row_hash(sorted(s.hashes[0] for s in task.samples or ()))
    return {
        "title": place.title,
        "version": task.version,
        "profile": _PROFILE,
        "protocol": protocol,
        "rows": str(RowsKey("lm-eval", task.name, documents[:12])),
        "substitute": None,
        "origin": None,
        "items": 0,
        "max_new_tokens": None,
        "judged": False,
        "generates": False,
        "higher_is_better": task.higher_is_better,
    }


def _origin(model: LmEvalModel) -> JsonObject:
    """What lm-eval tells of the weights; `digest` is of that, since the weights themselves are not there."""
    config = model.content.get("config") or {}
    told = {
        "kind": "lm-eval",
        "name": model.name,
        "revision": config.get("model_revision"),
        "sha": config.get("model_sha"),
        "peft_sha": config.get("peft_sha"),
        "delta_sha": config.get("delta_sha"),
        "dtype": config.get("model_dtype"),
        "parameters": config.get("model_num_parameters"),
        "model": config.get("model"),
        "arguments": config.get("model_args"),
    }
    return {**told, "digest": row_hash(told)}


def _start(file: LmEvalModel) -> JsonObject:
    content, date = file.content, file.content.get("date")
    told = isinstance(date, int | float) and math.isfinite(date)
    versions = {
        "lm_eval": None if file.version == NOT_TOLD else file.version,
        "transformers": content.get("transformers_version"),
    }
    return {
        "time": datetime.datetime.fromtimestamp(float(date), datetime.UTC).isoformat() if told and date is not None else date,
        "git": {"commit": content["git_hash"], "dirty": False} if content.get("git_hash") else None,
        "packages": {name: str(version) for name, version in versions.items() if version},
        "device": (content.get("config") or {}).get("device"),
        "dtype": (content.get("config") or {}).get("model_dtype"),
        "read_from": str(file.path.name),
    }
