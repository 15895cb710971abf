"""The one table of a run, as rows of text that the terminal and the report share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["Line", "notes", "table_lines"]

_SAME = 0.9
_FEW = 10
"""Fewer items than this say nothing about a habit."""

METRICS = {"acc": "accuracy", "lf_turn1": "answers in the asked language"}


@dataclass(frozen=True)
class Line:
    """One row: a task in a language under a variant."""

    task: str
    language: str
    profile: str
    metric: str
    variant: str
    value: str
    interval: str
    delta: str
    delta_interval: str
    n: str
    failures: str
    verdict: str
    """"better", "worse", "not distinguishable" or "" for the base."""


def table_lines(results: dict[str, Any]) -> list[Line]:
    """The table of a `results.json`."""
    lines = []
    for cell in results["cells"]:
        about = results["tasks"][f"{cell['task']}/{cell['language']}"]
        title = about["title"] + (f" ({about['substitute']})" if about["substitute"] else "")
        n = str(cell["n"]) if cell["n"] == cell["planned"] else f"{cell['n']} of {cell['planned']}"
        failures = str(cell["failures"])
        if cell["states"].get("empty"):
            failures += f" ({cell['states']['empty']} empty)"
        lines.append(
            Line(
                title,
                cell["language"],
                cell["profile"],
                METRICS.get(cell["metric"], cell["metric"]),
                cell["variant"],
                _percent(cell["value"]),
                _range(cell["low"], cell["high"]),
                _points(cell["delta"]),
                _range(cell["delta_low"], cell["delta_high"], sign=True),
                n,
                failures,
                _verdict(cell),
            )
        )
    return lines


def notes(results: dict[str, Any]) -> list[str]:
    """What must stand beside the table: where the rows come from, what is missing, what the numbers are."""
    found = []
    origins = {key: about["origin"] for key, about in results["tasks"].items() if about["origin"]}
    warnings = sorted({f"{o['name']}: {o['warning']}" for o in origins.values() if o["warning"]})
    found += [f"! {warning}" for warning in warnings]
    found += [f"! {key}: rows are {o['stand_in']}" for key, o in origins.items() if o["stand_in"]]
    found += [
        f"{key}: {o['rows']} rows of the {o['expected_rows']} the hub has"
        for key, o in origins.items()
        if o["expected_rows"] and o["rows"] != o["expected_rows"]
    ]
    found += [f"not available: {gap}" for gap in results["gaps"]]
    found += _one_sided(results)
    found.append(
        "[low, high] are 95% intervals: Wilson for a value, paired bootstrap over items for a difference. "
        "A difference whose interval holds 0 is not distinguishable from chance at this number of items."
    )
    if any(cell["metric"] == "lf_turn1" for cell in results["cells"]):
        found.append(
            "Answers in the asked language: share of first-turn answers whose top label by fastText lid.176 (not GlotLID) is the "
            "asked language; it says nothing about whether an answer is good."
        )
    return found


def _one_sided(results: dict[str, Any]) -> list[str]:
    """Cells in which a variant gives nearly always the same option: their accuracy measures that option."""
    found: dict[str, list[str]] = {}
    for cell in results["cells"]:
        asked = sum(cell["picks"])
        if asked >= _FEW and max(cell["picks"]) >= _SAME * asked:
            option = "ABCDEFGHIJ"[list(cell["picks"]).index(max(cell["picks"]))]
            found.setdefault(f"{cell['variant']} picks {option}", []).append(f"{cell['task']}/{cell['language']}")
    if not found:
        return []
    places = "; ".join(f"{what} ({', '.join(where)})" for what, where in found.items())
    return [f"! one option in at least {_SAME:.0%} of the items, so accuracy is little more than how often it is right: {places}"]


def _percent(value: float | None) -> str:
    return "no score" if value is None else f"{100 * value:.1f}"


def _points(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f}"


def _range(low: float | None, high: float | None, *, sign: bool = False) -> str:
    if low is None or high is None:
        return ""
    form = "+.1f" if sign else ".1f"
    return f"[{100 * low:{form}}, {100 * high:{form}}]"


def _verdict(cell: dict[str, Any]) -> str:
    if cell["delta"] is None:
        return ""
    if cell["delta_low"] > 0:
        return "better"
    if cell["delta_high"] < 0:
        return "worse"
    return "not distinguishable"
