"""The import itself: find, recognise, convert, check, write."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from lensbench.datasets.importing.formats import FORMATS
from lensbench.datasets.importing.model import Context, Format, Original
from lensbench.datasets.importing.problems import Problems
from lensbench.datasets.importing.report import ImportReport
from lensbench.datasets.importing.staging import Stage
from lensbench.datasets.importing.walking import find
from lensbench.datasets.importing.writing import Manifest
from lensbench.errors import DataError, UsageError

__all__ = ["FORMATS", "import_folder"]


def import_folder(
    source: Path,
    target: Path,
    *,
    on_progress: Callable[[str], None] | None = None,
    strict: bool = False,
    overwrite: bool = False,
    prefer: Sequence[str] = (),
) -> ImportReport:
    """Convert original release files into a local data folder.

    A wrong row is left out, a file that cannot be read is not written, and both are problems of the report; the rest goes on.

    Args:
        source: A tree of releases, one release's folder, or a single file.
        target: The data folder; what an earlier import left there stays.
        on_progress: Told in words of each file that was converted; they are put into the data folder at the end.
        strict: Stop at the first problem.
        overwrite: Put a file in the place of one of the same path that holds other rows; without it that is a problem.
        prefer: Patterns of originals to take where several would become one file.

    Returns:
        What was written and what was skipped, with reasons, and what was wrong.

    Raises:
        UsageError: `source` does not exist or is no file and no folder, or `target` is a file.
        DataError: `target` has a manifest that cannot be read; or, where strict, the first problem. Files converted before it
            are whole and in the manifest.
        RunError: `target` cannot be written.
    """
    if not source.exists():
        raise UsageError(f"{source}: no such file or folder")
    if not source.is_file() and not source.is_dir():
        raise UsageError(f"{source} is not a plain file and not a folder")
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file, the folder of the imported data was expected")
    manifest = Manifest(target)
    problems = Problems(strict)
    groups, skipped = find(source, target, problems)
    context = Context(_by_format(groups), prefer=tuple(prefer))
    with Stage(target, context, problems) as stage:
        try:
            for form, originals in groups:
                _convert(form, originals, context, problems, stage, on_progress)
        except DataError:
            stage.commit(manifest, overwrite=overwrite)
            raise
        files, warnings = stage.commit(manifest, overwrite=overwrite)
    unused = [pattern for pattern in prefer if pattern not in context.used]
    warnings += context.warnings
    warnings += [f"``prefer={pattern}``: matches no file that was read" for pattern in unused]
    return ImportReport(target, tuple(files), tuple(skipped), tuple(context.notes), problems.found, tuple(warnings))


def _convert(
    form: Format,
    originals: list[Original],
    context: Context,
    problems: Problems,
    stage: Stage,
    on_progress: Callable[[str], None] | None,
) -> None:
    try:
        for split in form.convert(originals, context):
            if not split.records:
                reasons = "; ".join(split.notes) or "all of them are wrong"
                context.note(f"{split.path}: not written, no row is left ({reasons})")
                continue
            # A split that cannot be written stops no other of the same file.
            with problems.whole(split.originals[0].name):
                stage.add(split)
                if on_progress:
                    on_progress(f"{split.path}: {len(split.records)} rows")
    except DataError as error:
        blamed = next((original for original in originals if error.message.startswith(str(original))), originals[0])
        problems.bad_file(blamed.name, error)
    finally:
        for original in originals:
            original.let_go()


def _by_format(groups: list[tuple[Format, list[Original]]]) -> dict[str, list[Original]]:
    found: dict[str, list[Original]] = {}
    for form, originals in groups:
        found.setdefault(form.name, []).extend(originals)
    return found
