"""Results of lm-evaluation-harness as a run."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lensbench.api.arguments import a_path
from lensbench.api.run import Run

__all__ = ["ImportedResults", "import_lm_eval"]


@dataclass(frozen=True)
class ImportedResults:
    """A run made of lm-eval's files.

    Attributes:
        variants: Name -> model.
        items: Items that were read.
        notes: What could not be matched, taken over or told.
    """

    run: Run
    variants: Mapping[str, str]
    items: int
    notes: Sequence[str]


def import_lm_eval(
    results: Sequence[str | os.PathLike[str] | tuple[str | None, str | os.PathLike[str]]],
    to: str | os.PathLike[str],
    *,
    languages: Mapping[str, str] | None = None,
) -> ImportedResults:
    """Turn results and samples files into a run: the first model is `base`, others are compared with it.

    Args:
        results: Folders that lm-eval wrote, or results files; each may be a pair of the variant's name and the place.
        to: Run folder to write.
        languages: Task -> code, for tasks whose name does not tell their language.

    Raises:
        UsageError: no results of lm-eval, or a folder that holds something.
        DataError: a file that is damaged or of an unknown version.
    """
    from lensbench.interop.lm_eval.import_run import import_lm_eval as read

    pairs = [one if isinstance(one, tuple) else (None, one) for one in results]
    target = a_path("to", to)
    found = read([(name, a_path("results", place)) for name, place in pairs], target, dict(languages or {}))
    return ImportedResults(Run(target), found.variants, found.items, found.notes)
