"""What a run reads from the hub, as a table for `run --dry-run` and `fetch`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from lensbench.hub import size_text
from lensbench.printable import printable

if TYPE_CHECKING:
    from lensbench.pipeline.fetch import Need

__all__ = ["say_not_pinned", "show_needs"]


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
    told = set()
    for need in needs:
        if need.problem and need.problem not in told:
            told.add(need.problem)
            click.echo(
                printable(need.problem) if "\n" not in need.problem else "\n".join(map(printable, need.problem.split("\n")))
            )


def _here(need: Need) -> str:
    if need.bytes is None or need.here == need.bytes:
        return "yes"
    return "no" if not need.here else f"{size_text(need.here)} of it"


def say_not_pinned(needs: Sequence[Need]) -> None:
    """Which of them have no commit in their definition."""
    loose = sorted({need.place for need in needs if not need.pinned and need.problem is None})
    if loose:
        click.echo(
            f"not pinned by their definitions: {', '.join(map(printable, loose))}. The newest commit is read; a run writes it "
            "down (run.json, results.json) and goes on with it. Another run may read another one."
        )
