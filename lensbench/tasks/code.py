"""Parts of a task file that would run somebody else's code; refused unless the file is trusted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lensbench.errors import UsageError, unknown_name
from lensbench.jsonio import JsonObject
from lensbench.metrics import metrics_of_packages
from lensbench.tasks.schema import TaskFile
from lensbench.yamlio import Document

__all__ = ["check_registered", "refuse_code"]

_TRUST = "Use a registered name or Jinja, or pass ``trust_tasks=True`` if you have read that code."
_OF_PACKAGES = "A metric of a package is known once that package is installed beside lensbench; see `lensbench ls metrics`."
_BUILDERS = frozenset({"json", "csv", "parquet", "arrow", "text"})
"""Builders of `datasets` that read plain data."""
_OTHER_BUILDERS = frozenset({"pandas", "generator", "spark", "sql", "webdataset", "cache", "eval", "hdf5", "xml", "lance"})
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[\w.-]+)?\Z")
_DATASET_KEYS = frozenset({"data_files", "data_dir", "revision", "field", "features", "trust_remote_code", "sep", "delimiter"})
_NAME = re.compile(r"[\w@.-]+\Z")


def refuse_code(file: TaskFile, document: Document) -> None:
    """Refuse what names Python code: functions, metrics and filters that are no names, data sets that are scripts.

    Raises:
        UsageError: with file, line and key.
    """
    _refuse_in(file, document, ())
    for code, entry in file.languages.items():
        _refuse_in(entry, document, ("languages", code))


def _refuse_in(entry: Any, document: Document, place: tuple[str, ...]) -> None:
    def wrong(key: str, what: str) -> UsageError:
        return UsageError(f"{document.where(*place, key)}: {key}: {what}", _TRUST)

    for key in ("process_docs", "process_results"):
        if getattr(entry, key) is not None:
            raise wrong(key, "names Python code")
    for key in ("doc_to_text", "doc_to_choice", "doc_to_target"):
        if callable(getattr(entry, key)):
            raise wrong(key, "is Python code")
    for metric in entry.metric_list or ():
        if metric.get("hf_evaluate"):
            raise wrong("metric_list", f"hf_evaluate loads the code of the metric {metric.get('metric')!r}")
        for key in ("metric", "aggregation"):
            if key in metric and not _is_name(metric[key]):
                raise wrong("metric_list", f"{key} {str(metric[key])[:80]!r} is no registered name")
    for function in _functions(entry.filter_list):
        if not _is_name(function):
            raise wrong("filter_list", f"function {str(function)[:80]!r} is no registered name")
    fewshot = entry.fewshot_config or {}
    if fewshot.get("process_docs") is not None:
        raise wrong("fewshot_config", "process_docs names Python code")
    if "sampler" in fewshot and not _is_name(fewshot["sampler"]):
        raise wrong("fewshot_config", f"sampler {str(fewshot['sampler'])[:80]!r} is no registered name")
    if (path := entry.dataset_path) is not None:
        reason = _code_in_dataset(path)
        if reason:
            raise wrong("dataset_path", reason)
    unknown = set(entry.dataset_kwargs or ()) - _DATASET_KEYS
    if unknown:
        known = ", ".join(sorted(_DATASET_KEYS))
        raise wrong("dataset_kwargs", f"'{sorted(map(str, unknown))[0]}' is not passed on (known: {known})")


def _code_in_dataset(path: str) -> str | None:
    found = Path(path)
    try:
        local = found.exists()
    except (OSError, ValueError):
        return f"{path[:80]!r} is neither a hub id nor a folder"
    if path.endswith(".py") or (local and found.is_file()):
        return f"{path} is a file; a loading script is code, data files go under dataset_kwargs: {{data_files: ...}}"
    if local:
        scripts = sorted(one.name for one in found.iterdir() if one.suffix in (".py", ".pkl"))
        return f"the folder {path} holds code ({scripts[0]})" if scripts else None
    if "/" not in path and path not in _BUILDERS and not _HUB_ID.match(path):
        return f"{path[:80]!r} is neither a hub id nor one of {', '.join(sorted(_BUILDERS))}"
    if path in _OTHER_BUILDERS:
        return f"the builder '{path}' is not used (only {', '.join(sorted(_BUILDERS))})"
    return None if _HUB_ID.match(path) or path in _BUILDERS else f"there is no folder {path[:80]!r}, and it is no hub id"


def _functions(filters: list[JsonObject] | None) -> Iterator[Any]:
    for one in filters or ():
        steps = one.get("filter")
        for step in steps if isinstance(steps, list) else ():
            if isinstance(step, Mapping):
                yield step.get("function")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and _NAME.match(value) is not None and not value.startswith(".")


def check_registered(config: Mapping[str, Any], path: Path) -> None:
    """Metrics, aggregations and filters that lm-eval has registered: for any other name it looks for code, beginning with a
    folder of that name.

    Raises:
        UsageError: with the nearest registered name.
    """
    import lm_eval.api.metrics
    import lm_eval.filters  # noqa: F401
    from lm_eval.api.registry import aggregation_registry, filter_registry, metric_registry

    for metric in config.get("metric_list") or ():
        for kind, registry in (("metric", metric_registry), ("aggregation", aggregation_registry)):
            name = metric.get(kind)
            if isinstance(name, str) and name not in registry:
                known = [*registry, *(metrics_of_packages() if kind == "metric" else ())]
                error = unknown_name(kind, name, known)
                more = f"\n  {_OF_PACKAGES}" if kind == "metric" else ""
                raise UsageError(f"{path}: {error.message}", f"{error.hint}{more}")
    for function in _functions(config.get("filter_list")):
        if isinstance(function, str) and function not in filter_registry:
            error = unknown_name("filter", function, list(filter_registry))
            raise UsageError(f"{path}: {error.message}", error.hint)
