"""Paths a user names as runs: run folders as they are, results of lm-eval read into a run of their own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from lensbench import __version__
from lensbench.backbones.resolve import cache_dir
from lensbench.pipeline.import_lm_eval import import_lm_eval
from lensbench.store.lm_eval_reading import holds_lm_eval

__all__ = ["as_runs"]


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
    """A run made of these very files by this version, made once."""
    digest = hashlib.sha256(__version__.encode())
    for path in paths:
        files = (
            [path, *path.parent.glob("samples_*.jsonl")] if path.is_file() else [*path.rglob("*.json"), *path.rglob("*.jsonl")]
        )
        for file in sorted(files):
            digest.update(f"{path.resolve()}\0{file.name}\0{file.stat().st_size}\0{file.stat().st_mtime_ns}\n".encode())
    target = cache_dir() / "lm_eval" / digest.hexdigest()[:16]
    if not (target / "results.json").is_file():
        import_lm_eval([(None, path) for path in paths], target)
    return target
