"""Check whether stored results match the current records of a run folder, by digests of their content."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lensbench.jsonio import JsonObject, json_text
from lensbench.records import RunFolder
from lensbench.records.run_folder import STAGES

__all__ = ["CHECK_FILE", "check_of", "is_current", "record_counts"]

CHECK_FILE = "results.check.json"
_INPUTS = (
    "run.json",
    "variants.json",
    "provenance.json",
    "given_cells.json",
    "overlap.json",
    "counts.json",
    "margins.json",
    "pick.json",
)


def check_of(folder: RunFolder, content: JsonObject) -> JsonObject:
    """What stands beside `results.json`: digests of it and of what it was made from. Some of those hold times of the clock."""
    return {"results": _digest_of(content), "made_from": _digests(folder)}


def is_current(folder: RunFolder, stored: JsonObject) -> bool:
    """Whether stored results are as they were written, and were made from the files that the folder has now.

    By content: times do not survive a copy, and a line that was changed leaves their number as it is.
    """
    if not folder.has(CHECK_FILE):
        return False
    told = folder.read_json(CHECK_FILE)
    return isinstance(told, dict) and told == check_of(folder, stored)


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
