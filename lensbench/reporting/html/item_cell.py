"""What one variant made of one item, as the report's list of items shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lensbench.jsonio import JsonObject

__all__ = ["ItemCell", "ShownAnswer", "ShownLabel", "ShownVerdict"]


@dataclass(frozen=True)
class ShownLabel:
    """The language of an answer, by one identifier; `p` is the identifier's probability."""

    by: str
    label: str | None
    cell: str
    p: float | None


@dataclass(frozen=True)
class ShownVerdict:
    """What a judge said of an answer, and the rating that was read from it."""

    by: str
    repeat: int
    state: str
    rating: float | None
    text: str


@dataclass
class ShownAnswer:
    """The answer to one turn.

    Attributes:
        right: Whether it is in the asked language; None where nothing tells.
        gave: Its language, by the preferred identifier.
        unscored: Whether anything of this turn lacks a score.
        repetitive: Whether it mostly repeats itself (`lensbench.grading.repetition`).
        bits: What happened to this turn, as `outcome` says it of a whole item.
    """

    turn: int
    state: str
    text: str
    tokens: int | None
    finish: str | None
    labels: list[ShownLabel] = field(default_factory=list)
    verdicts: list[ShownVerdict] = field(default_factory=list)
    right: bool | None = None
    gave: str | None = None
    unscored: bool = False
    repetitive: bool = False
    bits: int = 0

    def packed(self) -> JsonObject:
        shown = {name: value for name, value in vars(self).items() if name not in ("right", "gave", "unscored", "repetitive")}
        return {**shown, "labels": list(map(vars, self.labels)), "verdicts": list(map(vars, self.verdicts))}


@dataclass
class ItemCell:
    """One item under one variant.

    Attributes:
        right: Whether it is answered rightly; of an open question, in the asked language. None where nothing tells.
        gave: The option, or the languages of the turns; None where there is none.
        unscored: Whether anything of it lacks a score.
        off_target: Whether an answer is in another language than the asked one.
        repetitive: Whether an answer mostly repeats itself.
        loglikelihoods: Of the choices, rounded; None of an open question.
        metrics: Of a closed question, without those that every task has.
    """

    state: str = "ok"
    right: bool | None = None
    gave: int | tuple[str, ...] | None = None
    unscored: bool = False
    off_target: bool = False
    repetitive: bool = False
    loglikelihoods: Sequence[float | None] | None = None
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    answers: list[ShownAnswer] = field(default_factory=list)

    def margin(self, gold: int | None) -> float | None:
        """Log-likelihood of the right choice less that of the best other one, in nats; None where one of them has none."""
        if gold is None or not self.loglikelihoods or gold >= len(self.loglikelihoods):
            return None
        own = self.loglikelihoods[gold]
        others = [value for place, value in enumerate(self.loglikelihoods) if place != gold and value is not None]
        return None if own is None or not others else own - max(others)

    def rating(self, judge: str) -> float | None:
        """Mean of a judge's ratings over the turns and repetitions; None where there is none."""
        verdicts = [verdict for answer in self.answers for verdict in answer.verdicts if verdict.by == judge]
        found = [verdict.rating for verdict in verdicts if verdict.rating is not None]
        return sum(found) / len(found) if found else None

    def packed(self) -> JsonObject:
        """As JSON for the page; short names, since there are many."""
        if self.loglikelihoods is None:
            return {"s": self.state, "a": [answer.packed() for answer in sorted(self.answers, key=lambda answer: answer.turn)]}
        scored: JsonObject = {"s": self.state, "l": self.loglikelihoods, "c": self.gave}
        return {**scored, "m": self.metrics} if self.metrics else scored
