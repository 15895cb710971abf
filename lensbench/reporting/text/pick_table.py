"""The candidates of a choice as a table: development and test side by side, and what English lost."""

from __future__ import annotations

from lensbench.metrics.unit import Unit
from lensbench.numbers.picking.picked import Candidate, EnglishNumbers, SideNumbers
from lensbench.numbers.run_results import Results
from lensbench.reporting.answer.picked import pick_unit, short_metric
from lensbench.spec import BASE
from lensbench.textblocks import TextTable

__all__ = ["CHOSEN", "pick_table"]

CHOSEN = "chosen"
_REFUSED = {
    "not measured": "not measured",
    "english not measured": "English not measured",
    "english below the margin": "loses too much English",
}


def pick_table(results: Results) -> TextTable | None:
    """One row for each setting that could be chosen; None of a run that chose nothing."""
    picked = results.picked
    if picked is None or not picked.candidates:
        return None
    unit, english = pick_unit(picked), bool(picked.english_cells)
    groups = [("development", 2), ("test", 2)]
    header = ["setting", "diff", "95%", "diff", "95%"]
    if english:
        groups.append(("English, development", 2))
        groups.append(("English, test", 1))
        header += ["diff", "95%", "diff"]
    groups.append(("", 1))
    header.append("choice")
    rows = [_row(one, unit, english=english) for one in picked.candidates]
    title = f"Settings that could be chosen: {short_metric(picked)} over the targets, difference to {BASE}"
    return TextTable(header, rows, title, keys=1, groups=tuple(groups), right=frozenset({"diff"}))


def _row(one: Candidate, unit: Unit, *, english: bool) -> list[str]:
    row = [one.setting, *_numbers(one.development, unit), *_numbers(one.test, unit)]
    if english:
        row += [*_numbers(one.english_development, unit), _numbers(one.english_test, unit)[0]]
    return [*row, CHOSEN if one.chosen else _REFUSED.get(one.admission, "")]


def _numbers(side: SideNumbers | EnglishNumbers, unit: Unit) -> list[str]:
    if side.delta is None:
        return ["", ""]
    known = side.delta_low is not None and side.delta_high is not None
    ends = f"[{unit.text(side.delta_low or 0.0, sign=True)}, {unit.text(side.delta_high or 0.0, sign=True)}]" if known else ""
    return [unit.text(side.delta, sign=True), ends]
