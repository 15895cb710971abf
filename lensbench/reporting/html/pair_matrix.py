"""The enhanced variants of a run against each other: one small matrix for each endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from lensbench.numbers.pairs import Pair
from lensbench.reporting.blocks import MARKS
from lensbench.reporting.run_view import RunView
from lensbench.reporting.text.cell_text import interval, metric_name, number, p_text

__all__ = ["PairCell", "PairMatrix", "pair_matrices"]

_TURNED = {"better": "worse", "worse": "better"}


@dataclass(frozen=True)
class PairCell:
    """The row's variant less the column's."""

    text: str
    interval: str
    p: str
    mark: str
    verdict: str


@dataclass(frozen=True)
class PairMatrix:
    """One endpoint.

    Attributes:
        rows: Variant -> a cell for every variant, in the same order; None for itself and where nothing was compared.
    """

    title: str
    variants: list[str]
    rows: dict[str, list[PairCell | None]]


def pair_matrices(run: RunView) -> list[PairMatrix]:
    """A matrix for each endpoint that at least two enhanced variants have."""
    groups: dict[tuple[str, str, str, tuple[str, ...]], list[Pair]] = {}
    for pair in run.results.pairs:
        groups.setdefault((pair.profile, pair.metric, pair.source, pair.cells), []).append(pair)
    found = []
    for (profile, metric, source, _), pairs in groups.items():
        several = len({key[0] for key in groups if key[1:3] == (metric, source)}) > 1
        known = {name for pair in pairs for name in (pair.variant, pair.other)}
        variants = [name for name in run.variants if name in known]
        cells = {(p.variant, p.other): _cell(p) for p in pairs} | {(p.other, p.variant): _cell(p, turned=True) for p in pairs}
        title = metric_name(pairs[0]) + (f", {profile}" if several else "")
        found.append(PairMatrix(title, variants, {one: [cells.get((one, other)) for other in variants] for one in variants}))
    return found


def _cell(pair: Pair, *, turned: bool = False) -> PairCell:
    verdict: str = pair.verdict or ""
    delta, low, high = pair.delta, pair.delta_low, pair.delta_high
    if turned:
        delta, low, high = -delta, None if high is None else -high, None if low is None else -low
        verdict = _TURNED.get(verdict, verdict)
    mark = MARKS.get(verdict, "")
    return PairCell(
        number(pair, delta, sign=True), interval(pair, low, high, sign=True), p_text(pair.p_holm), mark, verdict if mark else ""
    )
