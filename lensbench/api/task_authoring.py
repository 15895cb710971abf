"""Task files: linted, shown item by item, and written for lm-evaluation-harness."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lensbench.api.arguments import a_path, a_whole_number, names, paths
from lensbench.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from lensbench.tasks.lint import Finding

__all__ = ["describe_item", "export_tasks", "lint_tasks", "show_task", "task_files"]

_NOT_EXPORTED = ("open_questions", "multiq")
"""Tasks whose answers are identified, which lm-eval does not do."""


def _places(include: Sequence[Path], data: str | os.PathLike[str] | None) -> list[Path]:
    """Folders that may hold a `languages.yaml`."""
    from lensbench.datasets.sources import EMBEDDED

    return [*include, *([Path(data)] if data and data != EMBEDDED else [])]


@contextlib.contextmanager
def _engines() -> Iterator[None]:
    """Says which extra is missing, where one is."""
    try:
        yield
    except ImportError as error:
        raise UnavailableError(f"the package '{error.name}' is missing", "pip install 'lensbench[engines]'") from None


def task_files(path: str | os.PathLike[str] | None = None) -> list[Path]:
    """The task files of a folder, or one file; None takes the shipped ones.

    Raises:
        UsageError: the folder has none.
    """
    from lensbench.content import content_dir
    from lensbench.languages import LANGUAGES_FILE

    folder = content_dir("tasks") if path is None else a_path("path", path)
    found = sorted(one for one in folder.glob("*.yaml") if one.name != LANGUAGES_FILE) if folder.is_dir() else [folder]
    if not found:
        raise UsageError(f"no .yaml files in {folder}")
    return found


def lint_tasks(
    path: str | os.PathLike[str] | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    include: Sequence[str | os.PathLike[str]] = (),
    trust_tasks: bool = False,
) -> Iterator[Finding]:
    """Lint task files: keys, languages, splits, rendered items, gold answers, version, provenance.

    Args:
        path: A file or a folder; None takes the shipped tasks.
        data: Where the rows of sample items come from; None is the embedded set.
        include: Further folders with languages, profiles and row definitions.
        trust_tasks: Let Python code that task files name run.

    Yields:
        Findings with `path`, `level` ("error", "warning" or "ok") and `message`.

    Raises:
        UsageError: no task files.
        UnavailableError: what tasks are made with is not installed.
    """
    from lensbench.content import content_dir
    from lensbench.datasets.rows import include_rows
    from lensbench.datasets.sources import EMBEDDED, Chain, open_data
    from lensbench.languages import add_languages
    from lensbench.quiet import quiet_libraries
    from lensbench.tasks.lint import lint

    with _engines():
        quiet_libraries()
    folders = paths("include", include)
    add_languages(_places((content_dir("tasks") if path is None else a_path("path", path), *folders), data))
    include_rows(folders)
    found = task_files(path)
    source = open_data(EMBEDDED if data is None else os.fspath(data))
    if isinstance(source, Chain):
        source = source.sources[0]  # a sample item is not worth a download
    yield from lint(found, source, trust=trust_tasks, include=folders)


def show_task(task: str, *, profile: str | None = None, include: Sequence[str | os.PathLike[str]] = ()) -> list[dict[str, str]]:
    """The YAML files of a task as they stand.

    Args:
        profile: One of its profiles; None takes all.
        include: Further task folders.

    Returns:
        For each file `name`, `profile`, `path` and `text`.

    Raises:
        UsageError: an unknown task, or one without this profile.
    """
    from lensbench.tasks import TaskRegistry

    registry = TaskRegistry(paths("include", include))
    wanted = f"{task}@{profile}" if profile is not None else task
    entries = [registry.find(wanted, "")] if "@" in wanted else registry.of_name(task) or [registry.find(task, "")]
    return [
        {"name": e.name, "profile": e.file.profile, "path": str(e.path), "text": e.path.read_text(encoding="utf-8")}
        for e in entries
    ]


def describe_item(
    task: str,
    language: str,
    *,
    profile: str = "lens-paper",
    backbone: str = "smollm2-135m",
    data: str | os.PathLike[str] | None = None,
    item: int = 1,
    include: Sequence[str | os.PathLike[str]] = (),
    trust_tasks: bool = False,
    notify: Any = None,
) -> list[str]:
    """An item as a model sees it: text, token ids at both ends, and the number of BOS tokens.

    Args:
        backbone: Whose tokenizer and chat template are used.
        data: Where the row comes from; None is the embedded set.
        item: Which item, in the profile's order, from 1.
        include: Further task folders.
        trust_tasks: Let Python code that task files name run.
        notify: Called with each message of a download.

    Raises:
        UsageError: an unknown name, or no such item.
        UnavailableError: rows or the tokenizer is not available.
    """
    from lensbench.quiet import quiet_libraries

    with _engines():
        quiet_libraries()
        from lensbench.engines.describe import describe_item as lines_of
    from lensbench.backbones import get_backbone
    from lensbench.backbones.resolve import find_checkpoint
    from lensbench.datasets.sources import EMBEDDED, open_data
    from lensbench.languages import add_languages, get_language
    from lensbench.tasks import TaskRegistry, resolve

    folders = paths("include", include)
    add_languages(_places(folders, data))
    registry = TaskRegistry(folders, trust=trust_tasks)
    entry = registry.find(task, profile)
    resolved = resolve(entry, get_language(language).code, registry.profile(entry.file.profile))
    base = get_backbone(backbone)
    checkpoint = find_checkpoint(base, notify=notify or (lambda text: None))
    source = open_data(EMBEDDED if data is None else os.fspath(data))
    return list(lines_of(resolved, source, base, checkpoint, a_whole_number("item", item, 1) - 1))


def export_tasks(
    to: str | os.PathLike[str],
    *,
    tasks: Sequence[str] = (),
    profile: str = "lens-paper",
    languages: Sequence[str] | None = None,
    data: str | os.PathLike[str] | None = None,
    include: Sequence[str | os.PathLike[str]] = (),
    trust_tasks: bool = False,
) -> tuple[list[Path], list[str]]:
    """Write tasks as lm-eval YAML, one file per language.

    Args:
        to: Folder for the files.
        tasks: Names; () takes all that can be exported.
        languages: Codes; None takes all that can be exported.
        data: Name files of this data folder instead of the hub.
        include: Further task folders.
        trust_tasks: Let Python code that task files name run.

    Returns:
        The files, and why the others were not exported.

    Raises:
        UsageError: an unknown name, a language that was asked for and cannot be exported, or nothing was exported.
    """
    from lensbench.languages import add_languages, get_language
    from lensbench.tasks import TaskRegistry, resolve
    from lensbench.tasks.export import export_task

    folders, folder = paths("include", include), a_path("to", to)
    rows = None if data is None else a_path("data", data)
    add_languages(_places(folders, data))
    registry = TaskRegistry(folders, trust=trust_tasks)
    wanted = [get_language(code).code for code in names("languages", languages, "zh")] if languages is not None else None
    written, refused = [], []
    for name in names("tasks", tasks, "xcopa") or [n for n in registry.names() if n not in _NOT_EXPORTED]:
        entry = registry.find(name, profile)
        for code in wanted or sorted(entry.file.languages):
            task: Any = resolve(entry, code, registry.profile(entry.file.profile))
            try:
                written.append(export_task(task, folder, rows))
            except UsageError as error:
                if wanted:
                    raise
                refused.append(error.message)
    if not written:
        raise UsageError("nothing was exported", refused[0] if refused else None)
    return written, refused
