"""Everything shown of a run, made again from its records: results.json, lm-eval's files, report.md, report.html."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lensbench import __version__
from lensbench.pipeline.identify import answered_by_task
from lensbench.pipeline.judging_notes import beside_ratings
from lensbench.pipeline.summarise import Cell, Summary, summary
from lensbench.reporting import write_report
from lensbench.reporting.html import ReportRun, write_html_report
from lensbench.store import RunFolder
from lensbench.store.lm_eval_files import write_lm_eval_files

__all__ = ["collect_results", "record_counts", "write_results"]

_HEAD = ("backbone", "backbone_origin", "dtype", "device", "variants", "failed", "tasks", "gaps")


def collect_results(folder: RunFolder) -> dict[str, Any]:
    """The content of `results.json`, from the records as they are now."""
    return _content(folder, folder.read_json("variants.json"), summary(folder))


def write_results(folder: RunFolder) -> list[Cell]:
    """Write all of it; needs no model."""
    about = folder.read_json("variants.json")
    numbers = summary(folder)
    folder.write_json("results.json", _content(folder, about, numbers))
    write_lm_eval_files(folder, about, numbers.cells)
    write_report(folder)
    write_html_report([ReportRun(folder, folder.read_json("results.json"))], folder.path / "report.html")
    return numbers.cells


def _content(folder: RunFolder, about: dict[str, Any], numbers: Summary) -> dict[str, Any]:
    head = {key: about[key] for key in _HEAD if key in about}
    return {
        "lensbench": __version__,
        **head,
        # Numbers that came without items (see pipeline/import_lm_eval.py) cannot be made again.
        "cells": [
            *(cell.as_dict() for cell in numbers.cells),
            *(folder.read_json("given_cells.json") if folder.has("given_cells.json") else ()),
        ],
        "averages": [entry.as_dict() for entry in numbers.averages],
        "unnamed": numbers.unnamed,
        "matrices": answered_by_task(folder),
        "judging": beside_ratings(folder),
        "costs": _costs(folder, about),
        "overlap": folder.read_json("overlap.json") if folder.has("overlap.json") else [],
        # By their lengths, since files that are only appended to have grown when they hold more, and times do not survive a copy.
        "made_from": record_counts(folder),
        "damaged": [damage.as_dict() for damage in folder.damage],
    }


def record_counts(folder: RunFolder) -> dict[str, int]:
    """Lines of every item file."""
    return {path.name: _lines(path) for path in sorted((folder.path / "items").glob("*.jsonl"))}


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))


def _costs(folder: RunFolder, about: dict[str, Any]) -> dict[str, Any]:
    """What each enhanced variant's fit took, from its card."""
    cards = {name: folder.enhancement(name) / "card.json" for name in about["variants"]}
    read = {name: json.loads(card.read_text(encoding="utf-8")) for name, card in cards.items() if card.is_file()}
    return {name: card["cost"] for name, card in read.items() if "cost" in card}
