"""The import itself: find, recognise, convert, check, write."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from lensbench.data.importing.formats import FORMATS
from lensbench.data.importing.model import Context, Format, Original, Skip, Split
from lensbench.data.importing.report import ImportedFile, ImportReport, SkippedFile
from lensbench.data.importing.writing import Manifest, parquet_bytes, write_atomically
from lensbench.data.rows import check_rows, load_rows_spec
from lensbench.errors import DataError, UsageError

__all__ = ["import_folder"]

NOT_RECOGNISED = "not recognised as an original release file"


def import_folder(source: Path, target: Path, *, on_progress: Callable[[str], None] | None = None) -> ImportReport:
    """Convert original release files into a local data folder.

    Args:
        source: A tree of releases, one release's folder, or a single file.
        target: The data folder; what an earlier import left there stays, and files of the same path are replaced.
        on_progress: Told in words of each file that was written.

    Returns:
        What was written and what was skipped, with reasons.

    Raises:
        UsageError: `source` does not exist, or `target` is a file.
        DataError: an original file does not hold what it should, with file, line and column; or two originals would
            give the same file. The import stops there: files already written are whole and in the manifest.
        RunError: `target` cannot be written.
    """
    if not source.exists():
        raise UsageError(f"{source}: no such file or folder")
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file, the folder of the imported data was expected")
    manifest = Manifest(target)
    groups, skipped = _recognised(_originals(source, target))
    context = Context(_by_format(groups))
    written: dict[str, ImportedFile] = {}
    for form, originals in groups:
        for split in form.convert(originals, context):
            if not split.records:
                context.note(f"{split.path}: not written, no row is left ({'; '.join(split.notes)})")
                continue
            if split.path in written:
                first, second = written[split.path].source[0], split.originals[0].name
                raise DataError(
                    f"{first} and {second} would both become {split.path}",
                    "Import them one at a time, each into its own folder.",
                )
            entry = _write(split, target)
            manifest.put(entry)
            written[entry.path] = entry
            if on_progress:
                on_progress(f"{entry.path}: {entry.n} rows")
    return ImportReport(target, tuple(written.values()), tuple(skipped), tuple(context.notes))


def _originals(source: Path, target: Path) -> Iterator[Original]:
    """All files of the source in sorted order, without hidden ones and without the data folder itself."""
    if source.is_file():
        yield Original(source, source.name)
        return
    inside = target.resolve()
    for folder, folders, files in os.walk(source):
        here = Path(folder)
        folders[:] = sorted(f for f in folders if not f.startswith(".") and (here / f).resolve() != inside)
        for name in sorted(files):
            # A pipe or a socket would block the reader for ever.
            if not name.startswith(".") and (here / name).is_file():
                yield Original(here / name, (here / name).relative_to(source).as_posix())


def _recognised(originals: Iterator[Original]) -> tuple[list[tuple[Format, list[Original]]], list[SkippedFile]]:
    groups: dict[tuple[int, str], list[Original]] = {}
    skipped = []
    for original in originals:
        for rank, form in enumerate(FORMATS):
            verdict = form.recognise(original)
            if isinstance(verdict, Skip):
                skipped.append(SkippedFile(original.name, verdict.reason))
            elif verdict is not None:
                groups.setdefault((rank, verdict), []).append(original)
            if verdict is not None:
                break
        else:
            skipped.append(SkippedFile(original.name, NOT_RECOGNISED))
    return [(FORMATS[rank], groups[rank, key]) for rank, key in sorted(groups)], skipped


def _by_format(groups: list[tuple[Format, list[Original]]]) -> dict[str, list[Original]]:
    found: dict[str, list[Original]] = {}
    for form, originals in groups:
        found.setdefault(form.name, []).extend(originals)
    return found


def _write(split: Split, target: Path) -> ImportedFile:
    spec = load_rows_spec(split.rows)
    where = str(split.originals[0]) if len(split.originals) == 1 else split.path
    check_rows(split.records, spec, where)
    content = parquet_bytes(split.records, spec, where)
    write_atomically(target / split.path, content)
    return ImportedFile(
        path=split.path,
        rows=split.rows,
        language=split.language.code,
        split=split.split,
        n=len(split.records),
        sha256=hashlib.sha256(content).hexdigest(),
        source=tuple(original.name for original in split.originals),
        source_sha256=tuple(hashlib.sha256(original.content).hexdigest() for original in split.originals),
        licence=split.licence,
        stand_in=split.stand_in,
        notes=split.notes,
    )
