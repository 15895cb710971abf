"""Lists of valid names: methods, backbones, tasks, languages, profiles, judges and engines, each as a list of mappings."""

from __future__ import annotations

import os
from collections.abc import Sequence

from lensbench.api.arguments import a_path, paths
from lensbench.engines.registry import DEFAULT as DEFAULT_ENGINE
from lensbench.engines.registry import engine_names
from lensbench.jsonio import JsonObject

__all__ = [
    "DEFAULT_ENGINE",
    "engine_names",
    "list_backbones",
    "list_engines",
    "list_experiments",
    "list_judges",
    "list_languages",
    "list_methods",
    "list_profiles",
    "list_tasks",
]


def list_methods() -> list[JsonObject]:
    """Built-in methods, then those of installed packages; one that cannot be imported has the kind "broken"."""
    from lensbench.methods import BrokenPlugin, methods

    return [
        {"name": m.name, "kind": "broken", "needs": [], "changes": m.reason, "source": None, "origin": m.origin}
        if isinstance(m, BrokenPlugin)
        else {name: getattr(m, name) for name in ("name", "kind", "needs", "changes", "source", "origin")}
        for m in methods().values()
    ]


def list_backbones() -> list[JsonObject]:
    """Backbones with a short name."""
    from lensbench.backbones import backbones

    return [
        {
            "name": b.backbone,
            "title": b.title,
            "hub": b.hub,
            "revision": b.revision,
            "system_text": b.system_text,
            "presets": sorted(b.presets),
        }
        for b in backbones().values()
    ]


def list_experiments() -> list[JsonObject]:
    """Experiments that ship: what each repeats, by the first sentence of its file, its backbones, methods and languages."""
    from lensbench.content import shipped_files
    from lensbench.plan.run_file import read_run_file
    from lensbench.yamlio import leading_comment

    found = [(name, path, read_run_file(path)) for name, path in shipped_files("experiments").items()]
    return [
        {
            "name": name,
            "title": leading_comment(path).partition(". ")[0].rstrip("."),
            "backbones": [run.backbone] if isinstance(run.backbone, str) else list(run.backbone or ()),
            "languages": list(run.languages or ()),
            "tasks": list(run.tasks or ()),
            "file": str(path),
        }
        for name, path, run in found
    ]


def list_languages(
    include: Sequence[str | os.PathLike[str]] = (), *, data: str | os.PathLike[str] | None = None
) -> list[JsonObject]:
    """Languages with their script, direction, and the code that each data set uses.

    Args:
        include: Folders that may hold a `languages.yaml`.
        data: A data folder, which may hold one too.

    Raises:
        UsageError: there is no such data folder, or a file is wrong.
    """
    from lensbench.datasets.sources import EMBEDDED, open_data
    from lensbench.languages import add_languages, languages

    folders = list(paths("include", include))
    if data is not None and data != EMBEDDED:
        folders.append(a_path("data", data))
        open_data(os.fspath(folders[-1]))
    add_languages(folders)
    shown = ("code", "name", "native", "script", "direction", "glotlid", "codes")
    return [language.model_dump(mode="json", include=set(shown)) for language in languages().values()]


def list_tasks(include: Sequence[str | os.PathLike[str]] = ()) -> list[JsonObject]:
    """Tasks with their profile, rows and languages, also those of installed packages; a broken one has no profile.

    Args:
        include: Further task folders.
    """
    from lensbench.plugins import OURS, BrokenPlugin
    from lensbench.tasks import TaskRegistry

    registry = TaskRegistry(paths("include", include))
    entries = [(OURS if e.shipped else str(e.path), e) for e in registry.entries()]
    return [
        {
            "name": e.name,
            "profile": e.file.profile,
            "title": e.file.title or e.name,
            "rows": e.file.rows,
            "languages": sorted(e.file.languages),
            "origin": origin,
        }
        if not isinstance(e, BrokenPlugin)
        else {"name": e.name, "profile": None, "title": e.reason, "rows": [], "languages": [], "origin": origin}
        for origin, e in [*entries, *registry.of_packages()]
    ]


def list_profiles(include: Sequence[str | os.PathLike[str]] = ()) -> list[JsonObject]:
    """Profiles: how items are asked and scored.

    Args:
        include: Further task folders.
    """
    from lensbench.tasks import TaskRegistry

    return [
        {
            "name": p.profile,
            "title": p.title,
            "chat": p.chat,
            "scoring": p.scoring,
            "sample": p.sample.model_dump() if p.sample else None,
        }
        for p in TaskRegistry(paths("include", include)).profiles.values()
    ]


def list_judges() -> list[JsonObject]:
    """Shipped judges; a `model` of None must be named when the judge is used."""
    from lensbench.grading.judge.registry import judges, read_judge, shown_url

    found = [(path, read_judge(path)) for path in judges().values()]
    return [
        {
            "name": j.judge,
            "title": j.title,
            "model": j.model,
            "server": shown_url(j.endpoint.base_url),
            "prices": str(j.prices.date) if j.prices else None,
            "file": str(path),
        }
        for path, j in found
    ]


def list_metrics() -> list[JsonObject]:
    """Metrics, also those of installed packages; one that cannot be imported is computed from "broken".

    `in_metric_list` is whether a task's `metric_list` may name it: metrics that identifiers and judges give, and those that the
    code of a task in lm-eval gives, are none to be named there.
    """
    from lensbench.metrics import IN_NO_METRIC_LIST, SCORES, Metric, metrics

    directions = {True: "higher", False: "lower", None: "not known"}
    return [
        {
            "name": m.name,
            "title": m.title,
            "unit": m.unit.name,
            "better": directions[m.higher_is_better],
            "computed_from": m.basis.name,
            "in_metric_list": m.basis is SCORES and m.name not in IN_NO_METRIC_LIST,
            "origin": m.origin,
        }
        if isinstance(m, Metric)
        else {
            "name": m.name,
            "title": m.reason,
            "unit": None,
            "better": None,
            "computed_from": "broken",
            "in_metric_list": False,
            "origin": m.origin,
        }
        for m in metrics().values()
    ]


def list_engines() -> list[JsonObject]:
    """Engines: what computes log-likelihoods and generates answers."""
    from lensbench.engines.registry import engines
    from lensbench.plugins import BrokenPlugin

    return [
        {
            "name": e.name,
            "title": f"cannot be used: {e.reason}" if isinstance(e, BrokenPlugin) else e.title,
            "broken": isinstance(e, BrokenPlugin),
            "ranks": None if isinstance(e, BrokenPlugin) else e.divides_work,
            "options": [] if isinstance(e, BrokenPlugin) else e.options,
            "install": None if isinstance(e, BrokenPlugin) else e.extra,
            "origin": e.origin,
        }
        for e in engines().values()
    ]
