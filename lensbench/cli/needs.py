"""What a run reads from the hub, as a table for `run --dry-run` and `fetch`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from lensbench.cli.flags import with_flags
from lensbench.cli.terminal import echo
from lensbench.hub import size_text

if TYPE_CHECKING:
    from lensbench.plan.fetch import Need

__all__ = ["needs_as_json", "say_not_pinned", "show_needs"]


def show_needs(needs: Sequence[Need], here: str = "here") -> None:
    """One line for each: what, where, its size, and how much of it is here, or was."""
    from lensbench.cli.render import print_table

    if not needs:
        return
    rows = [
        (
            need.what,
            f"{need.place}@{need.commit[:12]}" if need.commit else need.place,
            "" if need.bytes is None else size_text(need.bytes),
            (need.fault or "missing") if need.problem else _here(need),
        )
        for need in needs
    ]
    print_table(("read from the hub", "where", "size", here), rows)
    # Every problem that a run would meet; of a hub that is out of reach, which is one problem, the first.
    told = dict.fromkeys(need.problem or "" for need in needs if need.sure)
    passing = [need for need in needs if need.problem and not need.sure]
    if passing:
        told[passing[0].problem or ""] = None
    for problem in told:
        echo(with_flags(problem))
    if len(passing) > 1:
        echo(f"and {len(passing) - 1} more for the same reason or not asked: see the table")


def needs_as_json(needs: Sequence[Need]) -> list[dict[str, Any]]:
    """The same as JSON, with problems as the command line words them."""
    told = [need.as_dict() for need in needs]
    return [{**entry, "problem": entry["problem"] and with_flags(entry["problem"])} for entry in told]


def _here(need: Need) -> str:
    if need.bytes is None or need.here == need.bytes:
        return "yes"
    return "no" if not need.here else f"{size_text(need.here)} of it"


def say_not_pinned(needs: Sequence[Need]) -> None:
    """Which of them have no commit in their definition."""
    loose = sorted({need.place for need in needs if not need.pinned and need.problem is None})
    if loose:
        echo(
            f"not pinned by their definitions: {', '.join(loose)}. The newest commit is read; a run writes it "
            "down (run.json, results.json) and goes on with it. Another run may read another one."
        )
