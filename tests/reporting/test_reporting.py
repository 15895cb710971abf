"""Tables of text made from results: matrices with their change, fidelity in all units, costs."""

from __future__ import annotations

from lensbench.numbers.answered import AnsweredMatrix
from lensbench.numbers.cell import Cell
from lensbench.records.fit_card import FitCost
from lensbench.reporting.text.cost import COST_HEADER, cost_rows
from lensbench.reporting.text.fidelity import fidelity_table
from lensbench.reporting.text.matrix import matrix_table, with_base

COMMON = {"task": "multiq", "identifier": "lid176:x", "level": "answer", "turn": 1}
BASE = AnsweredMatrix.of(
    {
        **COMMON,
        "variant": "base",
        "asked": ["en", "zh"],
        "answered": ["en", "zh", "empty"],
        "totals": [4, 4],
        "counts": [[4, 0, 0], [2, 1, 1]],
    }
)
LENS = AnsweredMatrix.of(
    {**COMMON, "variant": "lens", "asked": ["en", "zh"], "answered": ["en", "zh"], "totals": [4, 4], "counts": [[4, 0], [0, 4]]}
)


def test_a_matrix_and_its_change() -> None:
    (own, none), (enhanced, base) = with_base([BASE, LENS])
    assert none is None and base is BASE
    assert matrix_table(own)[1:] == (
        ["asked", "en", "zh", "empty", "n"],
        [["en", "100", ".", ".", "4"], ["zh", "50", "25", "25", "4"]],
    )
    title, header, rows = matrix_table(enhanced, base)
    assert "change to base" in title and header == ["asked", "en", "zh", "empty", "n"]
    # 50 -> 0, 25 -> 100 and 25 -> 0 percent of four answers.
    assert rows == [["en", "100", ".", ".", "4"], ["zh", ". (-50)", "100 (+75)", ". (-25)", "4"]]


def test_fidelity_has_a_row_for_every_reading() -> None:
    def cell(metric: str, value: float | None) -> Cell:
        return Cell.of(
            {
                "task": "t",
                "profile": "p",
                "language": "zh",
                "variant": "base",
                "metric": metric,
                "value": value,
                "n": 8,
                "states": {"empty": 2},
            }
        )

    header, rows = fidelity_table([cell("lf_turn1", 0.5), cell("lf_turn1_lenient", 0.75), cell("lf_turn1_strip_code", None)])
    assert header == ["task", "lang", "variant", "labels", "turn1", "n", "empty"]
    assert [row[3:] for row in rows] == [
        ["strict", "50.0", "8", "2"],
        ["lenient", "75.0", "8", "2"],
        ["strict, without code", "", "8", "2"],
    ]


def test_costs_are_printed_as_the_paper_prints_them() -> None:
    cost = {
        "wall_seconds": 128.4,
        "trainable_share": 0.0543,
        "training_items": 800,
        "training_tokens": 12345,
        "steps": 100,
        "peak_bytes": 3 * 2**20,
        "floor_bytes": 2 * 2**20,
    }
    (row,) = cost_rows({"lens": FitCost.of(cost)})
    assert dict(zip(COST_HEADER, row, strict=True)) == {
        "variant": "lens",
        "time": "2m08s",
        "trained": "5.43%",
        "items": "800",
        "tokens": "12,345",
        "steps": "100",
        "peak memory": "3 MiB",
        "x floor": "1.50",
    }
    assert cost_rows({"x": FitCost.of({**cost, "wall_seconds": 41, "peak_bytes": None})})[0][1::5] == ["41s", "unknown"]
