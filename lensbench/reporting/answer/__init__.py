"""What a run says first: did it help, did English suffer, is it real, what did it cost. Made by rule from its endpoints.

Imports `numbers`, `metrics` and `reporting.run_view`; the page, the terminal and `report.md` show what this room says.
"""

from lensbench.reporting.answer.build import FLOWING, Answer, answer_of
from lensbench.reporting.answer.measure import Measure, measures_of
from lensbench.reporting.answer.statement import Statement, Tone

__all__ = ["FLOWING", "Answer", "Measure", "Statement", "Tone", "answer_of", "measures_of"]
