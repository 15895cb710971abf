"""English MMLU as CSV with a header, the answer an index from 0."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.formats.mmlu import Release, group_of, pooled
from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split

__all__ = ["MMLU_ENGLISH"]

_HEADER = ("question", "choice0", "choice1", "choice2", "choice3", "answer")
_ANSWERS = {"0": "A", "1": "B", "2": "C", "3": "D"}
RELEASE = Release("en", "MIT", header=_HEADER, answers=_ANSWERS, subjects=57, rows={"val": 285, "test": 14_042})


def _recognise(original: Original) -> str | Skip | None:
    return group_of(original) if original.first_cells[:2] == _HEADER[:2] else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    return pooled(originals, RELEASE, context)


MMLU_ENGLISH = Format("mmlu_english", _recognise, _convert)
