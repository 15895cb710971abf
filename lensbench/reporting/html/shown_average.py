"""One average as the page shows it: marks only for verdicts, signs for differences, and a link to its items."""

from __future__ import annotations

from dataclasses import dataclass

from lensbench.numbers.average import Average
from lensbench.reporting.answer import Measure
from lensbench.reporting.blocks import MARKS
from lensbench.reporting.html.forest import forest_dot
from lensbench.reporting.html.links import ItemLinks
from lensbench.spec import BASE

__all__ = ["MISSING", "RETENTION", "ShownAverage", "english_average", "level", "target_average"]

MISSING = "no score"
RETENTION = {"worse": "worse", "shown": "kept", "not shown": "not shown"}
"""Answer on English -> its word in a table."""


@dataclass(frozen=True)
class ShownAverage:
    """One number.

    Attributes:
        mark: ▲ ▼ ≈ ≠ of a verdict; "" where nothing was decided.
        word: The verdict in words, for those who do not see the mark.
        below: Interval, or what an English number says.
        tone: "better", "worse", "kept" or "".
    """

    text: str
    mark: str = ""
    word: str = ""
    below: str = ""
    tone: str = ""
    href: str = ""
    drawing: str = ""


def level(average: Average | None, measure: Measure, links: ItemLinks) -> ShownAverage:
    """The value itself."""
    if average is None or average.value is None:
        return ShownAverage(MISSING)
    return ShownAverage(measure.metric.unit.text(average.value), href=links.of(average.cells, average.variant))


def target_average(average: Average | None, measure: Measure, links: ItemLinks, span: float | None = None) -> ShownAverage:
    """An endpoint, or one of its languages.

    Args:
        span: For a drawing; None for none.
    """
    if average is None or average.value is None:
        return ShownAverage(MISSING)
    href = links.of(average.cells, average.variant)
    if average.delta is None:
        return ShownAverage(measure.metric.unit.text(average.value), below=f"value; not compared with {BASE}", href=href)
    verdict = average.verdict or ""
    mark = MARKS.get(verdict, "")
    tone = verdict if verdict in ("better", "worse") else ""
    return ShownAverage(
        measure.difference(average.delta),
        mark,
        verdict if mark else "",
        measure.interval(average),
        tone,
        href,
        "" if span is None else forest_dot(average, span, tone or "plain"),
    )


def english_average(average: Average | None, measure: Measure, links: ItemLinks, span: float | None = None) -> ShownAverage:
    """The same in English: no verdict, but the largest plausible loss and whether English was kept."""
    if average is None or average.value is None:
        return ShownAverage(MISSING)
    href = links.of(average.cells, average.variant)
    if average.delta is None:
        return ShownAverage(measure.metric.unit.text(average.value), below=f"value; not compared with {BASE}", href=href)
    word = RETENTION.get(average.retention or "", "")
    tone = {"worse": "worse", "kept": "kept"}.get(word, "")
    below = "no interval" if average.at_worst is None else f"at worst {measure.difference(average.at_worst)}"
    return ShownAverage(
        measure.difference(average.delta),
        word=word,
        below=below,
        tone=tone,
        href=href,
        drawing="" if span is None else forest_dot(average, span, tone or "plain"),
    )
