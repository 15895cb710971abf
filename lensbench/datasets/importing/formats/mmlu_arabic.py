"""AceGPT's Arabic MMLU: CSV without a header, row for row with the English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lensbench.datasets.importing.formats.mmlu import Release, group_of, headerless, pooled
from lensbench.datasets.importing.model import Context, Format, Original, Skip, Split

__all__ = ["MMLU_ARABIC"]

STAND_IN = "AceGPT's machine translation of MMLU, not M-MMLU's"
RELEASE = Release("ar", "Apache-2.0", stand_in=STAND_IN, subjects=57, rows={"val": 285, "test": 14_042})
_ARABIC = "[\u0621-\u064a]"


def _recognise(original: Original) -> str | Skip | None:
    return group_of(original) if headerless(original, ("mmlu_ar", "mmluarabic", "arabic-mmlu", "arabic mmlu"), _ARABIC) else None


def _convert(originals: Sequence[Original], context: Context) -> Iterator[Split]:
    return pooled(originals, RELEASE, context)


MMLU_ARABIC = Format("mmlu_arabic", _recognise, _convert)
