"""lensbench: benchmark harness for methods that make language models multilingual.

Names are loaded when they are first used, so that `import lensbench` loads nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lensbench.version import __version__

if TYPE_CHECKING:
    from lensbench.api import (
        BackbonesFailed,
        Comparison,
        Drawing,
        Experiment,
        ExperimentPlan,
        Fitted,
        Identification,
        Incline,
        Lens,
        NotebookProgress,
        PaperTable,
        Progress,
        Qalign,
        Report,
        Run,
        RunPlan,
        Scored,
        Sdrrl,
        SilentProgress,
        TerminalProgress,
        Xsft,
        XsftFull,
        check_machine,
        compare,
        describe_item,
        evaluate,
        evaluate_backbones,
        export_tasks,
        fetch,
        figure,
        fit,
        import_data,
        import_lm_eval,
        lint_tasks,
        list_backbones,
        list_engines,
        list_experiments,
        list_judges,
        list_languages,
        list_methods,
        list_metrics,
        list_profiles,
        list_tasks,
        load,
        load_enhancement,
        load_model,
        plan_backbones,
        plan_run,
        read_run_file,
        report,
        score,
        show_task,
        table,
        translate_questions,
    )
    from lensbench.backbones.load import LoadedBackbone
    from lensbench.datasets.sources import DataSource, Origin
    from lensbench.engines.base import BaseEngine
    from lensbench.engines.generation.generate import end_tokens, finished_answer
    from lensbench.engines.protocol import (
        Answer,
        AnswerRequest,
        EngineVariant,
        GeneratedAnswer,
        ScoredItems,
        ScoringRequests,
        TokenRequest,
    )
    from lensbench.engines.registry import EngineInfo
    from lensbench.errors import DataError, LensbenchError, RunError, UnavailableError, UsageError
    from lensbench.methods.base import Cost, Enhancement, Method, TrainingData
    from lensbench.methods.config import MethodConfig
    from lensbench.methods.corpora.probing import Corpora, ParallelPrompt, load_corpora
    from lensbench.methods.delta import Delta
    from lensbench.methods.registry import MethodInfo
    from lensbench.metrics import NUMBER, POINTS, SHARE, Corpus, Metric, ScoredItem, Unit
    from lensbench.records.run_folder import write_atomically
    from lensbench.stages.fit import MethodsFailed

__all__ = [
    "NUMBER",
    "POINTS",
    "SHARE",
    "Answer",
    "AnswerRequest",
    "BackbonesFailed",
    "BaseEngine",
    "Comparison",
    "Corpora",
    "Corpus",
    "Cost",
    "DataError",
    "DataSource",
    "Delta",
    "Drawing",
    "EngineInfo",
    "EngineVariant",
    "Enhancement",
    "Experiment",
    "ExperimentPlan",
    "Fitted",
    "GeneratedAnswer",
    "Identification",
    "Incline",
    "Lens",
    "LensbenchError",
    "LoadedBackbone",
    "Method",
    "MethodConfig",
    "MethodInfo",
    "MethodsFailed",
    "Metric",
    "NotebookProgress",
    "Origin",
    "PaperTable",
    "ParallelPrompt",
    "Progress",
    "Qalign",
    "Report",
    "Run",
    "RunError",
    "RunPlan",
    "Scored",
    "ScoredItem",
    "ScoredItems",
    "ScoringRequests",
    "Sdrrl",
    "SilentProgress",
    "TerminalProgress",
    "TokenRequest",
    "TrainingData",
    "UnavailableError",
    "Unit",
    "UsageError",
    "Xsft",
    "XsftFull",
    "__version__",
    "check_machine",
    "compare",
    "describe_item",
    "end_tokens",
    "evaluate",
    "evaluate_backbones",
    "export_tasks",
    "fetch",
    "figure",
    "finished_answer",
    "fit",
    "import_data",
    "import_lm_eval",
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
    "load_corpora",
    "load_enhancement",
    "load_model",
    "plan_backbones",
    "plan_run",
    "read_run_file",
    "report",
    "score",
    "show_task",
    "table",
    "translate_questions",
    "write_atomically",
]

_FOR_PLUGINS = {
    "lensbench.backbones.load": ("LoadedBackbone",),
    "lensbench.datasets.sources": ("DataSource", "Origin"),
    "lensbench.engines.base": ("BaseEngine",),
    "lensbench.engines.generation.generate": ("end_tokens", "finished_answer"),
    "lensbench.engines.protocol": (
        "Answer",
        "AnswerRequest",
        "EngineVariant",
        "GeneratedAnswer",
        "ScoredItems",
        "ScoringRequests",
        "TokenRequest",
    ),
    "lensbench.engines.registry": ("EngineInfo",),
    "lensbench.errors": ("DataError", "LensbenchError", "RunError", "UnavailableError", "UsageError"),
    "lensbench.methods.base": ("Cost", "Enhancement", "Method", "TrainingData"),
    "lensbench.methods.config": ("MethodConfig",),
    "lensbench.methods.corpora.probing": ("Corpora", "ParallelPrompt", "load_corpora"),
    "lensbench.methods.delta": ("Delta",),
    "lensbench.methods.registry": ("MethodInfo",),
    "lensbench.metrics": ("NUMBER", "POINTS", "SHARE", "Corpus", "Metric", "ScoredItem", "Unit"),
    "lensbench.records.run_folder": ("write_atomically",),
    "lensbench.stages.fit": ("MethodsFailed",),
}
"""Module -> names that authors of methods, metrics and engines need; every other name is that of `lensbench.api`."""
_MODULE_OF = {name: module for module, names in _FOR_PLUGINS.items() for name in names}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    if name in __all__:
        return getattr(import_module("lensbench.api"), name)
    raise AttributeError(f"module 'lensbench' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
