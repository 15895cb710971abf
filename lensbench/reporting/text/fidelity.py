"""Language fidelity in all its units, the counts beside it, and the language of one answer."""

from __future__ import annotations

from collections.abc import Sequence

from lensbench.grading.fidelity.cells import UNKNOWN
from lensbench.metrics import READINGS, split_fidelity_name
from lensbench.numbers.cell import Cell
from lensbench.numbers.degenerate import DegenerateAnswers
from lensbench.numbers.off_target import OffTarget
from lensbench.records import IdentifiedTurn

__all__ = ["counts_table", "fidelity_table", "identified_text"]


def fidelity_table(cells: Sequence[Cell]) -> tuple[list[str], list[list[str]]]:
    """Header and rows, in percent; a row for every way of reading a label.

    Args:
        cells: Of one identifier.
    """
    units: dict[str, None] = {}
    rows: dict[tuple[str, str, str, str], dict[str, Cell]] = {}
    for cell in cells:
        found = split_fidelity_name(cell.metric)
        if found is None:
            continue
        unit, reading = found
        units[unit] = None
        rows.setdefault((cell.task, cell.language, cell.variant, READINGS[reading]), {})[unit] = cell
    shown = []
    for key, row in rows.items():
        values = ["" if u not in row or (value := row[u].value) is None else f"{100 * value:.1f}" for u in units]
        first = next(iter(row.values()))
        shown.append([*key, *values, str(first.n), str(first.states.get("empty", 0))])
    return ["task", "lang", "variant", "labels", *(unit.replace("_", " ") for unit in units), "n", "empty"], shown


_COUNTED = ("answers", "in the language", "of these repetitive", "in another", "of these in the script", "unknown", "empty")


def counts_table(off_target: Sequence[OffTarget], degenerate: Sequence[DegenerateAnswers]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the counts beside the fidelity of one identifier; a row for every task, language and variant.

    A language in the script of English has a dash for the script, because the script distinguishes nothing there.
    """
    beside = {(one.task, one.language, one.variant): one for one in degenerate}
    rows = []
    for one in off_target:
        in_script = one.off_target_in_script if one.script_distinguishes else None
        shown = [one.answers, one.on_target, one.on_target_degenerate, one.off_target, in_script, one.unknown, one.empty]
        all_of = beside.get((one.task, one.language, one.variant))
        shown += [all_of.degenerate, all_of.cut] if all_of else [None, None]
        rows.append([one.task, one.language, one.variant, *("–" if count is None else str(count) for count in shown)])
    return ["task", "lang", "variant", *_COUNTED, "repetitive", "cut by length"], rows


def identified_text(turn: IdentifiedTurn | None) -> str:
    """The language of an answer with its probability: `zh (0.97)`, or `unknown (en at 0.12)` below the identifier's floor."""
    if turn is None or turn.label is None:
        return "empty"
    if turn.probability is None:
        return turn.label
    if turn.cell == UNKNOWN:
        return f"{UNKNOWN} ({turn.label} at {turn.probability:.2f})"
    return f"{turn.label} ({turn.probability:.2f})"
