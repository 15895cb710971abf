"""Units: scale, rounding and label of a shown number."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["NUMBER", "POINTS", "SHARE", "UNITS", "Unit"]


@dataclass(frozen=True)
class Unit:
    """The unit of a metric.

    Attributes:
        name: As `results.json` has it.
        scale: A value times this is what is shown.
        digits: Decimals in text, where no table's definition says otherwise.
        lowest, highest: Bounds of a value, before scaling; infinite where there are none.
        proportion: Whether it is a share from 0 to 1. The mean of 0s and 1s then has a Wilson interval.
        printed: What the numbers of a table are in, for its CSV.
        legend: The same as a clause of a caption; "" for nothing to say.
        difference: What follows a difference in a sentence, such as " points".
        suffix: What follows the name of a metric along an axis, such as " (%)".
        axis: Name of an axis that several metrics of this unit share.
        tick: Format of a scaled value along an axis.
        interval: How intervals of means are made, for captions.
    """

    name: str
    scale: float
    digits: int
    lowest: float
    highest: float
    proportion: bool
    printed: str
    legend: str
    difference: str
    suffix: str
    axis: str
    tick: str
    interval: str

    def text(self, value: float, *, sign: bool = False) -> str:
        """A value as text; a difference has its sign."""
        text = f"{self.scale * value:{'+' if sign else ''}.{self.digits}f}"
        # What rounds to nothing has no direction: "-0.0" would have one.
        return text if text.strip("+-0.") else text.replace("-", "+" if sign else "")

    def tick_text(self, value: float) -> str:
        """A value beside an axis."""
        return self.tick.format(self.scale * value)


SHARE = Unit(
    name="share",
    scale=100.0,
    digits=1,
    lowest=0.0,
    highest=1.0,
    proportion=True,
    printed="percent",
    legend="shares are in percent",
    difference=" points",
    suffix=" (%)",
    axis="score (%)",
    tick="{:.0f}%",
    interval="Wilson for shares of items, bootstrap where one source item has several",
)
"""Share from 0 to 1, shown in percent."""

POINTS = Unit(
    name="rating",
    scale=1.0,
    digits=2,
    lowest=0.0,
    highest=10.0,
    proportion=False,
    printed="points of the judge's scale",
    legend="ratings in points of the judge's scale",
    difference="",
    suffix="",
    axis="judge's rating",
    tick="{:.3g}",
    interval="bootstrap over questions for ratings",
)
"""On the judge's scale. Axes end at 10, where the scales of the judges end that papers use."""

NUMBER = Unit(
    name="number",
    scale=1.0,
    digits=3,
    lowest=-math.inf,
    highest=math.inf,
    proportion=False,
    printed="as the metric has it",
    legend="",
    difference="",
    suffix="",
    axis="score",
    tick="{:.3g}",
    interval="bootstrap over source items",
)
"""Any other number, shown as it is: its values do not tell its unit. A toxicity of 0.3 is a share of nothing."""

UNITS = {unit.name: unit for unit in (SHARE, POINTS, NUMBER)}
"""Units by name."""
