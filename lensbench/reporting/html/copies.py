"""The table of the first screen as text to paste: Markdown, LaTeX and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lensbench.numbers.average import Average
from lensbench.reporting.answer import Answer, Measure
from lensbench.reporting.html.shown_average import MISSING, RETENTION
from lensbench.reporting.run_view import RunView
from lensbench.reporting.tables.escape import csv_text, latex, markdown
from lensbench.reporting.text.cost import cost_brief

__all__ = ["Copies", "copies_of"]

_LATEX_MARKS = {
    "better": r"\ensuremath{\uparrow}",
    "worse": r"\ensuremath{\downarrow}",
    "not distinguishable": r"\ensuremath{\approx}",
    "differs": r"\ensuremath{\neq}",
}
_MARKS = {"better": "▲ ", "worse": "▼ ", "not distinguishable": "≈ ", "differs": "≠ "}


@dataclass(frozen=True)
class Copies:
    """The same table three times."""

    markdown: str
    latex: str
    csv: str


def copies_of(run: RunView, answer: Answer) -> Copies:
    """Differences to the base with 95% intervals, one row for each variant."""
    columns = [(m, False) for m in answer.measures if m.targets] + [(m, True) for m in answer.measures if m.english]
    costs = {variant: cost_brief(run.results.costs.get(variant)) for variant in answer.variants}
    return Copies(_markdown(columns, costs), _latex(columns, costs), _csv(columns, costs))


_Columns = Sequence[tuple[Measure, bool]]
"""Each measure, and whether the column is its English."""
_Costs = dict[str, tuple[str, str]]


def _average(measure: Measure, english: bool, variant: str) -> Average | None:
    return (measure.english if english else measure.targets).get(variant)


def _title(measure: Measure, english: bool) -> str:
    where = "English" if english else "targets"
    unit = measure.metric.unit.difference.strip()
    return f"{where}, {measure.short}{f' ({unit})' if unit else ''}"


def _cell(measure: Measure, english: bool, average: Average | None, marks: dict[str, str], escape: Callable[[str], str]) -> str:
    if average is None or average.value is None:
        return MISSING
    if average.delta is None:
        return escape(measure.metric.unit.text(average.value)) + " (value)"
    if english:
        word = RETENTION.get(average.retention or "", "")
        worst = "no interval" if average.at_worst is None else f"at worst {measure.difference(average.at_worst)}"
        return escape(f"{measure.difference(average.delta)} ({worst}{f', {word}' if word else ''})")
    mark = marks.get(average.verdict or "", "")
    return f"{mark}{escape(f'{measure.difference(average.delta)} {measure.interval(average)}')}"


def _markdown(columns: _Columns, costs: _Costs) -> str:
    lines = [["variant", *(markdown(_title(m, english)) for m, english in columns), "fit"]]
    lines.append(["---"] * len(lines[0]))
    for variant, cost in costs.items():
        shown = [_cell(m, english, _average(m, english, variant), _MARKS, markdown) for m, english in columns]
        lines.append([markdown(variant), *shown, markdown(", ".join(filter(None, cost)))])
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def _latex(columns: _Columns, costs: _Costs) -> str:
    marks = {verdict: f"{mark}\\," for verdict, mark in _LATEX_MARKS.items()}
    lines = [
        r"% Needs \usepackage{booktabs}. Differences to base with 95% intervals; arrows are verdicts (Holm, p < 0.05).",
        rf"\begin{{tabular}}{{@{{}}l{'r' * len(columns)}l@{{}}}}",
        r"\toprule",
        " & ".join(["variant", *(latex(_title(m, english)) for m, english in columns), "fit"]) + r" \\",
        r"\midrule",
    ]
    for variant, cost in costs.items():
        shown = [_cell(m, english, _average(m, english, variant), marks, _math) for m, english in columns]
        lines.append(" & ".join([latex(variant), *shown, latex(", ".join(filter(None, cost)))]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _math(text: str) -> str:
    """With a minus sign in place of the hyphen."""
    return latex(text).replace("-", r"\ensuremath{-}")


def _csv(columns: _Columns, costs: _Costs) -> str:
    """One line for each number, so that a program can read it."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["variant", "of", "metric", "profile", "value", "difference", "low", "high", "p_holm", "verdict", "at_worst", "english"]
    )
    for variant in costs:
        for measure, english in columns:
            average = _average(measure, english, variant)
            if average is None:
                continue
            scale = measure.metric.unit.scale
            numbers = [average.value, average.delta, average.delta_low, average.delta_high]
            value, delta, low, high = (_scaled(number, scale) for number in numbers)
            writer.writerow(
                [
                    csv_text(variant),
                    "English" if english else "targets",
                    csv_text(measure.name),
                    csv_text(measure.profile),
                    *(value, delta, low, high),
                    "" if average.p_holm is None else f"{average.p_holm:.6g}",
                    average.verdict or "",
                    _scaled(average.at_worst, scale),
                    RETENTION.get(average.retention or "", ""),
                ]
            )
    return stream.getvalue()


def _scaled(value: float | None, scale: float) -> str:
    return "" if value is None else f"{scale * value:.6g}"
