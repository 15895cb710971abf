"""The task and language that an lm-eval task name means."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from lensbench.tasks.lm_eval_families import UNKNOWN, language_of_code, lm_eval_language, split_name
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
    """Name in lm-eval -> our task and language, from the definitions that our task files name.

    lm-eval itself is not read: names are the same where it is not installed.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for entry in TaskRegistry().entries():
        if entry.file.profile == _PROFILE:
            for code, own in entry.file.languages.items():
                if own.upstream:
                    found.setdefault(_defined(own.upstream), []).append((entry.name, code))
    return {name: place for name, places in found.items() if (place := _own_place(name, places)) is not None}


def _defined(upstream: str) -> str:
    """The name of the task that a definition of lm-eval defines, by its path.

    `xwinograd/xwinograd_jp.yaml` is xwinograd_jp, `xcopa/default_sw.yaml` is xcopa_sw.
    """
    path = PurePosixPath(upstream)
    return re.sub(r"^default(?=_)", path.parent.name, path.stem)


def _own_place(name: str, places: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
    """The language a definition is of; languages that lm-eval lacks borrow one without words, English's mostly."""
    if len(places) == 1:
        return places[0]
    code = language_of_code(name.rpartition("_")[2])
    return next((place for place in places if place[1] == code), None)
