"""Which task and language an lm-eval task name stands for."""

from __future__ import annotations

import functools
import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

from lensbench.languages import languages
from lensbench.tasks.registry import TaskRegistry

__all__ = ["UNKNOWN", "NamedTask", "named_task"]

UNKNOWN = "und"
"""ISO 639-2 for a language that nothing tells."""
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


def named_task(name: str, registry: TaskRegistry) -> NamedTask:
    """The task and language of an lm-eval name.

    Three ways, in this order: a definition of lm-eval that one of our task files names (`xwinograd_jp`), a task that we exported
    (`lensbench_xcopa_zh`), and a name that ends in a language's code, ours or that of a data set (`belebele_zho_Hans`).
    """
    own = _upstream_names().get(name)
    if own is None:
        own = _by_ending(name.removeprefix(_EXPORTED))
    if own is None:
        return NamedTask(name, UNKNOWN, name)
    task, language = own
    title = next((e.file.title for e in registry.entries() if e.name == task and e.file.title), task)
    return NamedTask(task, language, title)


def _by_ending(name: str) -> tuple[str, str] | None:
    parts = name.split("_")
    for count in (2, 1):
        ending = "_".join(parts[-count:]).lower()
        if len(parts) > count and ending in _endings():
            return "_".join(parts[:-count]), _endings()[ending]
    return None


@functools.cache
def _endings() -> dict[str, str]:
    """Every code there is for a language, in lower case; a code of two languages is one of neither, unless it is canonical."""
    found: dict[str, set[str]] = {}
    for code, language in languages().items():
        theirs = [language.iso3, language.glotlid, language.nllb]
        for other in language.codes.values():
            theirs += [other] if isinstance(other, str) else list(other)
        for their in theirs:
            found.setdefault(their.lower().replace("-", "_"), set()).add(code)
    table = {ending: next(iter(codes)) for ending, codes in found.items() if len(codes) == 1}
    return {**table, **{code: code for code in languages()}}


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
