"""Data folders: made of original release files, and question sets made by translation."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from lensbench.api.arguments import a_path, names
from lensbench.api.reporting_to import progress_or_default
from lensbench.progress import Progress

if TYPE_CHECKING:
    from lensbench.datasets.importing import ImportedFile, ImportReport
    from lensbench.tasks.registry import TaskEntry

__all__ = ["import_data", "import_hints", "translate_questions"]


def import_data(
    source: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    strict: bool = False,
    overwrite: bool = False,
    prefer: Sequence[str] = (),
    notify: Callable[[str], None] | None = None,
) -> ImportReport:
    """Convert original release files to the hub's field names, as Parquet with a manifest.

    A wrong row is left out and reported; the rest is imported.

    Args:
        source: A tree of releases, one release's folder, or a single file.
        to: Data folder to write to.
        strict: Stop at the first thing that is wrong.
        overwrite: Put files in the place of those that are there with other rows.
        prefer: Patterns of originals to take where several hold the same rows.
        notify: Called with a line for each file.

    Returns:
        What was written, skipped and wrong.

    Raises:
        UsageError: no source, or a target that is a file.
        DataError: where strict, the first problem.
        RunError: the target cannot be written.
    """
    from lensbench.datasets.importing import import_folder

    place, target = a_path("source", source), a_path("to", to)
    patterns = names("prefer", prefer, "*")
    return import_folder(place, target, on_progress=notify, strict=strict, overwrite=overwrite, prefer=patterns)


def import_hints(report: ImportReport) -> list[str]:
    """How to ask rows of a split that the data set itself does not have, or that no shipped task asks."""
    from lensbench.datasets.rows import load_rows_spec
    from lensbench.tasks.registry import TaskRegistry

    tasks: dict[str, list[TaskEntry]] = {}
    for entry in TaskRegistry().entries():
        for rows in [entry.file.rows] if isinstance(entry.file.rows, str) else entry.file.rows or ():
            tasks.setdefault(rows, []).append(entry)
    hints = []
    for rows, split in sorted({(file.rows, file.split) for file in report.files if file.rows in tasks}):
        asked = [(each.file.test_split, each.file.validation_split, each.file.fewshot_split) for each in tasks[rows]]
        asking = [each.name for each, splits in zip(tasks[rows], asked, strict=True) if split in splits]
        if asking and split in load_rows_spec(rows).local_splits:
            hints.append(f"the split '{split}' of {rows} is asked with ``tasks={asking[0]}``")
        if asking or split in ("train", "val", "validation", "dev"):
            continue
        name = tasks[rows][0].path.name
        hints.append(
            f"no shipped task asks the split '{split}' of {rows}: copy tasks/{name}, write `test_split: {split}` in it, "
            "and pass its folder with ``include``"
        )
    return hints


def translate_questions(
    language: str,
    to: str | os.PathLike[str],
    *,
    judge: str | os.PathLike[str],
    origin: str = "en",
    data: str | os.PathLike[str] | None = None,
    model: str | None = None,
    base_url: str | None = None,
    max_usd: float | None = None,
    progress: Progress | None = None,
) -> ImportedFile:
    """Make an MT-Bench question set for a language that has none. It is marked as machine-translated wherever it is used.

    Args:
        language: Code of the language to make the set in.
        to: Data folder to write to.
        judge: Judge whose interface translates.
        origin: Code of the language to translate from.
        data: Data folder with the original questions; None reads $LENSBENCH_DATA, else the hub.
        model: Model to ask in place of the judge's.
        base_url: Any OpenAI-compatible server.
        max_usd: Send nothing that could bring the cost above this.

    Raises:
        UsageError: an unknown name, or the file is there already.
        RunError: a text came back empty or cut; nothing is written then.
    """
    from lensbench.datasets.sources import open_data
    from lensbench.grading.judge import load_judge
    from lensbench.languages import get_language
    from lensbench.stages.translate import translate_questions as translate

    asked = load_judge(os.fspath(judge), model=model, base_url=base_url)
    source = open_data(None if data is None else os.fspath(data))
    pair = (get_language(origin), get_language(language))
    return translate(source, asked, *pair, a_path("to", to), progress_or_default(progress), max_usd=max_usd)
