"""What a run says of itself and of its numbers, for a comparison with a paper's."""

from __future__ import annotations

from lensbench.metrics import metric_of
from lensbench.numbers.cell import Cell
from lensbench.papers import CellFacts, RunFacts
from lensbench.records.fit_card import FitCard
from lensbench.reporting.run_view import RunView

__all__ = ["cell_facts", "run_facts"]


def run_facts(run: RunView) -> RunFacts:
    """What is true of a whole run."""
    return RunFacts(run.results.backbone, run.results.backbone_origin, run.targets, run.machines)


def cell_facts(run: RunView, cell: Cell) -> CellFacts:
    """One number with its provenance."""
    task, variant = run.results.task_of(cell), run.results.variants[cell.variant]
    return CellFacts(
        run_facts(run),
        run.method(cell.variant),
        bool(variant.method),
        cell.task,
        cell.language,
        metric_of(cell),
        run.profile_of(cell),
        cell.source,
        cell.value,
        cell.low,
        cell.high,
        n=cell.n,
        planned=cell.planned,
        failures=cell.failures or 0,
        rows=task.origin,
        substitute=task.substitute,
        wording=task.wording,
        cut=task.max_new_tokens,
        config=run.config(cell.variant),
        learned_from=run.cards.get(cell.variant, FitCard()).data,
        remark=variant.note,
    )
