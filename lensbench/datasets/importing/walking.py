"""The files of a source: which are read, the kind of each, and the reasons for skipping the rest."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from lensbench.datasets.importing.formats import FORMATS
from lensbench.datasets.importing.model import Format, Original, Skip
from lensbench.datasets.importing.problems import Problems
from lensbench.datasets.importing.report import SkippedFile
from lensbench.errors import DataError

__all__ = ["Found", "find"]

NOT_RECOGNISED = "not recognised as an original release file"
_DATA = (".jsonl", ".json", ".csv", ".tsv", ".xml", ".parquet")
_ARCHIVES = (".tar", ".tgz", ".tar.gz", ".zip", ".bz2", ".xz", ".7z", ".zst")
Found = tuple[list[tuple[Format, list[Original]]], list[SkippedFile]]


def find(source: Path, target: Path, problems: Problems) -> Found:
    """The files of each group with their format, and the files that are left out with the reason.

    A file that cannot be read, or that holds something else than its name says, is a problem.
    """
    groups: dict[tuple[int, str], list[Original]] = {}
    skipped: list[SkippedFile] = []
    for original in _originals(source, target, problems, skipped):
        with problems.whole(original.name):
            verdict, rank = _recognised(original)
            if isinstance(verdict, Skip):
                skipped.append(SkippedFile(original.name, verdict.reason))
            else:
                groups.setdefault((rank, verdict), []).append(original)
        original.let_go()
    return [(FORMATS[rank], groups[rank, key]) for rank, key in sorted(groups)], skipped


def _recognised(original: Original) -> tuple[str | Skip, int]:
    """The group (or why there is none) and the format's place in the list.

    Raises:
        DataError: the file cannot be read, or is something else than data.
    """
    strange = original.strange
    for rank, form in enumerate(FORMATS):
        verdict = form.recognise(original)
        if isinstance(verdict, Skip):
            return verdict, rank
        if verdict is not None:
            if strange:
                raise DataError(f"{original}: {strange}")
            return verdict, rank
    if original.path.name.endswith(_ARCHIVES):
        return Skip("an archive: unpack it first"), 0
    if strange and original.plain_name.endswith(_DATA):
        raise DataError(f"{original}: {strange}")
    return Skip(NOT_RECOGNISED if original.head else "an empty file"), 0


def _originals(source: Path, target: Path, problems: Problems, skipped: list[SkippedFile]) -> Iterator[Original]:
    """All files of the source in sorted order, without hidden ones and without the data folder itself."""
    if source.is_file():
        yield Original(source, _name(Path(source.name)), problems)
        return

    def unreadable(error: OSError) -> None:
        # Inside a strict import this ends the walk, as any first problem does.
        folder = Path(error.filename)
        name = _name(folder.relative_to(source)) if folder != source else "."
        problems.bad_file(name, DataError(f"{_name(folder)}: the folder could not be read ({error.strerror})"))

    inside = target.resolve()
    for folder, folders, files in os.walk(source, onerror=unreadable):
        here = Path(folder)
        kept = []
        for name in sorted(name for name in folders if not name.startswith(".")):
            if (here / name).is_symlink():
                skipped.append(SkippedFile(_name((here / name).relative_to(source)), "a link to a folder: not followed"))
            elif (here / name).resolve() != inside:
                kept.append(name)
        folders[:] = kept
        for name in sorted(name for name in files if not name.startswith(".")):
            path = here / name
            kind = _kind(path)
            if kind is None:
                yield Original(path, _name(path.relative_to(source)), problems)
            else:
                skipped.append(SkippedFile(_name(path.relative_to(source)), kind))


def _kind(path: Path) -> str | None:
    """Why a path is no file that can be read; None where it is a plain one. A pipe would block its reader for ever."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        return f"a link that leads nowhere, or a file that is gone ({getattr(error, 'strerror', None) or error})"
    return None if stat.S_ISREG(mode) else "not a plain file (a pipe, a socket or a device)"


def _name(path: Path) -> str:
    """With forward slashes. A name that is no text is written with escapes, so that the manifest can hold it."""
    return path.as_posix().encode("utf-8", "backslashreplace").decode()
