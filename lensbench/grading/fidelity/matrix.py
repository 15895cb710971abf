"""The matrix of asked and answered languages: number of answers, or lines of answers, by language."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal, NamedTuple

from lensbench.grading.fidelity.cells import SPECIAL
from lensbench.jsonio import JsonObject
from lensbench.languages import languages

__all__ = ["AnsweredIn", "Change", "Level", "Matrix", "build_matrices", "change"]

Level = Literal["answer", "line"]


class AnsweredIn(NamedTuple):
    """Asked and answered language of one answer."""

    language: str
    """Language of the question."""
    variant: str
    turn: int
    cell: str
    """Cell from `answered_cell`."""
    lines: Sequence[str]
    """Cells from `line_cells`."""


@dataclass(frozen=True)
class Matrix:
    """Counts of one variant and turn."""

    level: Level
    variant: str
    turn: int
    asked: tuple[str, ...]
    """Languages of the questions, in the order of the language table."""
    answered: tuple[str, ...]
    """Cells of the answers: languages in the order of the table, other labels, then the special cells; only those met."""
    counts: tuple[tuple[int, ...], ...]
    """A row for each language asked, a column for each cell."""

    @property
    def totals(self) -> tuple[int, ...]:
        """Answers or lines of each row."""
        return tuple(sum(row) for row in self.counts)

    def count(self, asked: str, answered: str) -> int:
        """One cell; 0 for what was never met."""
        if asked not in self.asked or answered not in self.answered:
            return 0
        return self.counts[self.asked.index(asked)][self.answered.index(answered)]

    def share(self, asked: str, answered: str) -> float | None:
        """One cell as a share of its row; None when nothing was counted for the language (no answers, or no lines)."""
        total = sum(self.count(asked, cell) for cell in self.answered)
        return self.count(asked, answered) / total if total else None

    def as_dict(self) -> JsonObject:
        return {**asdict(self), "totals": self.totals}


@dataclass(frozen=True)
class Change:
    """Shares of one variant minus shares of another, at the same turn."""

    level: Level
    base: str
    variant: str
    turn: int
    asked: tuple[str, ...]
    answered: tuple[str, ...]
    shares: tuple[tuple[float, ...] | None, ...]
    """A row for each language asked, which sums to 0; None where one of the two has nothing to take shares of."""

    def as_dict(self) -> JsonObject:
        return asdict(self)


def build_matrices(answers: Iterable[AnsweredIn], level: Level = "answer") -> list[Matrix]:
    """A matrix for every variant and turn, in the order in which they are met.

    Args:
        answers: All answers to count.
        level: Whether to count answers or their lines.
    """
    groups: dict[tuple[str, int], dict[str, Counter[str]]] = {}
    for answer in answers:
        row = groups.setdefault((answer.variant, answer.turn), {}).setdefault(answer.language, Counter())
        row.update([answer.cell] if level == "answer" else answer.lines)
    matrices = []
    for (variant, turn), rows in groups.items():
        asked, answered = _ordered(rows), _ordered({cell for row in rows.values() for cell in row})
        counts = tuple(tuple(rows[code][cell] for cell in answered) for code in asked)
        matrices.append(Matrix(level, variant, turn, asked, answered, counts))
    return matrices


def change(base: Matrix, other: Matrix) -> Change:
    """How the shares of `other` differ from those of `base`.

    Raises:
        ValueError: the two are of unlike levels or turns.
    """
    if (base.level, base.turn) != (other.level, other.turn):
        raise ValueError(f"{base.level}, turn {base.turn} cannot be compared with {other.level}, turn {other.turn}")
    asked, answered = _ordered({*base.asked, *other.asked}), _ordered({*base.answered, *other.answered})
    rows: list[tuple[float, ...] | None] = []
    for code in asked:
        pairs = [(base.share(code, cell), other.share(code, cell)) for cell in answered]
        row = tuple(after - before for before, after in pairs if before is not None and after is not None)
        rows.append(row if row and len(row) == len(pairs) else None)
    return Change(base.level, base.variant, other.variant, base.turn, asked, answered, tuple(rows))


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    order = {name: place for place, name in enumerate(languages())}
    order |= {name: len(order) + 1 + place for place, name in enumerate(SPECIAL)}
    return tuple(sorted(names, key=lambda name: (order.get(name, len(languages())), name)))
