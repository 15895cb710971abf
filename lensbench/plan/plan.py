"""The plan: everything that can be checked before a model is loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lensbench.backbones import Backbone, get_backbone, with_system
from lensbench.datasets.rows import include_rows
from lensbench.datasets.sources import EMBEDDED, DataSource, open_data
from lensbench.engines.registry import get_engine
from lensbench.errors import UsageError
from lensbench.languages import CENTRAL, add_languages, get_language
from lensbench.numbers.picking.rule import PickRule, parse_pick
from lensbench.plan.externals import find_externals
from lensbench.plan.own_splits import own_splits
from lensbench.plan.picking import planned_rule
from lensbench.plan.remedies import remedies
from lensbench.plan.request import RunRequest
from lensbench.plan.variant_text import parse_variant
from lensbench.plan.variants import PlannedVariant, plan_variants
from lensbench.spec import ExternalChoice, RunSpec, TaskChoice, VariantChoice
from lensbench.tasks import TaskInLanguage, TaskRegistry, resolve
from lensbench.version import __version__

__all__ = ["Plan", "PlannedTask", "make_plan"]

DEFAULT_TASKS = ("xcopa", "xwinograd", "xstory_cloze", "m_mmlu", "multiq")
"""The paper's four understanding tasks, and short open questions whose answers' language is identified."""


@dataclass(frozen=True)
class PlannedTask:
    """One task in one language that will be asked."""

    task: TaskInLanguage
    rows: str | None
    """Row definition that serves it."""
    development: str | None = None
    """Split whose items are asked too and only choose a setting."""

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
    variants: Mapping[str, PlannedVariant]
    """Fitted variants by name, in the order of fitting."""
    externals: Mapping[str, Backbone] = field(default_factory=dict)
    """Other checkpoints by the name of their variant."""
    trust_model: bool = False
    revision: str | None = None
    notes: tuple[str, ...] = field(default=())
    pick: PickRule | None = None
    """How a setting of each method is chosen; None: nothing is chosen."""


def make_plan(request: RunRequest) -> Plan:
    """Look up every name and check every choice.

    Raises:
        UsageError: unknown names (with the nearest), a task without any of the languages, one that generates under a profile
            that does not, wrong configuration values.
    """
    data = request.data or os.environ.get("LENSBENCH_DATA")
    add_languages([*request.include, *([Path(data)] if data and data != EMBEDDED else [])])
    backbone = with_system(get_backbone(request.backbone), request.system)
    languages = tuple(dict.fromkeys(get_language(c).code for c in request.languages if c != CENTRAL))
    if request.limit is not None and request.limit < 1:
        raise UsageError(f"``limit`` must be at least 1, found {request.limit}")
    get_engine(request.engine)
    wanted = [parse_variant(variant) if isinstance(variant, str) else variant for variant in request.variants]
    variants = plan_variants(request, [v for v in wanted if v.method is not None], backbone, languages)
    externals = find_externals([v for v in wanted if v.method is None], variants)
    source = open_data(data)
    include_rows(request.include)
    registry = TaskRegistry(request.include, trust=request.trust_tasks)
    registry.profile(request.profile)
    # The embedded set has longer questions too.
    names = request.tasks or (*DEFAULT_TASKS, *(("open_questions",) if data == EMBEDDED else ()))
    planned: list[PlannedTask] = []
    gaps: list[str] = registry.notes()
    if not languages and not request.english:
        raise UsageError("``english=False`` leaves no language", "Name one: ``languages=zh``")
    for name in dict.fromkeys(names):
        found, missing = _plan_task(registry, name, request, languages, source)
        if not found:
            asked = languages if not request.english else (CENTRAL, *languages)
            more = remedies(registry, name, request.profile, languages or asked)
            said = [*missing, *more]
            raise UsageError(f"task '{name}' has none of the languages {', '.join(asked)}", "\n  ".join(said) or None)
        if request.tasks and languages and not any(p.task.language.code in languages for p in found):
            said = [*missing, *remedies(registry, name, request.profile, languages)]
            raise UsageError(f"task '{name}' has none of the target languages {', '.join(languages)}", "\n  ".join(said))
        twice = {(p.task.name, p.task.language.code) for p in planned} & {(p.task.name, p.task.language.code) for p in found}
        if twice:
            raise UsageError(f"task '{name.partition('@')[0]}' is requested with two profiles", "One run can use only one.")
        planned += found
        gaps += missing
    covered = {p.task.language.code for p in planned}
    for code in languages:
        if code not in covered:
            said = [gap for gap in gaps if f"'{code}'" in gap]
            said += [line for name in dict.fromkeys(names) for line in remedies(registry, name, request.profile, (code,))][:1]
            raise UsageError(f"no task has rows in '{code}' from {source.describe()}", "\n  ".join(said))
    choices = tuple(
        VariantChoice(name=name, method=fitted.method, config=fitted.config.model_dump(mode="json"))
        for name, fitted in variants.items()
    )
    pick = None
    if request.pick is not None:
        generates = [p.task.profile.generates for p in planned if p.task.language.code in languages]
        pick = planned_rule(parse_pick(request.pick), choices, generates, languages)
        splits = own_splits([(p.task, p.rows) for p in planned], source) if pick.validation else {}
        planned = [replace(p, development=splits.get(p.task.name)) for p in planned]
    spec = RunSpec(
        lensbench=__version__,
        variants=choices,
        externals=tuple(ExternalChoice(variant=name, backbone=place) for name, (place, _) in externals.items()),
        backbone=request.backbone,
        languages=languages,
        english=request.english,
        profile=request.profile,
        tasks=tuple(
            TaskChoice(
                task=p.task.name,
                language=p.task.language.code,
                profile=p.task.profile.profile,
                protocol=p.task.protocol_hash(),
                rows=p.rows,
                development=p.development,
            )
            for p in planned
        ),
        data=_data_name(data),
        include=tuple(str(path) for path in request.include),
        limit=request.limit,
        num_fewshot=request.num_fewshot,
        max_new_tokens=request.max_new_tokens,
        batch_size=request.batch_size,
        engine=request.engine,
        device=request.device,
        dtype=request.dtype,
        seed=request.seed,
        system=request.system,
    )
    others = {name: with_system(other, request.system) for name, (_, other) in externals.items()}
    if request.system is not None and not any(model.system_text == request.system for model in (backbone, *others.values())):
        raise UsageError(
            "``system``: no model of this run takes a system text",
            "It is for models given as folder or hub id; short names have the text of their own file.",
        )
    return Plan(
        spec, backbone, source, tuple(planned), tuple(gaps), variants, others, request.trust_model, request.revision, pick=pick
    )


def _plan_task(
    registry: TaskRegistry, name: str, request: RunRequest, languages: tuple[str, ...], source: DataSource
) -> tuple[list[PlannedTask], list[str]]:
    entry = registry.find(name, request.profile)
    name = entry.name
    profile = registry.profile(entry.file.profile)
    found, missing = [], []
    for code in (CENTRAL, *languages) if request.english else languages:
        if code not in entry.file.languages:
            missing.append(f"{name} has no '{code}' (it has {', '.join(sorted(entry.file.languages))})")
            continue
        fewshot = request.num_fewshot if not profile.generates else None
        task = resolve(entry, code, profile, num_fewshot=fewshot, max_new_tokens=request.max_new_tokens)
        # lm-eval generates where a definition does not say.
        if not profile.generates and (task.config.get("output_type") or "generate_until") == "generate_until":
            generating = ", ".join(sorted(p.profile for p in registry.profiles.values() if p.generates))
            raise UsageError(
                f"{entry.path}: task '{name}' generates answers (output_type generate_until); profile '{profile.profile}' "
                "scores log-likelihoods",
                f"Give it `output_type: multiple_choice` or `loglikelihood`, or a profile that generates: {generating}.",
            )
        if not entry.file.rows:
            found.append(PlannedTask(task, None))
            continue
        spec = task.find_rows(source)
        if spec is None:
            hint = task.rows_specs()[0].note
            missing.append(
                f"{name} in '{code}': {source.describe()} has no rows (wanted: {', '.join(entry.file.rows)})"
                + (f". {hint.replace('<code>', code)}" if hint else "")
            )
            continue
        found.append(PlannedTask(task, spec.rows))
    return found, missing


def _data_name(data: str | None) -> str:
    if data is None:
        return "hub"
    return EMBEDDED if data == EMBEDDED else str(Path(data).resolve())
