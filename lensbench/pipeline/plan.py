"""The plan: everything that can be checked before a model is loaded."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lensbench import __version__
from lensbench.backbones import Backbone, get_backbone
from lensbench.data.sources import EMBEDDED, DataSource, open_data
from lensbench.errors import UsageError
from lensbench.languages import CENTRAL, get_language
from lensbench.methods import get_method
from lensbench.methods.config import MethodConfig
from lensbench.spec import RunSpec, TaskChoice
from lensbench.tasks import TaskInLanguage, TaskRegistry, resolve
from lensbench.yamlio import explain_validation, read_yaml

__all__ = ["Plan", "PlannedTask", "RunRequest", "make_plan"]

DEFAULT_TASKS = ("xcopa", "xwinograd", "xstory_cloze", "m_mmlu", "multiq")
"""The paper's four understanding tasks, and short open questions whose answers' language is identified."""


@dataclass(frozen=True)
class RunRequest:
    """What a user asked for, before names are looked up."""

    backbone: str
    method: str | None = None
    languages: tuple[str, ...] = ("zh",)
    tasks: tuple[str, ...] | None = None
    profile: str = "lens-paper"
    data: str | None = None
    include: tuple[Path, ...] = ()
    config_file: Path | None = None
    overrides: tuple[str, ...] = ()
    limit: int | None = None
    num_fewshot: int | None = None
    max_new_tokens: int | None = None
    batch_size: int = 16
    device: str = "auto"
    dtype: str = "auto"
    seed: int = 42
    trust: bool = False
    revision: str | None = None


@dataclass(frozen=True)
class PlannedTask:
    """One task in one language that will be asked."""

    task: TaskInLanguage
    rows: str | None
    """Row definition that serves it."""

    @property
    def substitute(self) -> str | None:
        """The row definition's name when it is not the task's first choice."""
        first = self.task.entry.file.rows[:1]
        return self.rows if self.rows and first != [self.rows] else None


@dataclass(frozen=True)
class Plan:
    """A checked request."""

    spec: RunSpec
    backbone: Backbone
    source: DataSource
    tasks: tuple[PlannedTask, ...]
    gaps: tuple[str, ...]
    """Tasks a language does not have, in words; nothing is asked for them."""
    config: MethodConfig | None
    trust: bool = False
    revision: str | None = None
    notes: tuple[str, ...] = field(default=())


def make_plan(request: RunRequest) -> Plan:
    """Look up every name and check every choice.

    Raises:
        UsageError: unknown names (with the nearest), a task without any of the languages, wrong configuration values.
    """
    backbone = get_backbone(request.backbone)
    languages = tuple(dict.fromkeys(get_language(c).code for c in request.languages if c != CENTRAL))
    if request.limit is not None and request.limit < 1:
        raise UsageError(f"--limit must be at least 1, found {request.limit}")
    config = _method_config(request, backbone, languages) if request.method else None
    data = request.data or os.environ.get("LENSBENCH_DATA")
    source = open_data(data)
    registry = TaskRegistry(request.include, trust=request.trust)
    registry.profile(request.profile)
    # The embedded set has longer questions too.
    names = request.tasks or (*DEFAULT_TASKS, *(("open_questions",) if data == EMBEDDED else ()))
    planned: list[PlannedTask] = []
    gaps: list[str] = []
    for name in dict.fromkeys(names):
        found, missing = _plan_task(registry, name, request, languages, source)
        if not found:
            raise UsageError(
                f"task '{name}' has none of the languages {', '.join((CENTRAL, *languages))}", "\n  ".join(missing) or None
            )
        if request.tasks and languages and not any(p.task.language.code in languages for p in found):
            raise UsageError(f"task '{name}' has none of the target languages {', '.join(languages)}", "\n  ".join(missing))
        twice = {(p.task.name, p.task.language.code) for p in planned} & {(p.task.name, p.task.language.code) for p in found}
        if twice:
            raise UsageError(f"task '{name.partition('@')[0]}' is asked for under two profiles", "One run asks it under one.")
        planned += found
        gaps += missing
    covered = {p.task.language.code for p in planned}
    for code in languages:
        if code not in covered:
            raise UsageError(f"no task has rows in '{code}' from {source.describe()}", "\n  ".join(g for g in gaps if code in g))
    spec = RunSpec(
        lensbench=__version__,
        method=request.method,
        method_config=config.model_dump(mode="json") if config else {},
        backbone=request.backbone,
        languages=languages,
        profile=request.profile,
        tasks=tuple(
            TaskChoice(task=p.task.name, language=p.task.language.code, profile=p.task.profile.profile,
                       protocol=p.task.protocol_hash(), rows=p.rows)
            for p in planned
        ),
        data=_data_name(data),
        include=tuple(str(path) for path in request.include),
        limit=request.limit,
        num_fewshot=request.num_fewshot,
        max_new_tokens=request.max_new_tokens,
        batch_size=request.batch_size,
        device=request.device,
        dtype=request.dtype,
        seed=request.seed,
    )  # fmt: skip
    return Plan(spec, backbone, source, tuple(planned), tuple(gaps), config, request.trust, request.revision)


def _plan_task(
    registry: TaskRegistry, name: str, request: RunRequest, languages: tuple[str, ...], source: DataSource
) -> tuple[list[PlannedTask], list[str]]:
    entry = registry.find(name, request.profile)
    name = entry.name
    profile = registry.profile(entry.file.profile)
    found, missing = [], []
    for code in (CENTRAL, *languages):
        if code not in entry.file.languages:
            missing.append(f"{name} has no '{code}' (it has {', '.join(sorted(entry.file.languages))})")
            continue
        fewshot = request.num_fewshot if not profile.generates else None
        task = resolve(entry, code, profile, num_fewshot=fewshot, max_new_tokens=request.max_new_tokens)
        if not entry.file.rows:
            found.append(PlannedTask(task, None))
            continue
        spec = task.find_rows(source)
        if spec is None:
            hint = task.rows_specs()[0].note
            missing.append(
                f"{name} in '{code}': {source.describe()} has no rows (wanted: {', '.join(entry.file.rows)})"
                + (f". {hint}" if hint else "")
            )
            continue
        found.append(PlannedTask(task, spec.rows))
    return found, missing


def _data_name(data: str | None) -> str:
    if data is None:
        return "hub"
    return EMBEDDED if data == EMBEDDED else str(Path(data).resolve())


def _method_config(request: RunRequest, backbone: Backbone, languages: Sequence[str]) -> MethodConfig:
    """Defaults, then the backbone's preset, then the method's preset, then --config, then --set; later ones win."""
    assert request.method is not None
    model, presets = config_model(get_method(request.method).name)
    document = read_yaml(request.config_file) if request.config_file else None
    given: dict[str, Any] = dict(document.data) if document else {}
    for override in request.overrides:
        _set(given, override)
    values = backbone.preset(request.method, len(languages))
    values.update(presets.get(str(given.get("preset", "default")), {}))
    values.setdefault("seed", request.seed)
    for key, value in given.items():
        # One strength given for one language leaves the preset's other languages as they are.
        both = isinstance(value, dict) and isinstance(values.get(key), dict)
        values[key] = {**values[key], **value} if both else value
    try:
        config = model.model_validate(values)
    except ValidationError as error:
        raise UsageError(f"method '{request.method}': " + explain_validation(error, model, document)) from None
    config.check(languages)
    return config


def config_model(method: str) -> tuple[type[MethodConfig], dict[str, dict[str, Any]]]:
    """A method's configuration model and its presets, without importing what the method computes with."""
    from lensbench.methods.lens.config import PRESETS, LensConfig

    return {"lens": (LensConfig, PRESETS)}[method]


def _set(values: dict[str, Any], override: str) -> None:
    """Apply one `--set key.sub=value`; the value is read as YAML."""
    import yaml

    key, equals, text = override.partition("=")
    if not equals or not key:
        raise UsageError(f"--set takes key=value, found '{override}'", "Example: --set push_strength.zh=0.5")
    *parents, last = key.split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise UsageError(f"--set {override}: '{parent}' is not a mapping")
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UsageError(f"--set {override}: {error}") from None
