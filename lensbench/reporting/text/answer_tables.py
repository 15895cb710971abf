"""The tables under the answer of a run: a row a variant with its endpoints and English, and the languages of each endpoint."""

from __future__ import annotations

from lensbench.numbers.average import Average
from lensbench.numbers.pairs import Pair
from lensbench.reporting.answer.build import Answer
from lensbench.reporting.answer.measure import Measure
from lensbench.reporting.blocks import MARKS
from lensbench.spec import BASE
from lensbench.textblocks import TextTable

__all__ = ["endpoint_table", "kept", "language_tables", "marked"]


def kept(average: Average) -> str:
    """Whether English was kept: "shown", "not shown" or "worse"; "" where it is not asked, "unknown" if not known.

    It has no mark: marks are the verdicts on endpoints and their languages.
    """
    return "" if average.delta is None else average.retention or "unknown"


def marked(average: Average | Pair, text: str) -> str:
    """A difference with the mark of its verdict before it; without one where there is no verdict."""
    mark = MARKS.get(average.verdict or "", "")
    return f"{mark} {text}" if mark else text


def endpoint_table(answer: Answer) -> TextTable | None:
    """Differences to `base`: over the targets with interval and mark, and in English with its worst end.

    None where there is nothing to compare.
    """
    groups: list[tuple[str, int]] = []
    header = ["setting" if answer.rows.folded else "variant"]
    columns: list[dict[str, str]] = []
    for measure in answer.rows.measures:
        if any(average.delta is not None for average in measure.targets.values()):
            groups.append((measure.short, 1))
            header.append(measure.of_targets)
            columns.append({name: _target(measure, average) for name, average in measure.targets.items()})
    for measure in answer.rows.measures:
        if any(average.delta is not None for average in measure.english.values()):
            groups.append((f"English: {measure.short}", 3))
            header += ["difference", "at worst", "kept"]
            columns += _english(measure)
    if not columns:
        return None
    rows = [[variant, *(column.get(variant, "") for column in columns)] for variant in answer.rows.names]
    return TextTable(header, rows, f"Difference to {BASE}", keys=1, groups=tuple(groups), right=frozenset({"at worst"}))


def language_tables(answer: Answer, *, everything: bool = False) -> list[TextTable]:
    """Variant x language for each endpoint of several languages.

    Args:
        everything: Also endpoints on which no variant differs; their languages are not tested.
    """
    return [
        _languages(measure, answer.rows.names)
        for measure in answer.rows.measures
        if len(measure.languages) > 1 and (everything or any(map(_differs, measure.targets.values())))
    ]


def _differs(average: Average) -> bool:
    return average.verdict in ("better", "worse", "differs")


def _languages(measure: Measure, variants: tuple[str, ...]) -> TextTable:
    unit = measure.metric.unit.difference.strip()
    rows = []
    for variant in variants:
        row = [variant]
        for own in measure.languages.values():
            average = own.get(variant)
            known = average is not None and average.delta is not None
            row.append(marked(average, measure.difference(average.delta)) if known else "")  # type: ignore[union-attr, arg-type]
        rows.append(row)
    title = f"{measure.short} by language, difference to {BASE}" + (f" in {unit}" if unit else "")
    codes = list(measure.languages)
    return TextTable(["variant", *codes], rows, title, right=frozenset(codes), keys=1)


def _target(measure: Measure, average: Average) -> str:
    if average.delta is None:
        return ""
    return marked(average, f"{measure.difference(average.delta)} {measure.interval(average)}")


def _english(measure: Measure) -> list[dict[str, str]]:
    """Columns: difference, at worst, kept."""
    known = {name: average for name, average in measure.english.items() if average.delta is not None}
    return [
        {name: measure.difference(average.delta) for name, average in known.items() if average.delta is not None},
        {name: measure.difference(average.at_worst) for name, average in known.items() if average.at_worst is not None},
        {name: kept(average) for name, average in known.items()},
    ]
