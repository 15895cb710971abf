"""The whole answer of one run."""

from __future__ import annotations

from dataclasses import dataclass

from lensbench.reporting.answer.cost import what_it_cost
from lensbench.reporting.answer.english import english_kept
from lensbench.reporting.answer.helped import helped
from lensbench.reporting.answer.measure import Measure, measures_of
from lensbench.reporting.answer.picked import how_chosen
from lensbench.reporting.answer.real import is_it_real
from lensbench.reporting.answer.rows import Rows, rows_of
from lensbench.reporting.answer.settings import costs_together, setting_helped
from lensbench.reporting.answer.statement import Statement
from lensbench.reporting.answer.voids import voids_of
from lensbench.reporting.run_view import RunView
from lensbench.spec import BASE

__all__ = ["FLOWING", "QUESTIONS", "Answer", "answer_of"]

QUESTIONS = ("Did it help?", "Did English suffer?", "Is it real?", "What did it cost?", "How was the setting chosen?")
FLOWING = QUESTIONS[2:4]
"""Questions whose sentences may stand in one paragraph where room is short."""


@dataclass(frozen=True)
class Answer:
    """What a run says first.

    Attributes:
        variants: Enhanced variants that have numbers, in the order of the run; without settings that were tried and not chosen.
        measures: Scores, then the language of answers, then ratings.
        voids: What makes numbers void; it stands above everything else.
        helped, english, real, cost, chosen: The sentences under `QUESTIONS`.
        rows: What has a line in tables: every variant, or of many the best settings.
    """

    variants: tuple[str, ...]
    measures: tuple[Measure, ...]
    voids: tuple[Statement, ...]
    helped: tuple[Statement, ...]
    english: tuple[Statement, ...]
    real: tuple[Statement, ...]
    cost: tuple[Statement, ...]
    rows: Rows
    chosen: tuple[Statement, ...] = ()

    @property
    def questions(self) -> tuple[tuple[str, tuple[Statement, ...]], ...]:
        """Each question with its sentences; one that has none is left out."""
        found = zip(QUESTIONS, (self.helped, self.english, self.real, self.cost, self.chosen), strict=True)
        return tuple((question, said) for question, said in found if said)


def answer_of(run: RunView, *, everything: bool = False) -> Answer:
    """The answer of a run, finished or not.

    Args:
        everything: A sentence and a line for every variant, however many there are.
    """
    measures = measures_of(run.results)
    enhanced = tuple(name for name in run.variants if name != BASE and name not in run.results.left_out)
    asked = bool(enhanced) and bool(measures)
    rows = rows_of(measures, run.sweep_table, enhanced, everything=everything)
    return Answer(
        enhanced,
        tuple(measures),
        tuple(voids_of(run)),
        tuple(_helped(run, rows)) if asked else (),
        tuple(english_kept(rows.measures, rows.names)) if asked else (),
        tuple(is_it_real(run, measures, rows)) if asked else (),
        tuple(costs_together(run.results, enhanced) if rows.folded else what_it_cost(run.results)) if enhanced else (),
        rows,
        tuple(how_chosen(run)),
    )


def _helped(run: RunView, rows: Rows) -> list[Statement]:
    found = []
    for name in rows.names:
        setting = rows.settings.get(name)
        if setting is not None and len(setting.variants) > 1:
            found.append(setting_helped(setting, rows.measures, run.sweep_table))
        else:
            found += helped(rows.measures, [name])
    return found
