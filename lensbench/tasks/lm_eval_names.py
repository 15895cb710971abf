"""Which task and language an lm-eval task name stands for."""

from __future__ import annotations

import functools
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lensbench.tasks.lm_eval_families import UNKNOWN, lm_eval_language, split_name
from lensbench.tasks.registry import TaskRegistry

__all__ = ["UNKNOWN", "NamedTask", "named_task"]

_EXPORTED = "lensbench_"
_PROFILE = "lm-eval"


@dataclass(frozen=True)
class NamedTask:
    """Attributes:
    language: Canonical code; `und` where the name holds none.
    title: Of the task's file; the name itself where there is none.
    """

    task: str
    language: str
    title: str


def named_task(name: str, registry: TaskRegistry, config: Mapping[str, Any] | None = None) -> NamedTask:
    """The task and language of an lm-eval name.

    In this order: `metadata.language` of its configuration, a definition of lm-eval that one of our task files names
    (`xwinograd_jp`), one of our tasks in one of its languages (`xcopa_zh`, and `lensbench_xcopa_zh` as we export it), a family of
    lm-eval that is known to carry a code (`belebele_zho_Hans`) or to be in one language (`kmmlu_law`), and the `dataset_name` of
    its configuration. The end of a name by itself says nothing: `und`.

    Args:
        config: The task's entry of a results file (`configs`), where there is one.
    """
    metadata = (config or {}).get("metadata")
    told = lm_eval_language("", {"metadata": metadata}) if isinstance(metadata, Mapping) else None
    own = _upstream_names().get(name) or _ours(name.removeprefix(_EXPORTED), registry) or split_name(name)
    if own is None:
        code = told or lm_eval_language(name, config)
        if code is None:
            return NamedTask(name, UNKNOWN, name)
        own = (name.removesuffix(f"_{code}"), code)
    task, language = own
    language = told or language
    title = next((e.file.title for e in registry.entries() if e.name == task and e.file.title), task)
    return NamedTask(task, language, title)


def _ours(name: str, registry: TaskRegistry) -> tuple[str, str] | None:
    """A task of the registry in one of its languages, as a run and an export name it."""
    for entry in registry.entries():
        code = name.removeprefix(f"{entry.name}_")
        if code != name and code in entry.file.languages:
            return entry.name, code
    return None


@functools.cache
def _upstream_names() -> dict[str, tuple[str, str]]:
    """Name in lm-eval -> our task and language, from the definitions that our task files name."""
    registry = TaskRegistry()
    spec = importlib.util.find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        return {}
    home = Path(spec.submodule_search_locations[0]) / "tasks"
    found: dict[str, tuple[str, str]] = {}
    for entry in registry.entries():
        if entry.file.profile != _PROFILE:
            continue
        for code, own in entry.file.languages.items():
            path = home / own.upstream if own.upstream else None
            if path is not None and path.is_file():
                named = re.search(r"^task:\s*(\S+)\s*$", path.read_text(encoding="utf-8"), re.M)
                if named:
                    found[named[1]] = (entry.name, code)
    return found
