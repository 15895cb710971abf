"""The grader of an answer: a judge, a language identifier, or a rule that extracts the answer from its text."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal, NamedTuple

__all__ = ["Grader", "GraderKind", "preferred", "short_names"]

_FLOOR = re.compile(r"@(0\.\d+)\Z")

GraderKind = Literal["judge", "identifier", "extractor"]


class Grader(NamedTuple):
    """One grader. Numbers of different graders never share a column.

    Printed as `NAME:MODEL:DIGEST` of a judge and `NAME:DIGEST` of the others, as the files of a run name it. Neither the name nor
    the digest holds a colon; the name of a model may.
    """

    kind: GraderKind
    name: str
    model: str | None = None
    """The model that a judge asks."""
    digest: str | None = None
    """Digest of everything else that decides the grader's results; of an identifier also its floor, as in `8f3472cf@0.2`."""

    def __str__(self) -> str:
        return ":".join(part for part in (self.name, self.model, self.digest) if part is not None)

    @property
    def short(self) -> str:
        """Name and digest, without the model, whose name may be a long path."""
        return f"{self.name}:{self.digest or ''}"

    @property
    def floor(self) -> float:
        """Probability below which an identifier's label counts as none; 0 of records that an older version wrote."""
        found = _FLOOR.search(self.digest or "") if self.kind == "identifier" else None
        return float(found[1]) if found else 0.0

    @classmethod
    def parse(cls, text: str, kind: GraderKind) -> Grader:
        """The grader that is printed as this text; any text is one, and is printed again as it was.

        Args:
            kind: What it is, which the text does not say.
        """
        return _parsed(text, kind)

    @classmethod
    def of_cell(cls, source: str | None, unit: str) -> Grader | None:
        """The grader of a number in `results.json`.

        Args:
            source: As the number names it; "" or None for log-likelihoods, which none grades.
            unit: Of the number; ratings are a judge's.
        """
        return cls.parse(source, "judge" if unit == "rating" else "identifier") if source else None


@functools.lru_cache(maxsize=4096)
def _parsed(text: str, kind: GraderKind) -> Grader:
    name, colon, rest = text.partition(":")
    if not colon:
        return Grader(kind, name)
    model, colon, digest = rest.rpartition(":")
    return Grader(kind, name, model if colon else None, digest)


def preferred(identifiers: Iterable[Grader]) -> list[Grader]:
    """Identifiers in order of preference: GlotLID, which the papers use, before all others; with a floor before without."""
    return sorted(set(identifiers), key=lambda grader: (grader.name != "glotlid", grader.name, not grader.floor, str(grader)))


def short_names(graders: Iterable[Grader]) -> dict[str, str]:
    """Graders as text -> the name alone where it stands for one of them, else the whole text."""
    distinct = {str(grader): grader.name for grader in graders}
    often = Counter(distinct.values())
    return {text: name if often[name] == 1 else text for text, name in distinct.items()}
