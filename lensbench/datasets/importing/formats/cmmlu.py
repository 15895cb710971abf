"""CMMLU: CSV with a header whose first column is a row number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.formats.mmlu import Release, group_of, pooled
from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split

__all__ = ["CMMLU"]

STAND_IN = "CMMLU: Chinese exams, not a translation of MMLU"
_HEADER = ("", "Question", "A", "B", "C", "D", "Answer")
RELEASE = Release(
    "zh", "CC BY-NC-SA 4.0", header=_HEADER, first=1, stand_in=STAND_IN, subjects=67, rows={"val": 335, "test": 11_582}
)


def _recognise(original: Original) -> str | Skip | None:
    return group_of(original) if original.first_cells[:2] == _HEADER[:2] and "Subject" not in original.first_cells else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    return pooled(originals, RELEASE, context)


CMMLU = Format("cmmlu", _recognise, _convert)
