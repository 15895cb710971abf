"""Run folders as the tables read them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lensbench.errors import RunError, UsageError
from lensbench.numbers.results import current_results, stored_results
from lensbench.records import RunFolder
from lensbench.reporting.html import name_runs
from lensbench.reporting.tables.runs import TableRun

__all__ = ["table_runs"]


def table_runs(paths: Sequence[Path]) -> list[TableRun]:
    """Runs, as far as they got.

    Raises:
        UsageError: no run at a path, the same folder twice, or a run that has nothing to show yet.
        RunError: its files cannot be read.
    """
    resolved = [path.resolve() for path in paths]
    twice = next((path for number, path in enumerate(paths) if resolved[number] in resolved[:number]), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice", "Name every run once.")
    return [_table_run(path, label) for path, label in zip(paths, name_runs(paths), strict=True)]


def _table_run(path: Path, label: str) -> TableRun:
    folder = RunFolder.existing(path, lenient=True)
    if not folder.has("results.json") and not folder.has("variants.json"):
        raise UsageError(f"{path} has no numbers yet: it has not begun to score", "Give its command again to go on.")
    # A folder that was sent without its records has what it has, be it of an older version.
    results = current_results(folder) if folder.has("variants.json") else stored_results(folder)
    lacking = [key for key in ("backbone", "cells", "tasks", "variants") if key not in results]
    if lacking:
        raise RunError(
            f"{path}/results.json has no {', '.join(lacking)}; another version wrote it",
            "Repeat the run, or show it with that version.",
        )
    about = folder.read_json("run.json")
    if not isinstance(about, dict):
        raise RunError(f"{path}/run.json: an object was expected", "Take it from a copy of the run.")
    spec = about.get("spec", {})
    languages = spec.get("languages", ()) if isinstance(spec, dict) else None
    if not isinstance(languages, list | tuple) or not all(isinstance(code, str) for code in languages):
        raise RunError(f"{path}/run.json: its spec names no languages", "Take it from a copy of the run.")
    cards = {name: card for name in results["variants"] if (card := folder.card(name)) is not None}
    return TableRun(
        str(path),
        label,
        results,
        spec,
        folder.read_json("provenance.json").get("starts", []) if folder.has("provenance.json") else [],
        cards,
    )
