"""JMMLU: CSV without a header, with a byte-order mark, test questions only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.formats.mmlu import Release, group_of, headerless, pooled
from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split

__all__ = ["JMMLU"]

STAND_IN = "JMMLU: MMLU translated into Japanese with some Japanese subjects, not M-MMLU (which has no Japanese)"
RELEASE = Release(
    "ja",
    "CC BY-SA 4.0",
    default="test",
    stand_in=STAND_IN,
    subjects=56,
    rows={"test": 7536},
    other_licences={"JMMLU_NC_ND": "CC BY-NC-ND 4.0"},
)
_KANA = "[\u3041-\u30fa]"


def _recognise(original: Original) -> str | Skip | None:
    return group_of(original, default="test") if headerless(original, ("jmmlu", "jmmlu_nc_nd"), _KANA) else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    return pooled(originals, RELEASE, context)


JMMLU = Format("jmmlu", _recognise, _convert)
