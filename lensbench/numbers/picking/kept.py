"""The rule of a run, kept beside it: `pick.json`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lensbench.errors import LensbenchError, RunError
from lensbench.numbers.margins import read_margins
from lensbench.numbers.picking.rule import PickRule, parse_pick
from lensbench.numbers.picking.sides import SPLIT_VERSION
from lensbench.records import RunFolder

__all__ = ["PICK_FILE", "KeptRule", "forget_pick", "keep_pick", "read_pick"]

PICK_FILE = "pick.json"


@dataclass(frozen=True)
class KeptRule:
    """The rule of a run, and whether it was set before anything was seen.

    Attributes:
        before_results: Whether the rule and the margins for English were set before the run had results, and not changed since.
    """

    rule: PickRule
    before_results: bool


def keep_pick(folder: RunFolder, rule: PickRule) -> None:
    """Write the rule down beside the run, with the margins that it uses. A rule that is there already stays as it is."""
    before = read_pick(folder)
    if before is not None and before.rule == rule:
        return
    folder.write_json(
        PICK_FILE,
        {
            "rule": rule.text,
            "version": SPLIT_VERSION,
            "before_results": not folder.has("results.json"),
            "margins": read_margins(folder),
        },
    )


def forget_pick(folder: RunFolder) -> None:
    """Choose nothing any more: all items report all variants. The file stays and says that a rule was there."""
    if read_pick(folder) is not None:
        folder.write_json(PICK_FILE, {**folder.read_json(PICK_FILE), "rule": None})


def read_pick(folder: RunFolder) -> KeptRule | None:
    """The rule of a run; None where it has none.

    Raises:
        RunError: the file holds no rule, or that of another version.
    """
    if not folder.has(PICK_FILE):
        return None
    content = folder.read_json(PICK_FILE)
    told = content.get("rule", "") if isinstance(content, Mapping) else ""
    if told is None:
        return None
    if not told or not isinstance(told, str) or content.get("version") != SPLIT_VERSION:
        raise _unreadable(folder, "no rule that this version reads")
    try:
        rule = parse_pick(told)
    except LensbenchError as error:
        raise _unreadable(folder, error.message) from None
    return KeptRule(rule, content.get("before_results") is True and _same_margins(content.get("margins"), folder))


def _same_margins(told: Any, folder: RunFolder) -> bool:
    return isinstance(told, Mapping) and dict(told) == dict(read_margins(folder))


def _unreadable(folder: RunFolder, why: str) -> RunError:
    return RunError(f"{folder.path}/{PICK_FILE}: {why}", "Delete it to report all items, or set the rule again (``pick``).")
