"""Conversion of a call's arguments to a request for a run."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from lensbench.api.arguments import a_path, a_text, a_whole_number, names, one_of, paths
from lensbench.api.picks import as_pick
from lensbench.api.sweeps import MOST_SEED, as_grids, as_seeds
from lensbench.engines.registry import DEFAULT as DEFAULT_ENGINE
from lensbench.engines.registry import engine_names
from lensbench.errors import UsageError
from lensbench.safenames import folder_name

if TYPE_CHECKING:
    from lensbench.api.method_objects import MethodObject
    from lensbench.plan.request import RunRequest, VariantRequest
    from lensbench.spec import RunSpec

__all__ = ["RunChoices", "default_folder", "run_request"]

_DTYPES = ("auto", "float32", "bfloat16", "float16")
_LONGEST = 120
"""Characters of the variants' names in the name of a run folder; more are counted instead."""


class RunChoices(TypedDict, total=False):
    """Arguments of `evaluate`, `plan_run` and `fetch` besides the backbone; `evaluate` documents each."""

    methods: Sequence[str | MethodObject] | Mapping[str, Mapping[str, Any]]
    variants: Sequence[str] | Mapping[str, str | os.PathLike[str] | MethodObject]
    sweep: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Sequence[Any]]] | Sequence[str] | None
    seeds: Sequence[int] | None
    pick: bool | str | Mapping[str, Any] | None
    yes: bool
    languages: Sequence[str]
    english: bool
    tasks: Sequence[str] | None
    profile: str
    data: str | os.PathLike[str] | None
    include: Sequence[str | os.PathLike[str]]
    config: Mapping[str, Any] | str | os.PathLike[str] | None
    overrides: Sequence[str]
    limit: int | None
    num_fewshot: int | None
    max_new_tokens: int | None
    batch_size: int
    engine: str
    device: str
    dtype: str
    seed: int
    revision: str | None
    system: str | None
    trust_tasks: bool
    trust_model: bool


def run_request(backbone: str | os.PathLike[str], choices: RunChoices) -> RunRequest:
    """The request of a call, its types and ranges checked; names are looked up by the plan.

    Raises:
        UsageError: a value of a wrong type or out of range, an unknown language, engine or dtype.
    """
    from lensbench.datasets.sources import EMBEDDED
    from lensbench.languages import CENTRAL, add_languages, get_language
    from lensbench.plan.request import RunRequest

    if isinstance(backbone, list | tuple):
        # A run file may have a list of one.
        if len(backbone) != 1:
            raise UsageError(
                f"``backbone`` must be one backbone here, found {len(backbone)}",
                "Several: evaluate_backbones or plan_backbones, with the same arguments.",
            )
        backbone = backbone[0]
    data = choices.get("data")
    include = paths("include", choices.get("include", ()))
    add_languages([*include, *([Path(data)] if data and data != EMBEDDED else [])])
    methods, values, further = _methods(choices.get("methods", ()))
    variants = (*further, *_variants(choices.get("variants", ())))
    sweep = as_grids(choices.get("sweep"))
    config = choices.get("config")
    heads = {*methods, *_named(variants), *(place.partition(".")[0] for grid in sweep for place in grid)}
    tasks = choices.get("tasks")
    wanted = names("tasks", tasks, "xcopa") if tasks is not None else None
    if wanted == ():
        raise UsageError("``tasks`` names no task", "Example: ``tasks=xcopa``")
    codes = [get_language(code).code for code in names("languages", choices.get("languages", ("zh",)), "zh")]
    return RunRequest(
        backbone=os.fspath(a_path("backbone", backbone)) if isinstance(backbone, os.PathLike) else a_text("backbone", backbone),
        methods=methods,
        variants=variants,
        sweep=sweep,
        seeds=as_seeds(choices.get("seeds")),
        pick=as_pick(choices.get("pick")),
        yes=bool(choices.get("yes", False)),
        languages=tuple(dict.fromkeys(code for code in codes if code != CENTRAL)),
        english=bool(choices.get("english", True)),
        tasks=wanted,
        profile=a_text("profile", choices.get("profile", "lens-paper")),
        data=None if data is None else os.fspath(data),
        include=include,
        config_file=None if config is None or isinstance(config, Mapping) else a_path("config", config),
        overrides=(*values, *_settings(heads, config), *names("overrides", choices.get("overrides", ()), "rank=1")),
        limit=_whole(choices, "limit", 1),
        num_fewshot=_whole(choices, "num_fewshot", 0),
        max_new_tokens=_whole(choices, "max_new_tokens", 1),
        batch_size=a_whole_number("batch_size", choices.get("batch_size", 16), 1),
        engine=one_of("engine", choices.get("engine", DEFAULT_ENGINE), engine_names()),
        device=a_text("device", choices.get("device", "auto")),
        dtype=one_of("dtype", choices.get("dtype", "auto"), _DTYPES),
        seed=a_whole_number("seed", choices.get("seed", 42), 0, MOST_SEED),
        system=choices.get("system"),
        trust_tasks=bool(choices.get("trust_tasks", False)),
        trust_model=bool(choices.get("trust_model", False)),
        revision=choices.get("revision"),
    )


