"""The floor of an identifier: the probability below which its top label is not believed, and counts as none."""

from __future__ import annotations

import re

from lensbench.errors import UsageError

__all__ = ["FLOOR", "UNSURE", "is_trusted", "split_floor"]

FLOOR = 0.2
"""Floor of lid.176 by the rule of bench/identifiers.py: the lowest step of 0.05 at which at least 90% of the labels that are as
probable or more are right, in every kind of text measured (docs/fidelity.md). Most labels below it are wrong. No text is at hand
for GlotLID and for the files of users, whose default it is."""
UNSURE = "unknown"
"""Stands where a label would, for a label below the floor; no identifier has such a label."""
_FLOOR = re.compile(r"(?P<name>.+)@(?P<floor>[0-9.]+)", re.DOTALL)


def is_trusted(probability: float | None, floor: float) -> bool:
    """Whether a label of this probability counts. A text without a label has no probability, and that is certain."""
    return probability is None or probability >= floor


def split_floor(name: str) -> tuple[str, float]:
    """An identifier's name or path, and its floor: `lid176@0.5` has the floor 0.5, `lid176` the default.

    Raises:
        UsageError: the floor is no probability.
    """
    found = _FLOOR.fullmatch(name)
    if found is None:
        return name, FLOOR
    try:
        floor = float(found["floor"])
    except ValueError:
        floor = -1.0
    if not 0 <= floor < 1:
        raise UsageError(
            f"the identifier '{name}' has the floor {found['floor']}, which is no probability below 1",
            f"Example: {found['name']}@{FLOOR:g}. Labels of a lower probability count as unknown; 0 trusts every label.",
        )
    return found["name"], floor
