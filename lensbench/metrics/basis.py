"""The input of a metric: log-likelihoods of choices, the languages of answers, or a judge's ratings."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LANGUAGES", "RATINGS", "SCORES", "Basis"]


@dataclass(frozen=True)
class Basis:
    """What metrics of one kind have in common.

    Attributes:
        grader: What turned an answer into a number, and the command-line option that names it; "" where nothing did.
        signature: What stands before the grader in the signature of a number.
        counted: What `n` counts.
        graded: Begins the sentence "... by GRADER".
        missing: Why a table has no number of it.
        asks: The question of an endpoint in one word: accuracy, language or rating.
        margin: Loss in English that counts as none, where the user sets no other: 0.01 is one point of a share.
    """

    name: str
    grader: str
    signature: str
    counted: str
    graded: str
    missing: str
    asks: str
    margin: float


SCORES = Basis("scores", "", "", "items", "", "not scored yet", "accuracy", 0.01)
LANGUAGES = Basis(
    "languages",
    "identifier",
    "lid",
    "items",
    "Language identified",
    "not identified in this unit (lensbench fidelity)",
    "language",
    0.01,
)
RATINGS = Basis("ratings", "judge", "judge", "gradings", "Rated", "not judged (lensbench judge)", "rating", 0.1)