def default_folder(spec: RunSpec) -> Path:
    """`runs/<variants>-<backbone>-<languages>-<hash>`: equal settings give the same folder, so the same call continues it."""
    backbone = spec.backbone.rstrip("/").split("/")[-1]
    compared = "+".join(map(folder_name, spec.variant_names)) or "base"
    if len(compared) > _LONGEST:
        methods = "+".join(dict.fromkeys(choice.method for choice in spec.variants)) or spec.externals[0].variant
        compared = f"{methods[:_LONGEST]}-{len(spec.variant_names)}-variants"
    return Path("runs") / "-".join([compared, backbone, "_".join(spec.languages) or "en", spec.digest])


def _whole(choices: RunChoices, name: str, least: int) -> int | None:
    value = choices.get(name)
    return None if value is None else a_whole_number(name, value, least)


def _methods(given: Any) -> tuple[tuple[str, ...], list[str], list[VariantRequest]]:
    """Methods by name, their settings as `METHOD.KEY=VALUE`, and further variants of methods that are given several times."""
    from lensbench.api.method_objects import MethodObject
    from lensbench.plan.request import VariantRequest

    if isinstance(given, Mapping):
        found = names("methods", list(given), "lens")
        return found, [line for name in found for line in _lines(name, given[name])], []
    if isinstance(given, MethodObject):
        raise UsageError(f"``methods`` must be a list, found {given!r}", "Example: ``methods=lens``")
    parts = [given] if isinstance(given, str) else list(given)
    times = Counter(part.name for part in parts if isinstance(part, MethodObject))
    named, lines, further = [], [], []
    for part in parts:
        if isinstance(part, MethodObject) and times[part.name] > 1 and part.given:
            further.append(VariantRequest(method=part.name, settings=part.given))
        elif isinstance(part, MethodObject):
            named.append(part.name)
            lines += _lines(part.name, part.given)
        else:
            named.append(part)
    return names("methods", given if isinstance(given, str) else named, "lens"), lines, further


def _settings(heads: Collection[str], config: Any) -> list[str]:
    """Settings of a mapping as `KEY=VALUE`; a mapping of mappings names the method or the variant first.

    Args:
        heads: Names of the run's methods, and of its variants that have one of their own.
    """
    if not isinstance(config, Mapping):
        return []
    if config and all(key in heads for key in config):
        return [line for name, own in config.items() for line in _lines(name, own)]
    return [f"{key}={_yaml(value)}" for key, value in config.items()]


def _lines(method: str, settings: Any) -> list[str]:
    if not isinstance(settings, Mapping):
        raise UsageError(f"``methods``: the settings of '{method}' must be a mapping of keys to values")
    return [f"{method}.{key}={_yaml(value)}" for key, value in settings.items()]


def _named(variants: Sequence[str | VariantRequest]) -> list[str]:
    """Names and methods of fitted variants."""
    from lensbench.plan.variant_text import parse_variant

    fitted = [one for one in (parse_variant(v) if isinstance(v, str) else v for v in variants) if one.method is not None]
    return [name for one in fitted for name in (one.name, one.method) if name is not None]


def _yaml(value: Any) -> str:
    """JSON, which YAML reads as the same value."""
    return json.dumps(value, ensure_ascii=False, default=str)


def _variants(given: Any) -> tuple[str | VariantRequest, ...]:
    from lensbench.api.method_objects import MethodObject
    from lensbench.plan.request import VariantRequest

    if not isinstance(given, Mapping):
        # A run file has variants that are read already.
        if isinstance(given, list | tuple) and any(isinstance(one, VariantRequest) for one in given):
            return tuple(one if isinstance(one, VariantRequest) else a_text("variants", one) for one in given)
        return names("variants", given, "mine=path/to/model")
    return tuple(
        VariantRequest(a_text("variants", name), method=one.name, settings=one.given)
        if isinstance(one, MethodObject)
        else f"{a_text('variants', name)}={os.fspath(a_path('variants', one))}"
        for name, one in given.items()
    )
