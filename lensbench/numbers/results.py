"""The content of `results.json`: computed from the records of a run, or read if the stored content is still valid."""

from __future__ import annotations

from lensbench.errors import RunError
from lensbench.jsonio import JsonObject
from lensbench.numbers.answered import answered_by_task
from lensbench.numbers.degenerate import degenerate_counts
from lensbench.numbers.judging_notes import judging_notes
from lensbench.numbers.off_target import off_target_counts
from lensbench.numbers.picking.reported import reported_part
from lensbench.numbers.results_check import is_current, record_counts
from lensbench.numbers.summarise import Summary, summary
from lensbench.numbers.verdict import with_verdict
from lensbench.records import RunFolder
from lensbench.records.missing import missing_records
from lensbench.version import __version__

__all__ = ["collect_results", "current_results", "results_of", "stored_results"]

_HEAD = ("backbone", "backbone_origin", "dtype", "device", "variants", "failed", "tasks", "gaps")


def collect_results(folder: RunFolder) -> JsonObject:
    """The content of `results.json`, from the current records.

    Raises:
        RunError: a record lacks what this version needs.
    """
    about = folder.read_json("variants.json")
    try:
        return results_of(folder, about, summary(folder))
    except KeyError as error:
        raise RunError(
            f"{folder.path}: its records lack {error}, which this version needs; an older version wrote them",
            f"Report it with the version that wrote it ({about['lensbench']}), or repeat the run.",
        ) from None


def results_of(folder: RunFolder, about: JsonObject, numbers: Summary) -> JsonObject:
    """The content of `results.json` around the numbers of a run.

    Args:
        about: Content of `variants.json`.
    """
    head = {key: about[key] for key in _HEAD if key in about}
    # Numbers that came without items (lensbench/interop/lm_eval/import_run.py) cannot be made again.
    given = folder.read_json("given_cells.json") if folder.has("given_cells.json") else ()
    shown = reported_part(folder)
    return {
        "lensbench": __version__,
        **head,
        **({"gaps": [*head.get("gaps", ()), *numbers.gaps]} if numbers.gaps else {}),
        "cells": [*(cell.as_dict() for cell in numbers.cells), *(with_verdict(cell) for cell in given)],
        "averages": [entry.as_dict() for entry in numbers.averages],
        "pairs": [pair.as_dict() for pair in numbers.pairs],
        "seed_groups": [entry.as_dict() for entry in numbers.seed_groups],
        "margins": dict(numbers.margins),
        **({"pick": numbers.picked.as_dict()} if numbers.picked is not None else {}),
        "unnamed": numbers.unnamed,
        "matrices": [matrix.as_dict() for matrix in answered_by_task(shown)],
        "off_target": [counts.as_dict() for counts in off_target_counts(shown)],
        "degenerate": [counts.as_dict() for counts in degenerate_counts(shown)],
        "judging": [note.as_dict() for note in judging_notes(shown)],
        "costs": _costs(folder, about),
        "overlap": folder.read_json("overlap.json") if folder.has("overlap.json") else [],
        "made_from": record_counts(folder),
        "missing": [entry.as_dict() for entry in missing_records(folder, about)],
        "damaged": [damage.as_dict() for damage in folder.damage],
    }


def current_results(folder: RunFolder) -> JsonObject:
    """Results as the records are now.

    The bootstrap takes most of the time of making them. So the stored ones serve where they are as they were written and were
    made from these very records.

    Raises:
        RunError: they cannot be made, and none are stored that could serve.
    """
    stored = _usable(folder)
    if stored is not None and is_current(folder, stored):
        return _with_verdicts(stored)
    if not folder.has("variants.json") and folder.has("results.json"):
        # Nothing can be made again, so the numbers of whatever version serve.
        stored = stored_results(folder) if stored is None else stored
        unchecked = "a check of these numbers: the folder was sent without what they were made from"
        return _with_verdicts({**stored, "gaps": [*stored.get("gaps", ()), unchecked]})
    try:
        return collect_results(folder)
    except RunError as error:
        if stored is None:
            raise
        unchecked = f"a check of these numbers: the records could not be read by this version ({error.message})"
        return _with_verdicts({**stored, "gaps": [*stored.get("gaps", ()), unchecked]})


def stored_results(folder: RunFolder) -> JsonObject:
    """`results.json` as it is stored, unchecked, with the verdicts that an older version did not write.

    Raises:
        RunError: there is none, or it cannot be read.
    """
    found: JsonObject = folder.read_json("results.json")
    return _with_verdicts(found)


def _with_verdicts(results: JsonObject) -> JsonObject:
    """The one place where the verdicts of an older run are worked out."""
    listed = {name: results[name] for name in ("cells", "averages") if name in results}
    return {**results, **{name: [with_verdict(cell) for cell in cells] for name, cells in listed.items()}}


def _usable(folder: RunFolder) -> JsonObject | None:
    """`results.json`, where it can serve; one that is damaged is made again."""
    if not folder.has("results.json"):
        return None
    try:
        found: JsonObject = folder.read_json("results.json")
    except RunError:
        return None
    return found if _readable(found) else None


def _readable(results: JsonObject) -> bool:
    """Whether stored results are of a version that has all the fields a report shows."""
    needed = {"unit", "source", "states", "planned", "picks", "signature", "p_value"}
    return (
        "margins" in results
        and "seed_groups" in results
        and all(needed <= cell.keys() for cell in results.get("cells", [{}]))
        and all("substitute" in about for about in results.get("tasks", {"": {}}).values())
    )


def _costs(folder: RunFolder, about: JsonObject) -> JsonObject:
    """Cost of each enhanced variant's fit, from its card; of a fit of an earlier run, with the place where that is."""
    cards = {name: folder.card(name) for name in about["variants"]}
    found = {name: card for name, card in cards.items() if card is not None and "cost" in card}
    origins = {name: {"reused_from": card["reused_from"]} for name, card in found.items() if card.get("reused_from")}
    return {name: {**card["cost"], **origins.get(name, {})} for name, card in found.items()}
