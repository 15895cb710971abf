"""Linting task files: everything that can be wrong with a task before a model sees it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lensbench.data.sources import EMBEDDED, DataSource, open_data
from lensbench.errors import LensbenchError, UsageError
from lensbench.tasks.build import build_items, build_task
from lensbench.tasks.registry import TaskEntry, TaskRegistry, parse_task
from lensbench.tasks.resolve import resolve

__all__ = ["Finding", "lint"]


@dataclass(frozen=True)
class Finding:
    """One thing seen while linting."""

    path: Path
    level: str
    """"error", "warning" or "ok"."""
    message: str


def lint(paths: list[Path], source: DataSource | None = None, *, trust: bool = False) -> Iterator[Finding]:
    """Lint task files, one finding after the other; a file without an error ends with an "ok" finding.

    A sample item is rendered in every language that the data source has rows in (the embedded set unless another is given).
    """
    source = source or open_data(EMBEDDED)
    for path in paths:
        try:
            entry = parse_task(path, trust=trust)
        except LensbenchError as error:
            yield Finding(path, "error", str(error))
            continue
        findings = list(_lint_entry(entry, source, trust=trust))
        yield from (f for f in findings if f.level != "ok")
        if not any(f.level == "error" for f in findings):
            rendered = ", ".join(f.message for f in findings if f.level == "ok") or "none"
            codes = ", ".join(sorted(entry.file.languages))
            yield Finding(path, "ok", f"{entry.name} ({entry.file.profile}): {codes}; sample items rendered in {rendered}")


def _lint_entry(entry: TaskEntry, source: DataSource, *, trust: bool) -> Iterator[Finding]:
    path = entry.path
    try:
        profile = TaskRegistry([path.parent], trust=trust).profile(entry.file.profile)
    except UsageError as error:
        yield Finding(path, "error", f"{entry.document.where('profile')}: {error}")
        return
    nowhere, unversioned = [], []
    for code in entry.file.languages:
        try:
            task = resolve(entry, code, profile)
            split = task.split
            specs = task.rows_specs()
        except LensbenchError as error:
            yield Finding(path, "error", f"{code}: {error}")
            continue
        for spec in specs:
            if split not in spec.splits:
                where = entry.document.where("test_split")
                yield Finding(
                    path, "error", f"{where}: rows '{spec.rows}' have no split '{split}', only {', '.join(spec.splits)}"
                )
        if "version" not in (task.config.get("metadata") or {}):
            unversioned.append(code)
        if not specs:
            yield Finding(path, "warning", "names its own dataset_path: licence and provenance of its rows are not recorded")
            continue
        found = task.find_rows(source)
        if found is None:
            if not any(spec.on_hub(task.language) for spec in specs):
                nowhere.append(code)
            continue
        try:
            rows = source.load(found, task.language, split)
            items = build_items(task, build_task(task, rows), _plain_chat, 1)
        except LensbenchError as error:
            yield Finding(path, "error", f"{code}: {error}")
            continue
        if not profile.generates and len(items[0].requests) < 2:
            yield Finding(path, "error", f"{code}: the sample item has {len(items[0].requests)} choice; two are needed")
            continue
        yield Finding(path, "ok", code)
    if unversioned:
        yield Finding(
            path, "warning", f"{', '.join(unversioned)}: metadata.version is missing, scores cannot name what they are of"
        )
    if nowhere:
        yield Finding(
            path,
            "warning",
            f"{', '.join(nowhere)}: neither {source.describe()} nor the hub has rows; a data folder must bring them",
        )


def _plain_chat(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
    """A stand-in template for linting, where no tokenizer is at hand."""
    return "\n".join(f"[{m['role']}] {m['content']}" for m in messages)
