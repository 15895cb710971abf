"""The Python API for notebooks, scripts and the command line. It uses Python types and has no flags.

It may import every room but `cli`. Names are loaded when they are first used, so that importing it loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lensbench.api.comparison import Comparison, compare
    from lensbench.api.data_folder import import_data, import_hints, translate_questions
    from lensbench.api.drawing import Drawing, figure
    from lensbench.api.evaluation import evaluate, is_worker
    from lensbench.api.experiment_plan import ExperimentPlan, plan_backbones
    from lensbench.api.experiments import BackbonesFailed, Experiment, evaluate_backbones, holds_experiment
    from lensbench.api.fetching import Fetched, fetch
    from lensbench.api.finished_work import CacheContents, cache_contents, cache_folder, clear_cache
    from lensbench.api.html_report import Report, report
    from lensbench.api.identification import Identification
    from lensbench.api.judging import estimate_judging
    from lensbench.api.listings import (
        DEFAULT_ENGINE,
        engine_names,
        list_backbones,
        list_engines,
        list_experiments,
        list_judges,
        list_languages,
        list_methods,
        list_metrics,
        list_profiles,
        list_tasks,
    )
    from lensbench.api.lm_eval_results import import_lm_eval
    from lensbench.api.loaded_models import load_model
    from lensbench.api.machine import check_machine
    from lensbench.api.method_objects import (
        Fitted,
        Incline,
        Lens,
        MethodObject,
        Qalign,
        Sdrrl,
        Xsft,
        XsftFull,
        fit,
        load_enhancement,
    )
    from lensbench.api.paper_tables import PaperTable, table
    from lensbench.api.planning import RunPlan, plan_run
    from lensbench.api.rendering import Question, TextTable, View, missing_lines, short_judge
    from lensbench.api.run import Run, load
    from lensbench.api.run_files import read_run_file
    from lensbench.api.scoring import Scored, score
    from lensbench.api.task_authoring import describe_item, export_tasks, lint_tasks, show_task, task_files
    from lensbench.display import TerminalProgress
    from lensbench.notebook import NotebookProgress
    from lensbench.plan.sweep import TooManyVariants
    from lensbench.progress import Progress, SilentProgress

__all__ = [
    "DEFAULT_ENGINE",
    "BackbonesFailed",
    "CacheContents",
    "Comparison",
    "Drawing",
    "Experiment",
    "ExperimentPlan",
    "Fetched",
    "Fitted",
    "Identification",
    "Incline",
    "Lens",
    "MethodObject",
    "NotebookProgress",
    "PaperTable",
    "Progress",
    "Qalign",
    "Question",
    "Report",
    "Run",
    "RunPlan",
    "Scored",
    "Sdrrl",
    "SilentProgress",
    "TerminalProgress",
    "TextTable",
    "TooManyVariants",
    "View",
    "Xsft",
    "XsftFull",
    "cache_contents",
    "cache_folder",
    "check_machine",
    "clear_cache",
    "compare",
    "describe_item",
    "engine_names",
    "estimate_judging",
    "evaluate",
    "evaluate_backbones",
    "export_tasks",
    "fetch",
    "figure",
    "fit",
    "holds_experiment",
    "import_data",
    "import_hints",
    "import_lm_eval",
    "is_worker",
    "lint_tasks",
    "list_backbones",
    "list_engines",
    "list_experiments",
    "list_judges",
    "list_languages",
    "list_methods",
    "list_metrics",
    "list_profiles",
    "list_tasks",
    "load",
    "load_enhancement",
    "load_model",
    "missing_lines",
    "plan_backbones",
    "plan_run",
    "read_run_file",
    "report",
    "score",
    "short_judge",
    "show_task",
    "table",
    "task_files",
    "translate_questions",
]

HOMES = {
    "lensbench.api.comparison": ("Comparison", "compare"),
    "lensbench.api.data_folder": ("import_data", "import_hints", "translate_questions"),
    "lensbench.api.drawing": ("Drawing", "figure"),
    "lensbench.api.evaluation": ("evaluate", "is_worker"),
    "lensbench.api.experiment_plan": ("ExperimentPlan", "plan_backbones"),
    "lensbench.api.experiments": ("BackbonesFailed", "Experiment", "evaluate_backbones", "holds_experiment"),
    "lensbench.api.fetching": ("Fetched", "fetch"),
    "lensbench.api.finished_work": ("CacheContents", "cache_contents", "cache_folder", "clear_cache"),
    "lensbench.api.html_report": ("Report", "report"),
    "lensbench.api.identification": ("Identification",),
    "lensbench.api.judging": ("estimate_judging",),
    "lensbench.api.listings": (
        "DEFAULT_ENGINE",
        "engine_names",
        "list_backbones",
        "list_engines",
        "list_experiments",
        "list_judges",
        "list_languages",
        "list_methods",
        "list_metrics",
        "list_profiles",
        "list_tasks",
    ),
    "lensbench.api.lm_eval_results": ("import_lm_eval",),
    "lensbench.api.loaded_models": ("load_model",),
    "lensbench.api.machine": ("check_machine",),
    "lensbench.api.method_objects": (
        "Fitted",
        "Incline",
        "Lens",
        "MethodObject",
        "Qalign",
        "Sdrrl",
        "Xsft",
        "XsftFull",
        "fit",
        "load_enhancement",
    ),
    "lensbench.api.paper_tables": ("PaperTable", "table"),
    "lensbench.api.planning": ("RunPlan", "plan_run"),
    "lensbench.api.rendering": ("Question", "TextTable", "View", "missing_lines", "short_judge"),
    "lensbench.api.run": ("Run", "load"),
    "lensbench.api.run_files": ("read_run_file",),
    "lensbench.api.scoring": ("Scored", "score"),
    "lensbench.api.task_authoring": ("describe_item", "export_tasks", "lint_tasks", "show_task", "task_files"),
    "lensbench.plan.sweep": ("TooManyVariants",),
    "lensbench.display": ("TerminalProgress",),
    "lensbench.notebook": ("NotebookProgress",),
    "lensbench.progress": ("Progress", "SilentProgress"),
}
"""Module -> the names that it gives to the API."""
_MODULE_OF = {name: module for module, names in HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'lensbench.api' has no attribute '{name}'")
    return getattr(import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
