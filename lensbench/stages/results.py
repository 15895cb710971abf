"""All views of a run, written again from its records: results.json, lm-eval's files, report.md, report.html."""

from __future__ import annotations

from lensbench.interop.lm_eval.write_files import write_lm_eval_files
from lensbench.jsonio import JsonObject
from lensbench.numbers.cell import Cell
from lensbench.numbers.picking.reported import reported_part
from lensbench.numbers.results import results_of
from lensbench.numbers.results_check import CHECK_FILE, check_of
from lensbench.numbers.run_results import read_results
from lensbench.numbers.summarise import summary
from lensbench.records import RunFolder
from lensbench.records.missing import note_counts
from lensbench.reporting import write_report
from lensbench.reporting.html import write_html_report
from lensbench.reporting.run_view import RunView

__all__ = ["store_results", "write_results"]


def write_results(folder: RunFolder) -> list[Cell]:
    """Write all of it; needs no model."""
    about = folder.read_json("variants.json")
    numbers = summary(folder)
    note_counts(folder)
    store_results(folder, results_of(folder, about, numbers))
    # What is written for readers is of the items that the numbers are of.
    shown = reported_part(folder)
    write_lm_eval_files(shown, about, numbers.cells)
    view = RunView(shown, read_results(folder.read_json("results.json")))
    write_report(view)
    write_html_report([view], folder.path / "report.html")
    return numbers.cells


def store_results(folder: RunFolder, content: JsonObject) -> None:
    """Write `results.json` and the digests of its input files."""
    folder.write_json("results.json", content)
    folder.write_json(CHECK_FILE, check_of(folder, content))
