"""What happened to an item under a variant, as bits of one byte."""

from __future__ import annotations

from lensbench.reporting.html.item_cell import ItemCell

__all__ = ["ASKED", "BROKEN", "FIXED", "FLIPPED", "OFF_TARGET", "REPETITIVE", "RIGHT", "UNSCORED", "outcome"]

ASKED, RIGHT, UNSCORED, OFF_TARGET, FIXED, BROKEN, FLIPPED, REPETITIVE = (1 << bit for bit in range(8))


def outcome(cell: ItemCell | None, base: ItemCell | None) -> int:
    """The bits of one item under one variant.

    `RIGHT`: the item is answered rightly; for an open question, every turn in the asked language. `FIXED`: right here and not
    under `base`; `BROKEN`: the other way round; `FLIPPED`: another option, or another language, than under `base`, rightly or
    not. An item without a score on either side is none of the three. `REPETITIVE`: an answer mostly repeats itself; it fixes
    nothing, whatever its language.

    Args:
        cell: None where the variant was not asked.
        base: The same of the untouched backbone; None for the backbone itself.
    """
    if cell is None:
        return 0
    bits = ASKED
    bits |= RIGHT * bool(cell.right) | UNSCORED * bool(cell.unscored) | OFF_TARGET * bool(cell.off_target)
    bits |= REPETITIVE * cell.repetitive
    if base is None:
        return bits
    if cell.right is not None and base.right is not None:
        bits |= FIXED * (cell.right and not base.right and not cell.repetitive) | BROKEN * (base.right and not cell.right)
    if cell.gave is not None and base.gave is not None and cell.gave != base.gave:
        bits |= FLIPPED
    return bits
