"""Everything shown of a run, made again from its records: results.json, lm-eval's files, report.md, report.html."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lensbench.errors import RunError
from lensbench.interop.lm_eval.write_files import write_lm_eval_files
from lensbench.jsonio import JsonObject, json_text
from lensbench.numbers.judging_notes import beside_ratings
from lensbench.numbers.summarise import Cell, Summary, summary
from lensbench.records import RunFolder
from lensbench.records.missing import missing_records, note_counts
from lensbench.records.run_folder import STAGES
from lensbench.reporting import write_report
from lensbench.reporting.html import ReportRun, write_html_report
from lensbench.stages.identify import answered_by_task
from lensbench.version import __version__

__all__ = ["collect_results", "is_current", "record_counts", "store_results", "write_results"]

_CHECK = "results.check.json"
_INPUTS = ("run.json", "variants.json", "provenance.json", "given_cells.json", "overlap.json", "counts.json")
_HEAD = ("backbone", "backbone_origin", "dtype", "device", "variants", "failed", "tasks", "gaps")


def collect_results(folder: RunFolder) -> JsonObject:
    """The content of `results.json`, from the records as they are now.

    Raises:
        RunError: a record lacks what this version needs.
    """
    about = folder.read_json("variants.json")
    try:
        return _content(folder, about, summary(folder))
    except KeyError as error:
        raise RunError(
            f"{folder.path}: its records lack {error}, which this version needs; an older version wrote them",
            f"Report it with the version that wrote it ({about['lensbench']}), or repeat the run.",
        ) from None


def write_results(folder: RunFolder) -> list[Cell]:
    """Write all of it; needs no model."""
    about = folder.read_json("variants.json")
    numbers = summary(folder)
    note_counts(folder)
    store_results(folder, _content(folder, about, numbers))
    write_lm_eval_files(folder, about, numbers.cells)
    write_report(folder)
    write_html_report([ReportRun(folder, folder.read_json("results.json"))], folder.path / "report.html")
    return numbers.cells


def _content(folder: RunFolder, about: JsonObject, numbers: Summary) -> JsonObject:
    head = {key: about[key] for key in _HEAD if key in about}
    content = {
        "lensbench": __version__,
        **head,
        # Numbers that came without items (see lensbench/interop/lm_eval/import_run.py) cannot be made again.
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
        "made_from": record_counts(folder),
        "missing": [entry.as_dict() for entry in missing_records(folder, about)],
        "damaged": [damage.as_dict() for damage in folder.damage],
    }
    return content


def store_results(folder: RunFolder, content: JsonObject) -> None:
    """Write `results.json`, and beside it what it was made from; apart, since that holds times of the clock."""
    folder.write_json("results.json", content)
    folder.write_json(_CHECK, {"results": _digest_of(content), "made_from": _digests(folder)})


def is_current(folder: RunFolder, stored: JsonObject) -> bool:
    """Whether stored results are as they were written, and were made from the files that the folder has now.

    By content: times do not survive a copy, and a line that was changed leaves their number as it is.
    """
    if not folder.has(_CHECK):
        return False
    told = folder.read_json(_CHECK)
    return isinstance(told, dict) and told == {"results": _digest_of(stored), "made_from": _digests(folder)}


def _digest_of(content: JsonObject) -> str:
    # As it is once it has been written and read again: tuples become lists there, and keys become text.
    text = json_text(content, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _digests(folder: RunFolder) -> dict[str, str]:
    """SHA-256 of every file that results are made from."""
    names = [*(f"items/{stage}.jsonl" for stage in STAGES), *_INPUTS]
    names += sorted(f"enhancements/{path.parent.name}/card.json" for path in folder.path.glob("enhancements/*/card.json"))
    return {name: _sha256(folder.path / name) for name in names if (folder.path / name).is_file()}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def record_counts(folder: RunFolder) -> dict[str, int]:
    """Lines of every item file."""
    return {path.name: _lines(path) for path in sorted((folder.path / "items").glob("*.jsonl")) if path.is_file()}


def _lines(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b""))


def _costs(folder: RunFolder, about: JsonObject) -> JsonObject:
    """What each enhanced variant's fit took, from its card."""
    cards = {name: folder.card(name) for name in about["variants"]}
    return {name: card["cost"] for name, card in cards.items() if card is not None and "cost" in card}
