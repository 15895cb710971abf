"""Which language an answer is in, and whether it is the one that was asked for."""

from lensbench.grading.fidelity.cells import SPECIAL, answered_cell, line_cells
from lensbench.grading.fidelity.code import strip_code
from lensbench.grading.fidelity.find import load_identifier
from lensbench.grading.fidelity.floor import FLOOR, UNSURE, is_trusted
from lensbench.grading.fidelity.identifier import Identified, Identifier
from lensbench.grading.fidelity.labels import is_lenient, is_strict, is_unknown, language_of_label
from lensbench.grading.fidelity.matrix import Change, Matrix, build_matrices, change
from lensbench.grading.fidelity.units import (
    ONLY_CODE,
    identify_without_code,
    join_turns,
    question_units,
    strip_code_units,
    unsure_units,
)

__all__ = [
    "FLOOR",
    "ONLY_CODE",
    "SPECIAL",
    "UNSURE",
    "Change",
    "Identified",
    "Identifier",
    "Matrix",
    "answered_cell",
    "build_matrices",
    "change",
    "identify_without_code",
    "is_lenient",
    "is_strict",
    "is_trusted",
    "is_unknown",
    "join_turns",
    "language_of_label",
    "line_cells",
    "load_identifier",
    "question_units",
    "strip_code",
    "strip_code_units",
    "unsure_units",
]
