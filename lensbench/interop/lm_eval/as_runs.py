"""Paths that a user gives as runs: run folders are used directly, results of lm-eval are read into a new run."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lensbench.cache import cache_dir
from lensbench.errors import DataError
from lensbench.interop.lm_eval.finding import results_files
from lensbench.interop.lm_eval.import_run import import_lm_eval
from lensbench.interop.lm_eval.reading import holds_lm_eval
from lensbench.version import __version__

__all__ = ["as_runs"]

_READING = 2
"""Raised when results of lm-eval are read in another way, so that what was read before is not taken for it."""
_LONGEST = 240
"""Bytes of a folder's name, with room for what is added while it is written."""


def as_runs(paths: Sequence[Path], *, together: bool = True) -> list[Path]:
    """A run folder for every path; paths that hold neither stay as they are, for the reader to refuse.

    Args:
        together: Whether all results of lm-eval become one run, whose variants are the models: the first is `base`. Otherwise
            each is a run of its own.

    Raises:
        UsageError, DataError, RunError: results of lm-eval that cannot be read (see `import_lm_eval`).
    """
    foreign = [path for path in paths if holds_lm_eval(path)]
    if not foreign:
        return list(paths)
    groups = [foreign] if together else [[path] for path in foreign]
    made = {path: _cached(group) for group in groups for path in group}
    return list(dict.fromkeys(made.get(path, path) for path in paths))


def _cached(paths: Sequence[Path]) -> Path:
    """A run made of these very files by this version, made once.

    By their content, and under the folders' own names, so files that were moved or touched give the same reports.
    """
    digest = hashlib.sha256(f"{__version__} {_READING}".encode())
    names = []
    for path in paths:
        home = path.resolve().parent if path.is_file() else path.resolve()
        names.append(home.name)
        results = results_files(path.resolve())
        samples = [file for folder in {found.parent for found in results} for file in folder.glob("*.jsonl")]
        digest.update(f"{home.name}\n".encode("utf-8", "surrogateescape"))
        for file in sorted([*results, *samples]):
            digest.update(f"{file.relative_to(home)}\0{_content(file)}\n".encode("utf-8", "surrogateescape"))
    label = "+".join(names).encode("utf-8", "ignore")[:_LONGEST].decode("utf-8", "ignore") or "lm-eval"
    target = cache_dir() / "lm_eval" / digest.hexdigest()[:16] / label
    if not (target / "results.json").is_file():
        import_lm_eval([(None, path) for path in paths], target)
    return target


def _content(path: Path) -> str:
    if not path.is_file():
        # A pipe would be waited for without end. Whoever reads it says what it is.
        return "no plain file"
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
